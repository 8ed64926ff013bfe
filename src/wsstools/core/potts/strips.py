"""The Potts model on large images: strips of rows, one after the other, with one certificate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.maps import Number
from wsstools.core.potts.bounds import ColumnBound
from wsstools.core.potts.iteration import Iteration
from wsstools.core.potts.levels import Problem
from wsstools.core.potts.planes import one_hot, padded
from wsstools.core.potts.primal_dual import relative_gap
from wsstools.core.potts.settings import PottsSettings
from wsstools.core.potts.solver import (
    coarse_to_fine,
    edge_weights,
    halves,
    leading_classes,
    potts_energy,
    unary,
)
from wsstools.core.stored_maps import StoredMap
from wsstools.core.tiles import Tile, strips

_REACH = 6.4
_LEAST_MARGIN, _MOST_MARGIN = 64, 512
"""Rows above and below a strip that are computed with it: `_REACH` lambda, within these bounds. On
2.8 megapixels of CamVid in 12 strips, lambda 10, the gap of the whole is then that of the strips;
with half as many it is above a tolerance of 1e-4. With lambda 50 and 128 rows it is 0.0017, with
64 it is 0.0065."""
_LEAST_ROWS = 64


def potts_in_strips(
    stored: StoredMap, image: AnyArray, settings: PottsSettings, *, side: int
) -> StoredMap:
    """The map of a large image, smoothed as by `core.api.potts`, in the memory of a strip.

    Parameters
    ----------
    stored : StoredMap
    image : (H, W, 3) or (H, W)
        RGB or grey in 0..255.
    settings : PottsSettings
        Of the compiled solver, on the CPU.
    side : int
        A strip has about twice as many pixels as a square of this side.

    Returns
    -------
    StoredMap
        Its info is that of `potts`, for the whole image: `primal` is the energy of the soft
        segmentation that the strips are put together to, `dual` a lower bound of every
        segmentation's. `iterations` are the most that a strip took on a level, and `strips` says
        how many there are.

    Notes
    -----
    Each strip is solved with some more rows above and below it. The bound is `ColumnBound` of the
    horizontal dual fields: these end at no strip's border, and the best vertical field for them
    goes down the whole image.
    """
    width = stored.shape[1]
    made = StoredMap.blank(stored.classes, stored.n_classes, stored.shape)
    margin = math.ceil(min(max(_REACH * settings.lambda_, _LEAST_MARGIN), _MOST_MARGIN))
    whole = _Whole(len(stored.classes), width)
    parts = strips(stored.shape, max(_LEAST_ROWS, 2 * side * side // width), margin=margin)
    for strip in parts:
        solved = _solved(stored, image, settings, strip)
        made.put(solved.soft, strip.rows)
        whole.add(solved)
    needless = stored.classes[sorted(whole.needless)].tolist()
    info = {**whole.info(settings.tol), "strips": len(parts), "needless": needless}
    return replace(made, info=info)


@dataclass(frozen=True)
class _Solved:
    """What came out of a strip, in the rows that are kept of it; (K, h, W) float32 each."""

    unary: NDArray[np.float32]
    weights: NDArray[np.float32]  # (h, W)
    soft: NDArray[np.float32]
    px: NDArray[np.float32]
    iterations: tuple[int, ...]
    needless: frozenset[int]


def _solved(stored: StoredMap, image: AnyArray, settings: PottsSettings, strip: Tile) -> _Solved:
    rows, kept_rows = strip.outer_rows, strip.inner[0]
    costs = unary(stored.window(rows).probs, floor=settings.floor)
    below = min(rows.stop + 1, len(image))  # for the gradient of the last row
    edges = edge_weights(image[rows.start : below], eta=settings.eta)[: costs.shape[1]]
    weights = (settings.lambda_ * edges).astype(np.float32)
    leading = leading_classes(costs)
    needed = sorted(set(leading))
    problem = Problem.of(costs[needed], weights, isotropic=True)
    if problem.unary.any() and weights.any():
        level, iterations = coarse_to_fine(
            halves(problem), settings.tol, settings.max_iterations, Iteration
        )
        soft, px = level.soft(), level.horizontal()
    else:
        soft, px, iterations = problem.cheapest(), np.zeros_like(problem.unary), ()
    costs, weights = costs[:, kept_rows].copy(), weights[kept_rows]
    found = np.zeros_like(costs)
    found[needed] = soft[:, kept_rows, : costs.shape[2]]
    # A class that is not needed has the field of one that is never worse: see `leading_classes`.
    fields = px[[needed.index(leader) for leader in leading], kept_rows, : costs.shape[2]]
    needless = frozenset(range(len(costs))) - frozenset(needed)
    return _Solved(costs, weights, found, fields, iterations, needless)


class _Whole:
    """Energies and bound of the whole image, from strips that come from the top down."""

    def __init__(self, n_classes: int, width: int) -> None:
        self.needless = frozenset(range(n_classes))
        self._width = width
        self._bound = ColumnBound(
            n_classes, padded(np.zeros(width, np.float32)).size, isotropic=True
        )
        self._energy, self._label_energy, self._offset = 0.0, 0.0, 0.0
        self._above: _Solved | None = None  # the last row so far
        self._iterations: tuple[int, ...] = ()

    def add(self, strip: _Solved) -> None:
        """Take the next strip."""
        self.needless &= strip.needless
        both = zip_longest(self._iterations[::-1], strip.iterations[::-1], fillvalue=0)
        self._iterations = tuple(map(max, both))[::-1]
        lowest = strip.unary.min(axis=0)
        self._offset += float(lowest.sum(dtype=np.float64))
        px = padded(strip.px)
        left = np.zeros_like(px)
        left[:, :, 1:] = px[:, :, :-1]
        self._bound.add(px, left, padded(strip.unary - lowest), padded(strip.weights))
        self._add_energies(strip)

    def _add_energies(self, strip: _Solved) -> None:
        """Energies of the strip, and of what the row above it costs more for having one below."""
        above, joined = self._above, strip
        if above is not None:
            self._energy -= _energy(above, above.soft)
            self._label_energy -= _energy(above, _labels(above))
            joined = _below(above, strip)
        self._energy += _energy(joined, joined.soft)
        self._label_energy += _energy(joined, _labels(joined))
        self._above = _rows(strip, slice(-1, None))

    def info(self, tol: float) -> dict[str, Number]:
        """The numbers of the map's record."""
        primal = self._energy
        dual = min(self._bound.of(self._width) + self._offset, primal)  # rounding
        gap = relative_gap(primal, dual)
        return {
            "primal": primal,
            "dual": dual,
            "gap": gap,
            "iterations": self._iterations,
            "label_energy": self._label_energy,
            "converged": gap <= tol,
        }


def _energy(strip: _Solved, soft: NDArray[np.float32]) -> float:
    return potts_energy(soft, strip.unary, strip.weights)


def _labels(strip: _Solved) -> NDArray[np.float32]:
    return one_hot(strip.soft.argmax(axis=0), np.empty_like(strip.soft))


def _rows(strip: _Solved, rows: slice) -> _Solved:
    return replace(
        strip, unary=strip.unary[:, rows], weights=strip.weights[rows], soft=strip.soft[:, rows]
    )


def _below(above: _Solved, strip: _Solved) -> _Solved:
    return replace(
        strip,
        unary=np.concatenate([above.unary, strip.unary], axis=1),
        weights=np.concatenate([above.weights, strip.weights]),
        soft=np.concatenate([above.soft, strip.soft], axis=1),
    )
