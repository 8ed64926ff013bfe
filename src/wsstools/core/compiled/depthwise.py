"""The gradient of a depthwise convolution's weights, compiled for the CPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.jit import compiled_for_speed

_HALF = np.uint32(16)
"""Bits of a float32 that bfloat16 lacks."""


def weight_gradient(
    image: AnyArray, gradient: AnyArray, *, stride: int = 1, dilation: int = 1
) -> NDArray[np.float32]:
    """The gradient of the weights of a 3x3 depthwise convolution of one image, (3, 3, C) float32.

    ``sum_ij gradient[i, j] image[stride i + (u - 1) dilation, stride j + (v - 1) dilation]`` of an
    image (H, W, C), as if surrounded by zeros, and the gradient (h, w, C) of the loss with respect
    to the result: both float32, or uint16, which are the bits of bfloat16.
    """
    total = np.zeros((3, 3, image.shape[2]), np.float32)
    kernel = _of_floats if image.dtype == np.float32 else _of_bfloats
    kernel(image, gradient, stride, dilation, total)
    return total


@compiled_for_speed
def _of_floats(image, gradient, stride, dilation, total):
    height, width, n_channels = image.shape
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            for u in range(3):
                y = stride * i + (u - 1) * dilation
                if not 0 <= y < height:
                    continue
                for v in range(3):
                    x = stride * j + (v - 1) * dilation
                    if 0 <= x < width:
                        for c in range(n_channels):
                            total[u, v, c] += gradient[i, j, c] * image[y, x, c]


@compiled_for_speed
def _of_bfloats(image, gradient, stride, dilation, total):
    height, width, n_channels = image.shape
    pixel = np.empty(n_channels, np.float32)
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            for c in range(n_channels):
                pixel[c] = np.uint32(np.uint32(gradient[i, j, c]) << _HALF).view(np.float32)
            for u in range(3):
                y = stride * i + (u - 1) * dilation
                if not 0 <= y < height:
                    continue
                for v in range(3):
                    x = stride * j + (v - 1) * dilation
                    if 0 <= x < width:
                        for c in range(n_channels):
                            bits = np.uint32(np.uint32(image[y, x, c]) << _HALF)
                            total[u, v, c] += pixel[c] * bits.view(np.float32)
