"""Progress bars on standard error, drawn on a terminal only, and one in a pipe."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from wsstools.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress

B = TypeVar("B", bound="Bar")
_CLEARED = "\r\x1b[2K"
"""Back to the start of the terminal's line, which is cleared."""
_LINES = 20
"""Lines that a training run without a terminal prints."""
_TIMED = 5
"""Iterations after which a training run says how long it will take."""
_KEPT = 0.95
"""Share of the running mean of the loss that an iteration leaves."""


class Bar:
    """A bar with count, time and time left; nothing at all where there is no terminal.

    `total` is None where it is not known; `completed` steps are done from the beginning.
    """

    def __init__(
        self, description: str, total: int | None, *, completed: int = 0, with_loss: bool = False
    ) -> None:
        self._description, self._n_steps, self._completed = description, total, completed
        self._with_loss = with_loss
        self._progress: Progress | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether there is a terminal that shows it."""
        return self._progress is not None

    def __enter__(self: B) -> B:
        if sys.stderr.isatty() and not _feeds_a_pipe() and not is_quiet():
            self._progress = _progress(with_loss=self._with_loss)
            self._progress.start()
            self._task = self._progress.add_task(
                self._description, total=self._n_steps, completed=self._completed, loss="-"
            )
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

    def print(self, line: str, *, is_error: bool = False) -> None:
        """A line on standard error, above the bar if there is one; errors alone if quiet."""
        if is_quiet() and not is_error:
            return
        if self._progress is not None:
            self._progress.console.print(
                printable(line), markup=False, highlight=False, soft_wrap=True
            )
        else:
            print_line(line)


class TrainingBar(Bar):
    """A bar with loss and time left on a terminal, now and then a line in a log.

    An interrupted run has left `done` of the `total` iterations behind. `advice` takes the seconds
    that an iteration takes, and may give a further line.
    """

    def __init__(
        self, total: int, done: int, *, advice: Callable[[float], str | None] | None = None
    ) -> None:
        super().__init__("wss train", total, completed=done, with_loss=True)
        self._total, self._first, self._began = total, done, time.monotonic()
        self._advice, self._warm = advice, self._began
        self._loss: float | None = None
        if done:
            self.print(f"wss train: going on from iteration {done}")

    def show(self, iteration: int, loss: float, val_miou: float | None = None) -> None:
        """An iteration is done; the loss shown is a running mean."""
        self._loss = loss if self._loss is None else _KEPT * self._loss + (1 - _KEPT) * loss
        self.update(iteration, self._loss)
        self._foretell(iteration - self._first)
        is_line_due = iteration % max(1, self._total // _LINES) == 0 or iteration == self._total
        if is_line_due and not self.is_drawn:
            passed = time.monotonic() - self._began
            left = passed / (iteration - self._first) * (self._total - iteration)
            self.print(
                f"wss train: iteration {iteration}/{self._total}, loss {self._loss:.3f}, "
                f"{left / 60:.1f} min left"
            )
        if val_miou is not None:
            self.print(f"wss train: iteration {iteration}, validation mIoU {100 * val_miou:.2f}")

    def _foretell(self, n_done: int) -> None:
        """Say how long all will take, from the first iterations but the very first."""
        if n_done == 1:
            self._warm = time.monotonic()
        left = self._total - self._first
        if n_done != min(_TIMED, left) or n_done < 2:
            return
        seconds = (time.monotonic() - self._warm) / (n_done - 1)
        self.print(
            f"wss train: {left} iterations of {seconds:.2g} s take about {duration(seconds * left)}"
        )
        advice = self._advice(seconds) if self._advice else None
        if advice:
            self.print(f"wss train: {advice}")


def print_line(line: str) -> None:
    """A line on standard error, in the place of the bar that a later step of the pipe draws."""
    is_above_bar = sys.stderr.isatty() and _feeds_a_pipe() and os.environ.get("TERM") != "dumb"
    with contextlib.suppress(OSError):  # a log on a full disk does not stop the work
        print(f"{_CLEARED if is_above_bar else ''}{printable(line)}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A time in words: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def is_quiet() -> bool:
    """Whether errors alone are printed on standard error."""
    return bool(os.environ.get("WSS_QUIET"))


def _feeds_a_pipe() -> bool:
    """Whether standard output is a pipe, whose last command draws the one bar of the terminal."""
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _progress(*, with_loss: bool) -> Progress:
    # On a terminal only; a run in a pipe need not wait for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
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
        TextColumn("passed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )
