"""Depthwise convolution that is fast to train on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from wsstools.core.compiled.depthwise import weight_gradient
from wsstools.nn.cpu.arrays import images_of, share_images


class Depthwise(nn.Conv2d):
    """A 3x3 convolution of each channel by itself, padded by its dilation; stride or dilation is 1.

    Notes
    -----
    On a CPU, the gradient with respect to the image is taken as another convolution and that with
    respect to the weights by compiled code: torch's are slow where there is a stride or a
    dilation. Two cores, bfloat16, batch of 8, both gradients: 32 to 4 ms for 96 channels of
    121x121 with stride 2; 15 to 5 ms for 960 channels of 31x31 with dilation 4.
    """

    def __init__(self, channels: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(
            channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, h, w)."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        apply: Callable[..., Tensor] = _Convolved.apply
        return apply(x, self.weight, self.stride[0], self.dilation[0])


class _Context(FunctionCtx):
    stride: int
    dilation: int
    saved_tensors: tuple[Tensor, Tensor]
    needs_input_grad: tuple[bool, ...]


class _Convolved(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)
    def forward(context: _Context, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        weight = weight.to(x.dtype)
        context.save_for_backward(x, weight)
        context.stride, context.dilation = stride, dilation
        return F.conv2d(x, weight, None, stride, dilation, dilation, len(weight))

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(context: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = context.saved_tensors
        stride, dilation = context.stride, context.dilation
        gradient = gradients[0].to(x.dtype)
        of_image = None
        if context.needs_input_grad[0]:
            spread = gradient
            if stride > 1:  # at the pixels of the image that were in the middle of the weights
                n, channels, height, width = x.shape
                spread = gradient.new_zeros((n, height, width, channels)).permute(0, 3, 1, 2)
                spread[..., ::stride, ::stride] = gradient
            turned = weight.flip(2, 3)
            of_image = F.conv2d(spread, turned, None, 1, dilation, dilation, len(weight))
        total = _of_weights(x, gradient, stride, dilation)
        return of_image, total, None, None


def _of_weights(x: Tensor, gradient: Tensor, stride: int, dilation: int) -> Tensor:
    """The gradient of the weights, (C, 1, 3, 3): that of each image, added up in their order."""
    images, gradients = images_of(x), images_of(gradient)
    sums = np.empty((len(images), 3, 3, images.shape[3]), np.float32)

    def sum_up(first: int, last: int) -> None:
        for image in range(first, last):
            sums[image] = weight_gradient(
                images[image], gradients[image], stride=stride, dilation=dilation
            )

    share_images(sum_up, len(images))
    return torch.from_numpy(sums.sum(axis=0)).permute(2, 0, 1).unsqueeze(1)
