"""Depthwise convolution that is fast to train on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from wsstools.core.compiled.depthwise import convolve, convolve_back
from wsstools.core.compiled.vectors import LANES
from wsstools.nn.cpu.arrays import TYPES, empty_like, images_of
from wsstools.nn.cpu.statistics import total
from wsstools.nn.gpu import depthwise as gpu


class Depthwise(nn.Conv2d):
    """A 3x3 convolution of each channel by itself, padded by its dilation; stride or dilation is 1.

    In training on a CPU it is compiled code where the channels fill vectors: torch's gradients are
    slow where there is a stride or a dilation.
    """

    def __init__(self, channels: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(
            channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, h, w)."""
        if not (self.training and x.dtype in TYPES):
            return super().forward(x)
        if x.device.type == "cuda" and gpu.kernels() is not None:
            return gpu.depthwise(x, self.weight, self.stride[0], self.dilation[0])
        if x.device.type != "cpu" or x.shape[1] % LANES:
            return super().forward(x)
        apply: Callable[..., Tensor] = _Convolved.apply
        return apply(x, self.weight, self.stride[0], self.dilation[0])


class _Context(FunctionCtx):
    stride: int
    dilation: int
    saved_tensors: tuple[Tensor, Tensor]


class _Convolved(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")
    def forward(context: _Context, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.bfloat16)
        context.save_for_backward(x, weight)
        context.stride, context.dilation = stride, dilation
        height, width = (-(-side // stride) for side in x.shape[2:])
        y = empty_like(x, (height, width))
        unchanged, zeros = _unchanged(len(weight))
        given = kernel_array(weight), stride, dilation, zeros, images_of(y)
        total(convolve, images_of(x), unchanged, *_ANY, *given)
        return y

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(context: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = context.saved_tensors
        images, above = images_of(x), images_of(gradients[0].to(x.dtype))
        unchanged, zeros = _unchanged(len(weight))
        of_x = empty_like(x)
        of_weights = np.empty((len(images), 3, 3, len(weight)), np.float32)
        total(
            convolve_back, images, unchanged, zeros, *_ANY,
            kernel_array(weight), context.stride, context.dilation, above, above, unchanged, *_ANY,
            zeros, zeros, images_of(of_x), of_weights,
        )  # fmt: skip
        return of_x, kernel_tensor(of_weights), None, None


_ANY = np.float32(-np.inf), np.float32(np.inf)


def _unchanged(channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The line of each channel that changes nothing, (2, C), and zeros (C,)."""
    zeros = np.zeros(channels, np.float32)
    return np.stack([zeros + 1, zeros]), zeros


def kernel_array(weight: Tensor) -> NDArray[np.float32]:
    """Weights (C, 1, 3, 3) as (3, 3, C) float32."""
    return np.ascontiguousarray(weight.detach()[:, 0].permute(1, 2, 0).float().numpy())


def kernel_tensor(of_images: NDArray[np.float32]) -> Tensor:
    """The sum of (N, 3, 3, C) over the images, as (C, 1, 3, 3)."""
    return torch.from_numpy(of_images.sum(axis=0)).permute(2, 0, 1).unsqueeze(1)
