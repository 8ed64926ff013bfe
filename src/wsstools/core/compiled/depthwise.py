"""Depthwise convolution with what is around it in an inverted residual block, both ways, compiled.

Before it are batch normalization and a rectifier, after it what batch normalization begins with.
Features are (N, H, W, C), float32, or uint16, which are the bits of bfloat16; C is a multiple of
`LANES`. Each function works on the images from `first` to before `last`, so that threads can share
a batch.

The rectified features and the gradient of the convolved ones are made anew for a few channels of an
image at a time: they stay in the cache and are never written out. Around them is a frame of zeros.
What is in the next row of an image is fetched while this one is worked on, since processors do
not see that coming.
"""

from __future__ import annotations

import numpy as np

from wsstools.core.compiled.jit import compiled_for_speed
from wsstools.core.compiled.vectors import (
    AHEAD,
    LANES,
    between,
    fetch,
    load,
    minus,
    plus,
    rounded,
    store,
    times_plus,
    where_between,
    zeros,
)

_CACHE = 3 << 18
"""Bytes of framed channels that are worked on at a time."""
_LINE = 32
"""Channels of bfloat16 in a line of the cache, which is written as a whole."""


@compiled_for_speed
def _block_of(n_pixels, n_channels):
    """How many channels of framed images of so many pixels are worked on at a time."""
    return min(n_channels, max(_LINE, _CACHE // (4 * n_pixels) // _LINE * _LINE))


@compiled_for_speed
def _three(weights, n, k):
    """A row of the weights (3, 3, n) of LANES channels, from value number k on."""
    return load(weights, k), load(weights, n + k), load(weights, 2 * n + k)


@compiled_for_speed
def _add_up(one, two, parts, sums, c):
    """Add two vectors to columns c, c + 1, .. of `sums` (2, C)."""
    store(parts, 0, one)
    store(parts, LANES, two)
    for k in range(LANES):
        sums[0, c + k] += parts[0, k]
        sums[1, c + k] += parts[1, k]


@compiled_for_speed
def convolve(first, last, x, line, low, high, weights, stride, dilation, shift, y, sums):
    """The depthwise convolution of rectified features, to `y` (N, h, w, C), and its moments.

    What is convolved is scale x + offset, at least `low` and at most `high`, as if surrounded by
    zeros, with `weights` (3, 3, C) float32. `line` (2, C) float32 are scale and offset. Sums of
    y - shift and of its square over the pixels of an image go to `sums` (N, 2, C) float64; `shift`
    (C,) float32 is any value near the mean.
    """
    _, height, width, n = x.shape
    _, rows, columns, _ = y.shape
    row = (width + 2 * dilation) * LANES  # of a framed image of LANES channels
    whole = (height + 2 * dilation) * row
    block = _block_of(whole // LANES, n)
    space = np.zeros(whole * (block // LANES), np.float32)
    parts = np.empty((2, LANES), np.float32)
    down, right = dilation * row, dilation * LANES
    for image in range(first, last):
        sums[image] = 0
        for begin in range(0, n, block):
            end = min(begin + block, n)
            for i in range(height):
                at = (image * height + i) * width * n
                place = (dilation + i) * row + right
                for c in range(begin, end, LANES):
                    scale, offset = load(line, c), load(line, n + c)
                    for j in range(width):
                        fetch(x, at + (width + j) * n + c)
                        value = times_plus(scale, load(x, at + j * n + c), offset)
                        store(space, place + j * LANES, between(value, low, high))
                    place += whole
            for i in range(rows):
                at = (image * rows + i) * columns * n
                place = stride * i * row
                for c in range(begin, end, LANES):
                    w0, w1, w2 = _three(weights, n, c)
                    w3, w4, w5 = _three(weights, n, 3 * n + c)
                    w6, w7, w8 = _three(weights, n, 6 * n + c)
                    middle = load(shift, c)
                    one, two = zeros(), zeros()
                    for j in range(columns):
                        fetch(y, at + (columns + j) * n + c)
                        p = place + stride * j * LANES
                        q = p + down
                        r = q + down
                        a = times_plus(w0, load(space, p), zeros())
                        b = times_plus(w3, load(space, q), zeros())
                        d = times_plus(w6, load(space, r), zeros())
                        p, q, r = p + right, q + right, r + right
                        a = times_plus(w1, load(space, p), a)
                        b = times_plus(w4, load(space, q), b)
                        d = times_plus(w7, load(space, r), d)
                        p, q, r = p + right, q + right, r + right
                        a = times_plus(w2, load(space, p), a)
                        b = times_plus(w5, load(space, q), b)
                        d = times_plus(w8, load(space, r), d)
                        a = plus(plus(a, b), d)
                        store(y, at + j * n + c, a)
                        a = minus(rounded(a, y), middle)
                        one, two = plus(one, a), times_plus(a, a, two)
                    _add_up(one, two, parts, sums[image], c)
                    place += whole


@compiled_for_speed
def convolve_back(
    first, last, x, line, mean, low, high, weights, stride, dilation,
    y, gradient, line_after, low_after, high_after, slope, level, result, of_weights, sums,
):  # fmt: skip
    """The gradients of `convolve` with batch normalization and a rectifier after it.

    Parameters
    ----------
    x, line, low, high, weights, stride, dilation, y
        As for `convolve`.
    mean
        (C,) float32, any value near the mean of x.
    gradient
        Of the loss with respect to what is rectified after y, of y's shape; `line_after` (2, C),
        `low_after` and `high_after` belong to that. With g, the gradient that is 0 where there is
        a bound, that of y is scale g + slope y + level; `slope` and `level` are (C,) float32.
    result
        Of x's shape: the gradient of what is convolved, 0 where that is a bound.
    of_weights
        (N, 3, 3, C) float32: the gradient of the weights, from each image.
    sums
        (N, 2, C) float64: sums of `result` and of result (x - mean) over the pixels of an image.
    """
    _, height, width, n = x.shape
    _, rows, columns, _ = y.shape
    row = (width + 2 * dilation) * LANES
    whole = (height + 2 * dilation) * row
    block = _block_of(whole // LANES, n)
    space = np.zeros(whole * (block // LANES), np.float32)
    parts = np.empty((2, LANES), np.float32)
    down, right = dilation * row, dilation * LANES
    for image in range(first, last):
        sums[image] = 0
        of_weights[image] = 0
        for begin in range(0, n, block):
            end = min(begin + block, n)
            for i in range(rows):
                at = (image * rows + i) * columns * n
                place = (dilation + stride * i) * row + right
                for c in range(begin, end, LANES):
                    scale, offset = load(line_after, c), load(line_after, n + c)
                    steep, flat = load(slope, c), load(level, c)
                    for j in range(columns):
                        fetch(y, at + (columns + j) * n + c)
                        fetch(gradient, at + (columns + j) * n + c)
                        pixel = load(y, at + j * n + c)
                        value = times_plus(scale, pixel, offset)
                        g = load(gradient, at + j * n + c)
                        g = where_between(value, g, low_after, high_after)
                        value = times_plus(scale, g, times_plus(steep, pixel, flat))
                        store(space, place + stride * j * LANES, value)
                    place += whole
            for i in range(height):
                at = (image * height + i) * width * n
                place = i * row
                for c in range(begin, end, LANES):
                    w0, w1, w2 = _three(weights, n, c)
                    w3, w4, w5 = _three(weights, n, 3 * n + c)
                    w6, w7, w8 = _three(weights, n, 6 * n + c)
                    t0, t1, t2, t3, t4 = zeros(), zeros(), zeros(), zeros(), zeros()
                    t5, t6, t7, t8 = zeros(), zeros(), zeros(), zeros()
                    scale, offset, middle = load(line, c), load(line, n + c), load(mean, c)
                    one, two = zeros(), zeros()
                    for j in range(width):
                        fetch(x, at + (width + j) * n + c)
                        fetch(result, at + (width + j) * n + c)
                        pixel = load(x, at + j * n + c)
                        value = times_plus(scale, pixel, offset)
                        rectified = between(value, low, high)
                        # The pixel that a weight is on is on the other side of this one.
                        p = place + j * LANES
                        q = p + down
                        r = q + down
                        g = load(space, p)
                        a, t8 = times_plus(w8, g, zeros()), times_plus(rectified, g, t8)
                        g = load(space, q)
                        b, t5 = times_plus(w5, g, zeros()), times_plus(rectified, g, t5)
                        g = load(space, r)
                        d, t2 = times_plus(w2, g, zeros()), times_plus(rectified, g, t2)
                        p, q, r = p + right, q + right, r + right
                        g = load(space, p)
                        a, t7 = times_plus(w7, g, a), times_plus(rectified, g, t7)
                        g = load(space, q)
                        b, t4 = times_plus(w4, g, b), times_plus(rectified, g, t4)
                        g = load(space, r)
                        d, t1 = times_plus(w1, g, d), times_plus(rectified, g, t1)
                        p, q, r = p + right, q + right, r + right
                        g = load(space, p)
                        a, t6 = times_plus(w6, g, a), times_plus(rectified, g, t6)
                        g = load(space, q)
                        b, t3 = times_plus(w3, g, b), times_plus(rectified, g, t3)
                        g = load(space, r)
                        d, t0 = times_plus(w0, g, d), times_plus(rectified, g, t0)
                        g = where_between(value, plus(plus(a, b), d), low, high)
                        store(result, at + j * n + c, g)
                        g = rounded(g, result)
                        one, two = plus(one, g), times_plus(g, minus(pixel, middle), two)
                    _add_up(one, two, parts, sums[image], c)
                    k = image * 9 * n + c
                    for t in (t0, t1, t2, t3, t4, t5, t6, t7, t8):
                        store(of_weights, k, plus(load(of_weights, k), t))
                        k += n
                    place += whole


@compiled_for_speed
def combine(first, last, x, gradient, scale, slope, level):
    """scale g + slope x + level for a gradient g of x's shape, in its place.

    `scale`, `slope` and `level` are (C,) float32.
    """
    _, height, width, n = x.shape
    for p in range(first * height * width, last * height * width):
        for c in range(0, n, LANES):
            at = p * n + c
            fetch(x, at + AHEAD)
            fetch(gradient, at + AHEAD)
            value = times_plus(load(slope, c), load(x, at), load(level, c))
            store(gradient, at, times_plus(load(scale, c), load(gradient, at), value))
