"""Primal-dual iterations of the Potts problem at one image size, and when they may stop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.potts_bounds import column_bound, tile_energies
from wsstools.core.potts_kernels import iterate, sorting_networks
from wsstools.core.potts_levels import Problem
from wsstools.core.potts_planes import Fields
from wsstools.core.potts_tiles import BAND_HEIGHT, Tiles

_TIGHT = 5e-4
_TIGHT_BALANCE = 0.2
"""Balance of the steps below that tolerance if anisotropic, else it is 1; measured. The labels
themselves come near the anisotropic optimum, so that steps may favour the dual field."""
_OVER_RELAXATION = 1.8
_OPERATOR_NORM = float(np.sqrt(8.0))  # of the gradient by forward differences
_SKEWED_ITERATIONS = 8

_ITERATIONS_PER_LOOK = 20
_LATER_LOOKS = 0.05  # of the iterations done, if that is more
_SHARPNESSES = (0.0, 0.1, 0.3, 0.999)
# Energies are not looked at each time as long as the gap is so many times the tolerance, and the
# column bound not before it is so near.
_FAR = 10
_NEAR = 20


class Iteration:
    """The iterations at one image size, and how far they have come.

    Parameters
    ----------
    problem : Problem
    fields : Fields
        Where to begin; changed in place.
    tol : float
        Relative duality gap to stop at.

    Attributes
    ----------
    primal : float
        The energy of M, sharpened.
    sharpness : float
        What `sharpen` is to take for that.
    dual : float
        The best lower bound so far.
    done : int
        Number of iterations.
    """

    def __init__(self, problem: Problem, fields: Fields, tol: float) -> None:
        n_classes, _, width = problem.unary.shape
        balance = step_balance(tol, isotropic=problem.isotropic) * problem.dual_scale()
        self._tau = np.float32(1 / (balance * _OPERATOR_NORM))
        self._sigma = np.float32(balance / _OPERATOR_NORM)
        self._right_steps = np.zeros(width, np.float32)
        self._right_steps[: problem.width - 1] = self._sigma
        self._networks = sorting_networks(n_classes)
        self._scratch = np.empty(2 * (n_classes + 1) * width, np.float32)
        self._problem, self._tol, self.fields = problem, tol, fields
        self._tiles = Tiles(problem.unary.shape)
        self._energies = {s: Energies(problem, s) for s in _SHARPNESSES}
        self.primal, self.dual, self.sharpness = np.inf, -np.inf, 0.0
        self.done = 0

    def run(self, max_iterations: int) -> None:
        """Iterate until the relative gap is at most the tolerance, or as often as allowed."""
        looks = 0
        while True:
            n = max(_ITERATIONS_PER_LOOK, int(_LATER_LOOKS * self.done))
            n = min(n, max_iterations - self.done)
            # The last iteration is not relaxed: it leaves M on the simplex and p in its bounds.
            self._iterate(n - 1, _OVER_RELAXATION)
            self._iterate(1, 1.0)
            self.done += n
            is_last = self.done >= max_iterations
            self._look(looks, thorough=is_last or looks == 0)
            if is_last or relative_gap(self.primal, self.dual) <= self._tol:
                return
            self._tiles.choose(self.fields)
            looks += 1

    def _iterate(self, n: int, rho: float) -> None:
        fields, problem, tiles = self.fields, self._problem, self._tiles
        iterate(
            fields.soft, fields.ahead, fields.right, fields.px, fields.left, fields.py,
            problem.unary, problem.weights, self._right_steps, BAND_HEIGHT, tiles.bands, tiles.runs,
            tiles.classes, *self._networks, self._scratch, self._tau, self._sigma,
            np.float32(rho), problem.isotropic, n, _SKEWED_ITERATIONS,
        )  # fmt: skip

    def _look(self, looks: int, *, thorough: bool) -> None:
        """Energy and bounds of the iterates; the energy stays as it was while far from the end."""
        problem, fields, tol = self._problem, self.fields, self._tol
        for energies in self._energies.values():
            energies.stale |= self._tiles.changed
        self._bound(self._tiles.look(fields, problem.unary, problem.width))
        if not thorough and looks % 3 and relative_gap(self.primal, self.dual) > _FAR * tol:
            return
        # The sharpness that was best and, in turn, one of the others.
        tried = set(_SHARPNESSES) if thorough else {self.sharpness, _SHARPNESSES[looks % 4]}
        primals = {s: self._energies[s].of(fields.soft) for s in sorted(tried)}
        self.sharpness = min(primals, key=primals.__getitem__)
        self.primal = primals[self.sharpness]
        if thorough or tol < relative_gap(self.primal, self.dual) < _NEAR * tol:
            arrays = (fields.px, fields.left, problem.unary, problem.weights)
            self._bound(column_bound(*arrays, problem.width, problem.isotropic))
        self.dual = min(self.dual, self.primal)  # rounding

    def _bound(self, energy: float) -> None:
        self.dual = max(self.dual, energy + self._problem.offset)


class Energies:
    """The energies of the tiles of a map at one sharpness, counted again where the map changed."""

    def __init__(self, problem: Problem, sharpness: float = 0.0) -> None:
        self.problem, self.sharpness = problem, np.float32(sharpness)
        self.stale = np.ones(Tiles.grid(problem.unary.shape), np.bool_)
        self.sums = np.zeros(self.stale.shape)

    def of(self, soft: NDArray[np.float32]) -> float:
        """The energy of the map."""
        problem = self.problem
        tile_energies(
            soft, problem.unary, problem.weights, problem.width, self.sharpness,
            problem.isotropic, self.stale, self.sums,
        )  # fmt: skip
        self.stale[:] = False
        return float(self.sums.sum()) + problem.offset


def step_balance(tol: float, *, isotropic: bool) -> float:
    """b of the steps tau = 1 / (b s sqrt(8)) and sigma = b s / sqrt(8)."""
    return _TIGHT_BALANCE if tol < _TIGHT and not isotropic else 1.0


def relative_gap(primal: float, dual: float) -> float:
    """(primal - dual) / |primal|."""
    return (primal - dual) / max(abs(primal), np.finfo(np.float64).tiny)
