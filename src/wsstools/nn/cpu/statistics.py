"""What batch normalization does to a batch: a line for each channel, and how gradients pass it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.normalize import moments
from wsstools.nn.cpu.arrays import images_of, pixels_of, share_images


class Normalization:
    """scale x + offset for each channel of a batch of n pixels; all (C,) float64.

    `sums` (2, C) are those of x - shift and of its square over the batch.
    """

    def __init__(
        self,
        sums: NDArray[np.float64],
        shift: AnyArray,
        n: int,
        weight: Tensor,
        bias: Tensor,
        eps: float,
    ) -> None:
        first, second = sums / n
        self.n = n
        self.mean = shift + first
        self.variance = np.maximum(second - first**2, 0)
        self._inverse = 1 / np.sqrt(self.variance + eps)
        self.scale = weight.detach().numpy() * self._inverse
        self.offset = bias.detach().numpy() - self.mean * self.scale

    @classmethod
    def of(cls, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Normalization:
        """That of a batch (N, C, H, W)."""
        pixels = pixels_of(images_of(x))
        shift = images_of(x[:1, :, :1, :1].float())[0, 0, 0]
        sums = total(moments, pixels, shift)
        return cls(sums, shift, pixels[..., 0].size, weight, bias, eps)

    @property
    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and variance, (C,) float32."""
        return torch.from_numpy(float32(self.mean)), torch.from_numpy(float32(self.variance))

    def backward(
        self, sums: NDArray[np.float64]
    ) -> tuple[Tensor, Tensor, NDArray[np.float32], NDArray[np.float32]]:
        """The gradients of weight and bias; slope and level, all (C,) float32.

        Of g, the gradient of what is normalized, `sums` (2, C) are those of g and g (x - mean).
        The gradient of x, on which mean and variance depend too, is scale g + slope x + level.
        """
        first, second = sums
        of_weight = second * self._inverse
        slope = -self.scale * self._inverse * of_weight / self.n
        level = -self.scale * first / self.n - slope * self.mean
        of_both = torch.from_numpy(float32(of_weight)), torch.from_numpy(float32(first))
        return *of_both, float32(slope), float32(level)


def total(summed: Callable[..., None], features: AnyArray, *given: object) -> NDArray[np.float64]:
    """What `summed` finds in each image of (N, .., C), added up in their order, (2, C)."""
    sums = np.empty((len(features), 2, features.shape[-1]))
    shared(summed, features, *given, sums)
    return cast(NDArray[np.float64], sums.sum(axis=0))


def shared(function: Callable[..., None], features: AnyArray, *given: object) -> None:
    """Call a compiled function that works on images, with some of them on each thread."""
    share_images(lambda first, last: function(first, last, features, *given), len(features))


def float32(array: NDArray[np.float64]) -> NDArray[np.float32]:
    """The nearest float32."""
    return array.astype(np.float32)
