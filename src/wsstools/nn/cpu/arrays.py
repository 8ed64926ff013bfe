"""Batches of features as NumPy arrays, and threads that share their images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from wsstools.core.arrays import AnyArray

TYPES = (torch.float32, torch.bfloat16)
"""Of features that compiled code works on."""


def images_of(x: Tensor) -> AnyArray:
    """The images of a batch (N, C, H, W), (N, H, W, C) float32; bfloat16 as its bits, uint16.

    Of a batch that is laid out channels last, it is the same memory.
    """
    images = x.detach().permute(0, 2, 3, 1).contiguous()
    if images.dtype == torch.bfloat16:
        return images.view(torch.int16).numpy().view(np.uint16)
    return images.float().numpy()


def pixels_of(images: AnyArray) -> AnyArray:
    """The pixels of each image (N, H, W, C), (N, H W, C): the same memory."""
    return images.reshape(len(images), -1, images.shape[3])


def empty_like(x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """A new batch of x's type, laid out channels last, of x's size or of another (H, W)."""
    n, channels, *own = x.shape
    return x.new_empty((n, *(size or own), channels)).permute(0, 3, 1, 2)


def share_images(work: Callable[[int, int], object], n: int) -> None:
    """Call `work`, which lets the GIL go, with ranges of n images: one for each of torch's threads.

    A range is its first image and the one after its last.
    """
    threads = min(torch.get_num_threads(), n)
    if threads == 1:
        work(0, n)
        return
    bounds = [n * part // threads for part in range(threads + 1)]
    list(_pool(threads).map(work, bounds[:-1], bounds[1:]))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="images")
