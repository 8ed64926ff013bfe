"""Which classes still move in which tile of the image.

Where a class has M = 0 in a tile and around it, and its reduced cost U - div p is above the least,
an iteration changes neither its M nor its p: it may be left out. So may a tile with one class.
Little by little the iterations come down to the neighbourhood of the class borders, and what they
find is the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled
from wsstools.core.potts.planes import TILE_WIDTH, Fields

BAND_HEIGHT = 8
"""Rows of a tile; its columns are TILE_WIDTH."""

_REACH = (2, 16)
"""Rows and columns around a tile in which a class must not move either: a change travels one pixel
an iteration, and classes are looked at again after tens of them."""
_ROWS, _COLUMNS = _REACH
_ANYWHERE, _TOP, _BOTTOM, _LEFT, _RIGHT = (np.uint8(1 << bit) for bit in range(5))
_START = 64
"""Pixels of a class whose iteration takes about as long as to start with a class; measured."""
_ZERO = np.float32(0)
_ONE = np.float32(1)


class Tiles:
    """The active classes of each tile of planes (K, H, W'), and the least reduced costs.

    What `kernels.iterate` takes, int64: runs[bands[b] : bands[b + 1]] are the runs of tiles in rows
    b * BAND_HEIGHT onwards, as (column, width, where in `classes`, number of classes). `changed`
    (n_bands, n_tiles) are the tiles where the iterates may have changed since the last look.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        n_classes, height, width = shape
        grid = self.grid(shape)
        self._hits = np.zeros((n_classes, *grid), np.uint8)
        self._active = np.ones((n_classes, *grid), np.uint8)
        self._lowest = np.empty((height, width), np.float32)
        self._sums = np.zeros(grid)
        self.changed = np.ones(grid, np.bool_)
        self.bands = np.empty(grid[0] + 1, np.int64)
        self.runs = np.empty((grid[0] * grid[1], 4), np.int64)
        self.classes = np.empty(self._active.size, np.int64)
        _gather(self._active, self.bands, self.runs, self.classes)

    @staticmethod
    def grid(shape: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns of tiles on planes of shape (K, H, W')."""
        return -(-shape[1] // BAND_HEIGHT), shape[2] // TILE_WIDTH

    @property
    def active_share(self) -> float:
        """Share of the classes' planes that an iteration goes over."""
        runs = self.runs[: self.bands[-1]]
        work = float((runs[:, 1] * runs[:, 3]).sum())
        return work / (TILE_WIDTH * self._active.size)

    def look(self, fields: Fields, unary: NDArray[np.float32], width: int) -> float:
        """The dual energy sum min_c (U_c - div p_c), looked at again where p has changed."""
        _look(
            fields.soft, fields.px, fields.left, fields.py, unary, width,
            self.changed, self._lowest, self._sums, self._hits,
        )  # fmt: skip
        return float(self._sums.sum())

    def choose(self, fields: Fields) -> None:
        """Choose the active classes of each tile by the last look."""
        _choose(self._hits, self._active, fields.soft, fields.ahead)
        _gather(self._active, self.bands, self.runs, self.classes)
        moving = np.zeros_like(self.changed)
        _spread(self.bands, self.runs, moving)
        self.changed = moving


@compiled
def _look(soft, px, left, py, unary, width, changed, lowest, sums, hits):
    """Least reduced costs, their sums, and where in the tile each class may move."""
    n_classes, height, _ = unary.shape
    reduced = np.empty((n_classes, TILE_WIDTH), np.float32)
    for band in range(changed.shape[0]):
        first = band * BAND_HEIGHT
        end_row = min(first + BAND_HEIGHT, height)
        for tile in range(changed.shape[1]):
            if not changed[band, tile]:
                continue
            begin = tile * TILE_WIDTH
            n = min(begin + TILE_WIDTH, width) - begin
            total = 0.0
            for c in range(n_classes):
                hits[c, band, tile] = 0
            for y in range(first, end_row):
                low = lowest[y, begin : begin + n]
                low[:] = np.inf
                for c in range(n_classes):
                    _reduced_costs(px, left, py, unary, c, y, begin, n, reduced[c], low)
                edge = np.uint8(_TOP * (y < first + _ROWS) | _BOTTOM * (y >= end_row - _ROWS))
                for c in range(n_classes):
                    where = _moving(soft[c, y, begin : begin + n], reduced[c], low, n)
                    if where:
                        hits[c, band, tile] |= where | edge
                for x in range(n):
                    total += np.float64(low[x])
            sums[band, tile] = total


@compiled
def _reduced_costs(px, left, py, unary, c, y, begin, n, reduced, low):
    """U - div p of one class in n pixels, and the least of the classes so far."""
    inflow = _ONE if y > 0 else _ZERO
    u = unary[c, y, begin : begin + n]
    a = px[c, y, begin : begin + n]
    a_left = left[c, y, begin : begin + n]
    b = py[c, y, begin : begin + n]
    b_above = py[c, max(y - 1, 0), begin : begin + n]
    for x in range(n):
        cost = u[x] - a[x] + a_left[x] - b[x] + inflow * b_above[x]
        reduced[x] = cost
        low[x] = min(low[x], cost)


@compiled
def _moving(m, reduced, low, n):
    """Where in n pixels of a row a class has M > 0 or the least reduced cost, as bits."""
    hit = False
    for x in range(n):
        hit |= (m[x] > _ZERO) | (reduced[x] <= low[x])
    if not hit:
        return np.uint8(0)
    at_left = at_right = False
    for x in range(min(_COLUMNS, n)):
        at_left |= (m[x] > _ZERO) | (reduced[x] <= low[x])
    for x in range(max(n - _COLUMNS, 0), n):
        at_right |= (m[x] > _ZERO) | (reduced[x] <= low[x])
    return np.uint8(_ANYWHERE | _LEFT * at_left | _RIGHT * at_right)


@compiled
def _choose(hits, active, soft, ahead):
    """Activity from the hits in each tile and those next to it in the tiles around.

    The extrapolation of a class that is turned off becomes its M, as it would in the iterations.
    """
    n_classes, n_bands, n_tiles = hits.shape
    height = soft.shape[1]
    for c in range(n_classes):
        for band in range(n_bands):
            for tile in range(n_tiles):
                hit = hits[c, band, tile] != 0
                if band > 0:
                    hit |= (hits[c, band - 1, tile] & _BOTTOM) != 0
                if band + 1 < n_bands:
                    hit |= (hits[c, band + 1, tile] & _TOP) != 0
                if tile > 0:
                    hit |= (hits[c, band, tile - 1] & _RIGHT) != 0
                if tile + 1 < n_tiles:
                    hit |= (hits[c, band, tile + 1] & _LEFT) != 0
                if active[c, band, tile] and not hit:
                    columns = slice(tile * TILE_WIDTH, (tile + 1) * TILE_WIDTH)
                    for y in range(band * BAND_HEIGHT, min((band + 1) * BAND_HEIGHT, height)):
                        ahead[c, y, columns] = soft[c, y, columns]
                active[c, band, tile] = hit


@compiled
def _gather(active, bands, runs, classes):
    """Neighbouring tiles of much the same active classes become one run; those with one, none.

    Two runs become one where going over some classes that do not move costs less than the start
    of another run.
    """
    n_classes, n_bands, n_tiles = active.shape
    members = np.zeros(n_classes, np.uint8)
    n = 0
    at = 0
    for band in range(n_bands):
        bands[band] = n
        for tile in range(n_tiles):
            own = 0
            both = 0
            for c in range(n_classes):
                own += active[c, band, tile]
                both += active[c, band, tile] | members[c]
            if own < 2:
                continue
            begin = tile * TILE_WIDTH
            last = n - 1
            if n > bands[band] and runs[last, 0] + runs[last, 1] == begin:
                width, count = runs[last, 1], runs[last, 3]
                extra = (both - count) * width + (both - own) * TILE_WIDTH
                if extra <= _START * min(count, own):
                    at = runs[last, 2]
                    runs[last, 1] = width + TILE_WIDTH
                    runs[last, 3] = both
                    for c in range(n_classes):
                        members[c] |= active[c, band, tile]
                        if members[c]:
                            classes[at] = c
                            at += 1
                    continue
            runs[n] = begin, TILE_WIDTH, at, own
            n += 1
            for c in range(n_classes):
                members[c] = active[c, band, tile]
                if members[c]:
                    classes[at] = c
                    at += 1
    bands[n_bands] = n


@compiled
def _spread(bands, runs, moving):
    """Tiles that the runs go over, and those beside and below whose div p they change."""
    n_bands, n_tiles = moving.shape
    for band in range(n_bands):
        for r in range(bands[band], bands[band + 1]):
            first = runs[r, 0] // TILE_WIDTH
            last = first + runs[r, 1] // TILE_WIDTH
            moving[band, max(first - 1, 0) : min(last + 1, n_tiles)] = True
            moving[max(band - 1, 0), first:last] = True
            moving[min(band + 1, n_bands - 1), first:last] = True
