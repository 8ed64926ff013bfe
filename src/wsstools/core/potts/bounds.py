"""How far from the optimum a Potts iterate is: energies of maps, and a bound of every energy.

Planes as in potts_kernels; sums are float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled
from wsstools.core.potts.planes import TILE_WIDTH
from wsstools.core.potts.tiles import BAND_HEIGHT

_ZERO = np.float32(0)
_ONE = np.float32(1)


@compiled
def tile_energies(soft, unary, weights, width, sharpness, isotropic, chosen, sums):
    """Put the energies of the chosen tiles into `sums`, those of the map that `sharpen` makes."""
    n_classes, height, padded = soft.shape
    here = np.empty((n_classes, TILE_WIDTH + 1), np.float32)
    below = np.empty((n_classes, TILE_WIDTH + 1), np.float32)
    scratch = np.empty((2, TILE_WIDTH + 1), np.float32)
    for band in range(chosen.shape[0]):
        first = band * BAND_HEIGHT
        for tile in range(chosen.shape[1]):
            if not chosen[band, tile]:
                continue
            begin = tile * TILE_WIDTH
            end = min(begin + TILE_WIDTH + 1, padded)  # and the column to the right
            n = min(begin + TILE_WIDTH, width) - begin
            beyond = begin + n == width
            total = 0.0
            _sharpened(soft, first, begin, end, sharpness, scratch, here)
            for y in range(first, min(first + BAND_HEIGHT, height)):
                _sharpened(soft, min(y + 1, height - 1), begin, end, sharpness, scratch, below)
                u = unary[:, y, begin : begin + n]
                w = weights[y, begin : begin + n]
                total += _row_energy(here, below, u, w, n, beyond, isotropic)
                here, below = below, here
            sums[band, tile] = total


@compiled
def _row_energy(here, below, unary, weights, n, beyond, isotropic):
    """The energy of n pixels of a row; `beyond` the last of them there is no neighbour."""
    total = 0.0
    last = n - 1 if beyond else n
    for c in range(len(here)):
        m = here[c]
        m_below = below[c]
        u = unary[c]
        of_class = _ZERO
        if isotropic:
            for x in range(last):
                dx = m[x + 1] - m[x]
                dy = m_below[x] - m[x]
                of_class += u[x] * m[x] + weights[x] * np.sqrt(dx * dx + dy * dy)
        else:
            for x in range(last):
                steps = abs(m[x + 1] - m[x]) + abs(m_below[x] - m[x])
                of_class += u[x] * m[x] + weights[x] * steps
        if beyond:
            of_class += u[last] * m[last] + weights[last] * abs(m_below[last] - m[last])
        total += np.float64(of_class)
    return total


@compiled
def sharpen(soft, sharpness):
    """Set M to max(M - s max_c M, 0), scaled to sum to 1, in place; near s = 1 one class is left.

    Near the optimum that takes the haze off regions of one class, and with it energy.
    """
    width = soft.shape[2]
    scratch = np.empty((2, width), np.float32)
    for y in range(soft.shape[1]):
        _sharpened(soft, y, 0, width, sharpness, scratch, soft[:, y])


@compiled
def _sharpened(soft, y, begin, end, sharpness, scratch, row):
    n_classes = len(soft)
    n = end - begin
    if sharpness == _ZERO:
        for c in range(n_classes):
            m = soft[c, y, begin:end]
            out = row[c]
            for x in range(n):
                out[x] = m[x]
        return
    cut = scratch[0]
    total = scratch[1]
    cut[:n] = _ZERO
    total[:n] = _ZERO
    for c in range(n_classes):
        m = soft[c, y, begin:end]
        for x in range(n):
            cut[x] = max(cut[x], m[x])
    for x in range(n):
        cut[x] *= sharpness
    for c in range(n_classes):
        m = soft[c, y, begin:end]
        out = row[c]
        for x in range(n):
            out[x] = max(m[x] - cut[x], _ZERO)
            total[x] += out[x]
    for x in range(n):
        total[x] = _ONE / total[x]
    for c in range(n_classes):
        out = row[c]
        for x in range(n):
            out[x] *= total[x]


class ColumnBound:
    """The dual energy of px with the best py there is for it, from rows that come in parts.

    Each column is a chain, whose exact minimum dynamic programming finds: a label may change below
    pixel y at the price b_c + b_c' of the classes that end and begin, with b = sqrt(w^2 - px^2),
    what px leaves of the field's length there, or w if anisotropic. Measured on natural images,
    it is 2 to 10 times nearer to the optimum than the dual energy of (px, py).
    """

    def __init__(self, n_classes: int, padded: int, *, isotropic: bool) -> None:
        self._isotropic = isotropic
        self._cost = np.zeros((n_classes, padded), np.float32)
        self._price = np.zeros((n_classes, padded), np.float32)
        self._cheapest = np.zeros(padded, np.float32)
        self._taken_off = np.zeros(padded, np.float64)

    def add(
        self,
        px: NDArray[np.float32],
        left: NDArray[np.float32],
        unary: NDArray[np.float32],
        weights: NDArray[np.float32],
    ) -> None:
        """Take the next rows, downwards."""
        _go_down(
            px, left, unary, weights, self._isotropic,
            self._cost, self._price, self._cheapest, self._taken_off,
        )  # fmt: skip

    def of(self, width: int) -> float:
        """The bound for the first columns of all rows so far."""
        return float(self._taken_off[:width].sum())


def column_bound(
    px: NDArray[np.float32],
    left: NDArray[np.float32],
    unary: NDArray[np.float32],
    weights: NDArray[np.float32],
    width: int,
    isotropic: bool,
) -> float:
    """`ColumnBound` of rows that come all at once."""
    n_classes, _, padded = unary.shape
    bound = ColumnBound(n_classes, padded, isotropic=isotropic)
    bound.add(px, left, unary, weights)
    return bound.of(width)


@compiled
def _go_down(px, left, unary, weights, isotropic, cost, price, cheapest, taken_off):
    """One row after the other: `cost` of the best labelling down to it that ends in a class, less
    what was `taken_off`; the `price` of a change below it; and the `cheapest` way to end in any
    class and change."""
    n_classes, height, padded = unary.shape
    lowest = np.empty(padded, np.float32)
    for y in range(height):
        lowest[:] = np.inf
        for c in range(n_classes):
            u = unary[c, y]
            a = px[c, y]
            a_left = left[c, y]
            b = price[c]
            v = cost[c]
            for x in range(padded):
                v[x] = min(v[x], cheapest[x] + b[x]) + u[x] - a[x] + a_left[x]
                lowest[x] = min(lowest[x], v[x])
        cheapest[:] = np.inf
        w = weights[y]
        for c in range(n_classes):
            a = px[c, y]
            b = price[c]
            v = cost[c]
            if isotropic:
                for x in range(padded):
                    b[x] = np.sqrt(max(w[x] * w[x] - a[x] * a[x], _ZERO))
            else:
                b[:] = w
            for x in range(padded):
                v[x] -= lowest[x]
                cheapest[x] = min(cheapest[x], v[x] + b[x])
        for x in range(padded):
            taken_off[x] += np.float64(lowest[x])
