"""The progress of a training run on standard error."""

from __future__ import annotations

import time

from wsstools.running.bars import Bar

_LINES = 20
"""Lines that a run without a terminal prints."""
_KEPT = 0.95
"""Share of the running mean of the loss that an iteration leaves."""


class TrainingProgress(Bar):
    """A bar with loss and time left on a terminal, now and then a line elsewhere.

    Parameters
    ----------
    total : int
        Iterations of the whole run.
    done : int
        Iterations that an interrupted run left behind.
    """

    def __init__(self, total: int, done: int) -> None:
        super().__init__("wss train", total, completed=done, with_loss=True)
        self._total, self._first, self._began = total, done, time.monotonic()
        self._loss: float | None = None
        if done:
            self.print(f"wss train: going on from iteration {done}")

    def show(self, iteration: int, loss: float, val_miou: float | None = None) -> None:
        """An iteration is done; the loss shown is a running mean."""
        self._loss = loss if self._loss is None else _KEPT * self._loss + (1 - _KEPT) * loss
        self.update(iteration, self._loss)
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
