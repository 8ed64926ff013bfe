"""Inverted residual blocks that are fast to train on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from wsstools.core.compiled.depthwise import combine, convolve, convolve_back
from wsstools.core.compiled.normalize import gradient_sums, rectify
from wsstools.core.compiled.vectors import LANES
from wsstools.nn.cpu.arrays import empty_like, images_of, pixels_of
from wsstools.nn.cpu.batch_norm import RELU6, BatchNorm, Rectified
from wsstools.nn.cpu.depthwise import Depthwise, kernel_array, kernel_tensor
from wsstools.nn.cpu.statistics import Normalization, float32, shared, total


class Bottleneck(nn.Sequential):
    """MobileNetV2's convolutions: to many channels, in each of them, and back to few.

    They are a `Rectified` convolution, a `Rectified` one that is `Depthwise`, a convolution and
    `BatchNorm`. In training on a CPU, what is between the outer convolutions is one step.
    """

    @classmethod
    def fits(cls, layers: list[nn.Module]) -> bool:
        """Whether layers are of these kinds."""
        kinds = [type(layer) for layer in layers]
        return kinds == [Rectified, Rectified, nn.Conv2d, BatchNorm] and isinstance(
            cast(Rectified, layers[1])[0], Depthwise
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, h, w)."""
        widened, filtered, narrow, last = self
        widen, norm, _ = cast(Rectified, widened)
        depthwise, norm_after, _ = cast(Rectified, filtered)
        if not (isinstance(norm, BatchNorm) and isinstance(norm_after, BatchNorm)):
            return cast(Tensor, super().forward(x))
        x = widen(x)
        if norm.takes(x) and norm_after.takes(x) and x.shape[1] % LANES == 0:
            x = _filtered(x, norm, cast(Depthwise, depthwise), norm_after)
        else:
            x = filtered(nn.functional.relu6(norm(x)))
        return cast(Tensor, last(narrow(x)))


def _filtered(x: Tensor, norm: BatchNorm, depthwise: Depthwise, norm_after: BatchNorm) -> Tensor:
    """x normalized, rectified, convolved, normalized and rectified; both statistics follow."""
    settings = _Settings(
        norm.eps,
        depthwise.stride[0],
        depthwise.dilation[0],
        norm_after.eps,
        cast(Tensor, norm_after.running_mean).numpy().copy(),
    )
    apply: Callable[..., tuple[Tensor, ...]] = _Filtered.apply
    result, mean, variance, mean_after, variance_after = apply(
        x, norm.weight, norm.bias, depthwise.weight, norm_after.weight, norm_after.bias, settings
    )
    norm.follow(mean, variance, x[:, 0].numel())
    norm_after.follow(mean_after, variance_after, result[:, 0].numel())
    return result


class _Settings(NamedTuple):
    eps: float
    stride: int
    dilation: int
    eps_after: float
    shift: NDArray[np.float32]  # near the mean of what is convolved


class _Context(FunctionCtx):
    saved_tensors: tuple[Tensor, Tensor]
    settings: _Settings
    batches: tuple[Normalization, Normalization]
    weights: NDArray[np.float32]


class _Filtered(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")
    def forward(
        context: _Context,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        kernel: Tensor,
        weight_after: Tensor,
        bias_after: Tensor,
        settings: _Settings,
    ) -> tuple[Tensor, ...]:
        images, (_, stride, dilation, _, shift) = images_of(x), settings
        batch = Normalization.of(x, weight, bias, settings.eps)
        weights = kernel_array(kernel)
        height, width = (-(-side // stride) for side in x.shape[2:])
        y = empty_like(x, (height, width))
        filtered = images_of(y)
        given = _line(batch), *_BOUNDS, weights, stride, dilation, shift, filtered
        sums = total(convolve, images, *given)
        n = filtered[..., 0].size
        after = Normalization(sums, shift, n, weight_after, bias_after, settings.eps_after)
        result = empty_like(y)
        shared(rectify, pixels_of(filtered), *_line(after), *_BOUNDS, pixels_of(images_of(result)))
        context.save_for_backward(x, y)
        context.settings, context.batches, context.weights = settings, (batch, after), weights
        statistics = *batch.statistics, *after.statistics
        context.mark_non_differentiable(*statistics)
        return result, *statistics

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(context: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, y = context.saved_tensors
        batch, after = context.batches
        _, stride, dilation, _, _ = context.settings
        images, filtered = images_of(x), images_of(y)
        above = images_of(gradients[0].to(x.dtype))
        sums = total(
            gradient_sums, pixels_of(filtered), pixels_of(above),
            *_line(after), *_BOUNDS, float32(after.mean),
        )  # fmt: skip
        of_weight_after, of_bias_after, slope, level = after.backward(sums)
        of_x = empty_like(x)
        of_images = images_of(of_x)
        of_weights = np.empty((len(images), *context.weights.shape), np.float32)
        sums = total(
            convolve_back, images, _line(batch), float32(batch.mean), *_BOUNDS,
            context.weights, stride, dilation, filtered, above, _line(after), *_BOUNDS,
            slope, level, of_images, of_weights,
        )  # fmt: skip
        of_weight, of_bias, slope, level = batch.backward(sums)
        shared(combine, images, of_images, float32(batch.scale), slope, level)
        of_kernel = kernel_tensor(of_weights)
        return of_x, of_weight, of_bias, of_kernel, of_weight_after, of_bias_after, None


_BOUNDS = np.float32(RELU6[0]), np.float32(RELU6[1])


def _line(batch: Normalization) -> NDArray[np.float32]:
    """Scale and offset, (2, C)."""
    return float32(np.stack([batch.scale, batch.offset]))
