"""Curves of a training run for TensorBoard."""

from __future__ import annotations

from wsstools.errors import UsageError
from wsstools.nn.training.loop import Progress


class Board:
    """Writes the curves into a folder, where `tensorboard --logdir` looks; UsageError without it.

    `iteration` is what the run starts from; what an interrupted run wrote beyond is hidden.
    """

    def __init__(self, folder: str, iteration: int) -> None:
        try:
            # An extra, which torch's module needs.
            from torch.utils.tensorboard.writer import SummaryWriter  # noqa: PLC0415
        except ImportError as error:
            raise UsageError(
                "--tensorboard needs TensorBoard: pip install 'wsstools[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(folder, purge_step=iteration + 1)

    def add(self, progress: Progress) -> None:
        """One iteration is done."""
        curves = {
            "loss": progress.loss,
            "learning rate": progress.learning_rate,
            "validation mIoU": progress.val_miou,
        }
        for name, value in curves.items():
            if value is not None:
                self._writer.add_scalar(name, value, progress.iteration)

    def close(self) -> None:
        """Write what is left to write."""
        self._writer.close()
