"""Depthwise convolution that is fast to train on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.depthwise import weight_gradient


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
        made = functools.partial(weight_gradient, stride=stride, dilation=dilation)
        parts = list(_pool(torch.get_num_threads()).map(made, _pictures(x), _pictures(gradient)))
        total = torch.from_numpy(np.sum(parts, axis=0)).permute(2, 0, 1)
        return of_image, total.unsqueeze(1), None, None


def _pictures(x: Tensor) -> AnyArray:
    """The images of a batch, (N, H, W, C); bfloat16 as its bits."""
    pictures = x.detach().permute(0, 2, 3, 1).contiguous()
    if pictures.dtype == torch.bfloat16:
        return pictures.view(torch.int16).numpy().view(np.uint16)
    return pictures.float().numpy()


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="depthwise")
