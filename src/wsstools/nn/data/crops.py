"""The crops that training sees: a pure function of the seed and the number of the sample."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsstools.core.arrays import AnyArray
from wsstools.nn.data.augment import Target, augment
from wsstools.nn.training.schedules import Schedule


class Pairs(Protocol):
    """Images and what is known about their pixels; read by several threads at once."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, index: int, /) -> tuple[AnyArray, Target]:
        """Image (H, W, 3) uint8 or float32 in 0..255, and labels or probabilities, (H, W)."""


@dataclass(frozen=True)
class Samples:
    """Sample n of a training run, n = 0 .. iterations * batch - 1; the seed is not negative.

    Each epoch goes through all images, in an order of its own. Samples keep no state: a resumed
    run, or one with other workers, sees the very same.
    """

    pairs: Pairs
    schedule: Schedule
    seed: int

    def __len__(self) -> int:
        return self.schedule.iterations * self.schedule.batch

    def __getitem__(self, n: int) -> tuple[NDArray[np.float32], AnyArray]:
        epoch, place = divmod(n, len(self.pairs))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.pairs))
        image, target = self.pairs[int(order[place])]
        rng = np.random.default_rng([self.seed, 1, n])
        return augment(image, target, self.schedule, rng=rng)

    def batch(
        self, number: int, share: tuple[int, int] = (0, 1), *, pinned: bool = False
    ) -> tuple[Tensor, Tensor]:
        """A batch, or with `share` (i, n) samples i, i + n, i + 2 n, ... of it.

        `pinned` puts it into memory that a GPU copies from by itself.

        Returns
        -------
        images : (N, 3, crop, crop) float32
            Channels last in memory.
        targets : (N, crop, crop) uint8, or (N, C, crop, crop) float32
        """
        size = self.schedule.batch
        made = [self[n] for n in range(number * size + share[0], (number + 1) * size, share[1])]
        images, targets = (torch.from_numpy(np.stack(part)) for part in zip(*made, strict=True))
        if pinned:
            images, targets = images.pin_memory(), targets.pin_memory()
        return images.permute(0, 3, 1, 2), targets


def batches(
    samples: Samples,
    *,
    first: int = 0,
    workers: int = 0,
    share: tuple[int, int] = (0, 1),
    pinned: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of a training run from the `first` on, in order, as `Samples.batch` gives them.

    So many threads as `workers` prepare batches ahead, one more than there are of them; 0 prepares
    a batch when it is asked for. DataError or OSError of what cannot be read.
    """

    def made(number: int) -> tuple[Tensor, Tensor]:
        return samples.batch(number, share, pinned=pinned)

    numbers = range(first, samples.schedule.iterations)
    if not workers:
        yield from map(made, numbers)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    ahead: deque[Future[tuple[Tensor, Tensor]]] = deque()
    try:
        for number in numbers:
            ahead.append(pool.submit(made, number))
            if len(ahead) > workers + 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
