"""The compiled iterations of the Potts problem at one image size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.potts.bounds import column_bound, sharpen, tile_energies
from wsstools.core.potts.kernels import iterate, sorting_networks
from wsstools.core.potts.levels import Problem, doubled
from wsstools.core.potts.planes import Fields
from wsstools.core.potts.primal_dual import OVER_RELAXATION, SHARPNESSES, PrimalDual
from wsstools.core.potts.tiles import BAND_HEIGHT, Tiles

_SKEWED_ITERATIONS = 8


class Iteration(PrimalDual):
    """The iterations on the CPU, tile by tile; `fields`, where to begin, are changed in place.

    Without them, they begin at the cheapest class of each pixel.
    """

    def __init__(self, problem: Problem, tol: float, fields: Fields | None = None) -> None:
        super().__init__(problem, tol)
        n_classes, _, width = problem.unary.shape
        self._right_steps = np.zeros(width, np.float32)
        self._right_steps[: problem.width - 1] = self.sigma
        self._networks = sorting_networks(n_classes)
        self._scratch = np.empty(2 * (n_classes + 1) * width, np.float32)
        self._fields = fields or Fields(problem.cheapest())
        self._tiles = Tiles(problem.unary.shape)
        self._energies = {s: Energies(problem, s) for s in SHARPNESSES}

    def finer(self, problem: Problem, tol: float) -> Iteration:
        """The iterations on the next finer level, for its problem, from where these are."""
        return Iteration(problem, tol, doubled(self._fields, problem))

    def soft(self) -> NDArray[np.float32]:
        """M, sharpened in place, (K, H, W); these iterations end with it."""
        sharpen(self._fields.soft, np.float32(self.sharpness))
        return self._fields.soft[:, :, : self._problem.width]

    def horizontal(self) -> NDArray[np.float32]:
        """px, (K, H, W)."""
        return self._fields.px[:, :, : self._problem.width]

    def _iterate(self, n: int) -> None:
        if self.done:
            self._tiles.choose(self._fields)
        self._sweep(n - 1, OVER_RELAXATION)
        self._sweep(1, 1.0)

    def _sweep(self, n: int, rho: float) -> None:
        fields, problem, tiles = self._fields, self._problem, self._tiles
        iterate(
            fields.soft, fields.ahead, fields.right, fields.px, fields.left, fields.py,
            problem.unary, problem.weights, self._right_steps, BAND_HEIGHT, tiles.bands, tiles.runs,
            tiles.classes, *self._networks, self._scratch, np.float32(self.tau),
            np.float32(self.sigma), np.float32(rho), problem.isotropic, n, _SKEWED_ITERATIONS,
        )  # fmt: skip

    def _dual_energy(self) -> float:
        for energies in self._energies.values():
            energies.stale |= self._tiles.changed
        problem = self._problem
        return self._tiles.look(self._fields, problem.unary, problem.width) + problem.offset

    def _energy(self, sharpness: float) -> float:
        return self._energies[sharpness].of(self._fields.soft)

    def _column_bound(self) -> float:
        fields, problem = self._fields, self._problem
        arrays = (fields.px, fields.left, problem.unary, problem.weights)
        return column_bound(*arrays, problem.width, problem.isotropic) + problem.offset


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
