"""The crops that training sees: a pure function of the seed and the number of the sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wsstools.errors import WssError
from wsstools.nn.augment import augment
from wsstools.nn.schedules import Schedule


class Pairs(Protocol):
    """Images and their labels; picklable where worker processes read them."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, index: int, /) -> tuple[NDArray, NDArray[np.uint8]]:
        """Image (H, W, 3) uint8 or float32 in 0..255, and labels (H, W) uint8, 255 ignored."""


@dataclass(frozen=True)
class Samples(Dataset[tuple[Tensor, Tensor]]):
    """Sample n of a training run, n = 0 .. iterations * batch - 1.

    Each epoch goes through all images, in an order of its own. Samples keep no state: a resumed
    run, or one with other workers, sees the very same.

    Attributes
    ----------
    pairs : Pairs
    schedule : Schedule
    seed : int
        Not negative.
    """

    pairs: Pairs
    schedule: Schedule
    seed: int

    def __len__(self) -> int:
        return self.schedule.iterations * self.schedule.batch

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(n, len(self.pairs))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.pairs))
        image, labels = self.pairs[int(order[place])]
        rng = np.random.default_rng([self.seed, 1, n])
        return augment(image, labels, self.schedule, rng=rng)


def batches(
    samples: Samples, *, first: int = 0, workers: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of a training run, in order.

    Parameters
    ----------
    samples : Samples
    first : int
        Number of the batch to begin with.
    workers : int
        Processes that prepare batches ahead; 0 prepares them when they are asked for.

    Yields
    ------
    images : (N, 3, crop, crop) float32
    labels : (N, crop, crop) uint8

    Raises
    ------
    DataError, OSError
        An image or its labels cannot be read.
    """
    loader = DataLoader(
        _Batches(samples),
        batch_size=None,
        sampler=range(first, samples.schedule.iterations),
        num_workers=workers,
    )
    for batch in loader:
        if isinstance(batch, Exception):
            raise batch
        yield batch


@dataclass(frozen=True)
class _Batches(Dataset[tuple[Tensor, Tensor] | Exception]):
    """Whole batches, or the error in making one: raised in a worker, it would lose its line."""

    samples: Samples

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor] | Exception:
        size = self.samples.schedule.batch
        try:
            made = [self.samples[n] for n in range(number * size, (number + 1) * size)]
        except (WssError, OSError) as error:
            return error
        images, labels = zip(*made, strict=True)
        return torch.stack(images), torch.stack(labels)
