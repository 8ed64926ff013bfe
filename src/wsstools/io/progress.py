"""The progress of a training run on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

_LINES = 20
"""Lines that a run without a terminal prints."""


class TrainingProgress:
    """A bar with loss and time left on a terminal, now and then a line elsewhere.

    Parameters
    ----------
    total : int
        Iterations of the whole run.
    done : int
        Iterations that an interrupted run left behind.
    """

    def __init__(self, total: int, done: int) -> None:
        self._total, self._first, self._began = total, done, time.monotonic()
        self._loss: float | None = None
        self._progress: Progress | None = None

    def __enter__(self) -> TrainingProgress:
        if self._first:
            print(f"wss train: going on from iteration {self._first}", file=sys.stderr)
        if sys.stderr.isatty():
            from wsstools.io.bars import started_bar

            self._progress = started_bar(with_loss=True)
            self._task = self._progress.add_task(
                "wss train", total=self._total, completed=self._first, loss="-"
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

    def show(self, iteration: int, loss: float) -> None:
        """An iteration is done; the loss shown is a running mean."""
        self._loss = loss if self._loss is None else 0.95 * self._loss + 0.05 * loss
        if self._progress is not None:
            self._progress.update(self._task, completed=iteration, loss=f"{self._loss:.3f}")
        elif iteration % max(1, self._total // _LINES) == 0 or iteration == self._total:
            passed = time.monotonic() - self._began
            left = passed / (iteration - self._first) * (self._total - iteration)
            print(
                f"wss train: iteration {iteration}/{self._total}, loss {self._loss:.3f}, "
                f"{left / 60:.1f} min left",
                file=sys.stderr,
                flush=True,
            )
