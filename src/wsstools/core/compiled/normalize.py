"""Batch normalization and the rectifier after it, both ways, compiled for the CPU.

Arrays of features are (N, pixels, C), float32, or uint16, which are the bits of bfloat16. Each
function works on the images from `first` to before `last`, so that threads can share a batch.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from wsstools.core.compiled.jit import compiled_for_speed
from wsstools.core.compiled.vectors import AHEAD, fetch

_HALF = np.uint32(16)
"""Bits of a float32 that bfloat16 lacks."""
_BELOW_HALF = np.uint32(0x7FFF)
_ONE = np.uint32(1)
_LINE = 32
"""Elements of bfloat16 in a line of the cache."""
_ROWS = 64
"""Pixels that are summed in float32; their sums are summed in float64."""


def _widened(value):
    """An element as float32."""
    raise NotImplementedError


def _narrowed(value, like):
    """A float32 as an element like another: bfloat16 is the nearest, of two the even one."""
    raise NotImplementedError


@overload(_widened)
def _widened_by(value):
    if isinstance(value, types.Float):
        return lambda value: value
    return lambda value: np.uint32(np.uint32(value) << _HALF).view(np.float32)


@overload(_narrowed)
def _narrowed_by(value, like):
    if isinstance(like, types.Float):
        return lambda value, like: np.float32(value)

    def rounded(value, like):
        bits = np.float32(value).view(np.uint32)
        odd = np.uint32(np.uint32(bits >> _HALF) & _ONE)
        return np.uint16(np.uint32(bits + _BELOW_HALF + odd) >> _HALF)

    return rounded


@compiled_for_speed
def _fetch_row(x, image, i):
    """Fetch the channels of a pixel that is so far ahead of this one."""
    _, n, n_channels = x.shape
    at = (image * n + i) * n_channels + AHEAD
    for c in range(0, n_channels, _LINE):
        fetch(x, at + c)


@compiled_for_speed
def moments(first, last, x, shift, sums):
    """Sums of x - shift and of its square over the pixels of an image, to `sums` (N, 2, C) float64.

    `shift` (C,) is any value near the mean: the sums then lose no digits.
    """
    _, n, n_channels = x.shape
    one = np.empty(n_channels, np.float32)
    two = np.empty(n_channels, np.float32)
    for image in range(first, last):
        sums[image] = 0
        for start in range(0, n, _ROWS):
            one[:] = 0
            two[:] = 0
            for i in range(start, min(start + _ROWS, n)):
                _fetch_row(x, image, i)
                for c in range(n_channels):
                    value = _widened(x[image, i, c]) - shift[c]
                    one[c] += value
                    two[c] += value * value
            for c in range(n_channels):
                sums[image, 0, c] += one[c]
                sums[image, 1, c] += two[c]


@compiled_for_speed
def rectify(first, last, x, scale, offset, low, high, y):
    """scale x + offset, at least `low` and at most `high`, to `y` of x's shape and type.

    NaN stays NaN. `scale` and `offset` are (C,) float32.
    """
    _, n, n_channels = x.shape
    for image in range(first, last):
        for i in range(n):
            _fetch_row(x, image, i)
            for c in range(n_channels):
                value = scale[c] * _widened(x[image, i, c]) + offset[c]
                value = high if value > high else value
                value = low if value < low else value
                y[image, i, c] = _narrowed(value, y[image, i, c])


@compiled_for_speed
def gradient_sums(first, last, x, gradient, scale, offset, low, high, shift, sums):
    """Sums of g and of g (x - shift) over the pixels of an image, to `sums` (N, 2, C) float64.

    g is the gradient of what `rectify` gave, of x's shape, 0 where that is a bound.
    """
    _, n, n_channels = x.shape
    one = np.empty(n_channels, np.float32)
    two = np.empty(n_channels, np.float32)
    for image in range(first, last):
        sums[image] = 0
        for start in range(0, n, _ROWS):
            one[:] = 0
            two[:] = 0
            for i in range(start, min(start + _ROWS, n)):
                _fetch_row(x, image, i)
                _fetch_row(gradient, image, i)
                for c in range(n_channels):
                    pixel = _widened(x[image, i, c])
                    value = scale[c] * pixel + offset[c]
                    g = _widened(gradient[image, i, c])
                    g = np.float32(0) if value <= low or value >= high else g
                    one[c] += g
                    two[c] += g * (pixel - shift[c])
            for c in range(n_channels):
                sums[image, 0, c] += one[c]
                sums[image, 1, c] += two[c]


@compiled_for_speed
def combine_gradients(first, last, x, gradient, scale, offset, low, high, slope, level, result):
    """scale g + slope x + level, to `result` of x's shape and type; g as for `gradient_sums`."""
    _, n, n_channels = x.shape
    for image in range(first, last):
        for i in range(n):
            _fetch_row(x, image, i)
            _fetch_row(gradient, image, i)
            for c in range(n_channels):
                pixel = _widened(x[image, i, c])
                value = scale[c] * pixel + offset[c]
                g = _widened(gradient[image, i, c])
                g = np.float32(0) if value <= low or value >= high else g
                value = scale[c] * g + slope[c] * pixel + level[c]
                result[image, i, c] = _narrowed(value, result[image, i, c])
