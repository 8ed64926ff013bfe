"""Progress bars on standard error, drawn on a terminal only, and one in a pipe."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

B = TypeVar("B", bound="Bar")


class Bar:
    """A bar with count, time and time left; nothing at all where there is no terminal.

    Parameters
    ----------
    description : str
        What stands before the bar.
    total : int or None
        Steps in all, None if not known.
    completed : int
        Steps that are done from the beginning.
    with_loss : bool
        Show a loss behind the count.
    """

    def __init__(
        self, description: str, total: int | None, *, completed: int = 0, with_loss: bool = False
    ) -> None:
        self._fields: dict[str, Any] = {"total": total, "completed": completed}
        if with_loss:
            self._fields["loss"] = "-"
        self._description = description
        self._progress: Progress | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether there is a terminal that shows it."""
        return self._progress is not None

    def __enter__(self: B) -> B:
        if sys.stderr.isatty() and not _feeds_a_pipe():
            self._progress = _progress(with_loss="loss" in self._fields)
            self._progress.start()
            self._task = self._progress.add_task(self._description, **self._fields)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self) -> None:
        """One more step is done."""
        if self._progress is not None:
            self._progress.advance(self._task)

    def update(self, completed: int, loss: float) -> None:
        """So many steps are done, at this loss."""
        if self._progress is not None:
            self._progress.update(self._task, completed=completed, loss=f"{loss:.3f}")

    def print(self, line: str) -> None:
        """A line on standard error, above the bar if there is one."""
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            with contextlib.suppress(OSError):  # a log on a full disk does not stop the work
                print(line, file=sys.stderr, flush=True)


def _feeds_a_pipe() -> bool:
    """Whether standard output is a pipe, whose last command draws the one bar of the terminal."""
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _progress(*, with_loss: bool) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    loss = [TextColumn("loss {task.fields[loss]}")] if with_loss else []
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *loss,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
