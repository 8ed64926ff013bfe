"""Densities of colours that vary over an image, compiled for the CPU."""

from __future__ import annotations

import numpy as np

from wsstools.core.compiled.elementary import _exp
from wsstools.core.compiled.jit import compiled

_LANES = 8
_NEVER = np.float32(-1e30)


@compiled
def density_parts(colours, width, widths, samples, factor, means, highest):
    """A mean of Gaussians of place and colour at each pixel: exp(highest) times `means`, (n,).

    But for a constant and the widths. `colours` (n, 3) are of an image of so many columns, `widths`
    (n,) the deviation of places at each pixel, `factor` 1 over twice the variance of colours, and
    `samples` (5, m) row, column and colour of each Gaussian; float32.
    """
    m = samples.shape[1]
    exponents = np.empty(-(-m // _LANES) * _LANES, np.float32)
    sums = np.empty(_LANES, np.float32)
    for p in range(len(colours)):
        row, column = np.float32(p // width), np.float32(p % width)
        red, green, blue = colours[p, 0], colours[p, 1], colours[p, 2]
        spread = np.float32(0.5) / (widths[p] * widths[p])
        for j in range(m):
            down, right = row - samples[0, j], column - samples[1, j]
            r, g, b = red - samples[2, j], green - samples[3, j], blue - samples[4, j]
            place = spread * (down * down + right * right)
            exponents[j] = -(place + factor * (r * r + g * g + b * b))
        most = _NEVER
        for j in range(m):
            most = max(most, exponents[j])
        for j in range(m):
            exponents[j] -= most
        exponents[m:] = _NEVER
        _exp(exponents)
        sums[:] = 0
        for j in range(0, len(exponents), _LANES):
            for lane in range(_LANES):
                sums[lane] += exponents[j + lane]
        total = np.float32(0)
        for lane in range(_LANES):
            total += sums[lane]
        means[p] = total / np.float32(m)
        highest[p] = most
