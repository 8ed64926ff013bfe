"""Depthwise 3x3 convolution by compiled kernels, where a GPU has what compiles them."""

from __future__ import annotations

import functools
import importlib
import subprocess
from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


@functools.cache
def kernels() -> ModuleType | None:
    """`wsstools.nn.gpu.kernels`, or None where Triton or the C compiler it needs is missing.

    torch has Triton in its CUDA builds for Linux.
    """
    try:
        found = importlib.import_module("wsstools.nn.gpu.kernels")
        x = torch.ones(1, 32, 4, 4, device="cuda").contiguous(memory_format=torch.channels_last)
        found.convolve(x, torch.ones(9, 32, device="cuda"), 1, 1, flipped=False)
    except (ImportError, OSError, RuntimeError, subprocess.CalledProcessError):
        return None
    return found


def depthwise(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """(N, C, H, W) to (N, C, h, w), channels last, padded by the dilation; `kernels` are there.

    The weights are (C, 1, 3, 3). Under autocast it computes in its type, and else in that of x.
    """
    if torch.is_autocast_enabled("cuda"):
        x = x.to(torch.get_autocast_dtype("cuda"))
    apply: Callable[..., Tensor] = _Depthwise.apply
    return apply(x, weight, stride, dilation)


class _Context(FunctionCtx):
    stride: int
    dilation: int
    dtype: torch.dtype
    saved_tensors: tuple[Tensor, Tensor]
    needs_input_grad: tuple[bool, ...]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(context: _Context, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        found = _found()
        x = _channels_last(x)
        # One small copy, so that the kernels read vectors of channels.
        taps = torch.empty((9, x.shape[1]), dtype=x.dtype, device=x.device)
        taps.copy_(weight.reshape(-1, 9).t())
        context.save_for_backward(x, taps)
        context.stride, context.dilation, context.dtype = stride, dilation, weight.dtype
        convolved: Tensor = found.convolve(x, taps, stride, dilation, flipped=False)
        return convolved

    @staticmethod
    @once_differentiable
    def backward(
        context: _Context, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        found = _found()
        x, taps = context.saved_tensors
        gradient = _channels_last(gradient.to(x.dtype))
        of_x = of_weight = None
        if context.needs_input_grad[0]:
            if context.stride == 1:
                of_x = found.convolve(gradient, taps, 1, context.dilation, flipped=True)
            else:
                of_x = found.strided_back(gradient, taps, x)
        if context.needs_input_grad[1]:
            of_weight = found.of_weight(
                x, gradient, context.stride, context.dilation, context.dtype
            )
        return of_x, of_weight, None, None


def _found() -> ModuleType:
    found = kernels()
    if found is None:
        raise RuntimeError("there is no compiler for this GPU")
    return found


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
