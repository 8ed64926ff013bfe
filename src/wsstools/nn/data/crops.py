"""The crops that training sees: a pure function of the seed and the number of the sample."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsstools.core.arrays import AnyArray
from wsstools.nn.data.augment import Target, View, crop_view, draw_view, real_pixels
from wsstools.nn.training.schedules import Schedule


class Pairs(Protocol):
    """Images and what is known about their pixels; read by several threads at once."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, index: int, /) -> tuple[AnyArray, Target]:
        """Image (H, W, 3) uint8 or float32 in 0..255, and labels or probabilities, (H, W)."""


class Batch(NamedTuple):
    """Crops, what is known about their pixels, and how they show their images."""

    images: Tensor  # (N, 3, crop, crop) float32, RGB in 0..255, channels last in memory
    targets: Tensor  # (N, crop, crop) uint8, or (N, C, crop, crop) float32
    is_real: Tensor  # (N, crop, crop) bool: not beyond the image
    scale: Tensor  # (N,) float32, pixels of a crop to one of its image

    def parts(self, n: int) -> list[Batch]:
        """Its crops in order, in so many nearly equal parts; they share its memory."""
        return [Batch(*part) for part in zip(*(x.tensor_split(n) for x in self), strict=True)]


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

    def __getitem__(self, n: int) -> tuple[NDArray[np.float32], AnyArray, View, tuple[int, int]]:
        """A crop, its target, and the view of an image of (H, W) that it is."""
        epoch, place = divmod(n, len(self.pairs))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.pairs))
        image, target = self.pairs[int(order[place])]
        shape, schedule = (image.shape[0], image.shape[1]), self.schedule
        view = draw_view(shape, schedule, rng=np.random.default_rng([self.seed, 1, n]))
        crop = crop_view(image, target, view, crop=schedule.crop, min_prob=schedule.min_prob)
        return *crop, view, shape

    def batch(self, number: int, share: tuple[int, int] = (0, 1), *, pinned: bool = False) -> Batch:
        """A batch, or with `share` (i, n) samples i, i + n, i + 2 n, ... of it.

        `pinned` puts it into memory that a GPU copies from by itself.
        """
        size = self.schedule.batch
        numbers = range(number * size + share[0], (number + 1) * size, share[1])
        images, targets, views, shapes = zip(*(self[n] for n in numbers), strict=True)
        is_real = [
            real_pixels(shape, view, self.schedule.crop)
            for shape, view in zip(shapes, views, strict=True)
        ]
        scale = np.array([view.scale for view in views], np.float32)
        parts = [torch.from_numpy(np.stack(part)) for part in (images, targets, is_real)]
        parts.append(torch.from_numpy(scale))
        if pinned:
            parts = [part.pin_memory() for part in parts]
        return Batch(parts[0].permute(0, 3, 1, 2), *parts[1:])


def batches(
    samples: Samples,
    *,
    first: int = 0,
    workers: int = 0,
    share: tuple[int, int] = (0, 1),
    pinned: bool = False,
) -> Iterator[Batch]:
    """Batches of a training run from the `first` on, in order, as `Samples.batch` gives them.

    So many threads as `workers` prepare batches ahead, one more than there are of them; 0 prepares
    a batch when it is asked for. DataError or OSError of what cannot be read.
    """

    def made(number: int) -> Batch:
        return samples.batch(number, share, pinned=pinned)

    numbers = range(first, samples.schedule.iterations)
    if not workers:
        yield from map(made, numbers)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    ahead: deque[Future[Batch]] = deque()
    try:
        for number in numbers:
            ahead.append(pool.submit(made, number))
            if len(ahead) > workers + 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
