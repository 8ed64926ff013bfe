"""The Potts problem at one image size, and the way to the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled
from wsstools.core.potts.planes import Fields, one_hot, padded

_LEAST_SCALE = 1e-12  # keeps the steps finite
_HALF = np.float32(0.5)
_QUARTER = np.float32(0.25)
_THREE_QUARTERS = np.float32(0.75)


@dataclass(frozen=True)
class Problem:
    """Unary costs and weights whose rows are padded to whole tiles.

    Least costs are 0 at each pixel, for which float32 is more exact; padding costs nothing.
    """

    unary: NDArray[np.float32]  # (K, H, W')
    weights: NDArray[np.float32]  # (H, W'); that of the padding is 0
    width: int  # W, the columns of the image
    offset: float  # the sum over the pixels of what was taken off the costs
    isotropic: bool  # length of the gradient, see `solve_potts`

    @classmethod
    def of(
        cls, unary: NDArray[np.float32], weights: NDArray[np.float32], *, isotropic: bool
    ) -> Problem:
        """The problem for costs (K, H, W) and weights (H, W)."""
        costs, width = padded(unary), weights.shape[1]
        lowest = costs.min(axis=0)
        costs -= lowest
        offset = float(lowest.sum(dtype=np.float64))  # 0 in the padding
        return cls(costs, padded(weights), width, offset, isotropic)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the image."""
        return self.weights.shape[0], self.width

    def halved(self) -> Problem:
        """The problem on 2 x 2 pixels each: a border there is half as long per area.

        Its offset is per pixel of its own, so that energies of levels are not to be compared.
        """
        unary = _halved(self.unary[:, :, : self.width])
        weights = _halved(self.weights[np.newaxis, :, : self.width])[0] * _HALF
        coarse = Problem.of(unary, weights, isotropic=self.isotropic)
        per_pixel = self.offset / (self.shape[0] * self.shape[1])
        offset = coarse.offset + per_pixel * weights.size
        return Problem(coarse.unary, coarse.weights, coarse.width, offset, self.isotropic)

    def dual_scale(self) -> float:
        """About the largest |p|: the weight, or what carries all costs across the image if less."""
        padding = self.weights.shape[1] / self.width
        carried = float(self.unary.mean()) * padding * max(self.shape)
        return max(min(float(self.weights.max()), carried), _LEAST_SCALE)

    def cheapest(self) -> NDArray[np.float32]:
        """One-hot map of the class of least unary cost, (K, H, W')."""
        return one_hot(self.unary.argmin(axis=0), np.empty_like(self.unary))


def doubled(fields: Fields, problem: Problem) -> Fields:
    """The fields on the next finer level, for its problem."""
    fine = Fields(problem.cheapest())
    width = problem.width
    _interpolate(fields.soft, fine.soft, width, np.float32(1))
    # The finer weights are twice the coarser ones.
    _interpolate(fields.px, fine.px, width, np.float32(2))
    _interpolate(fields.py, fine.py, width, np.float32(2))
    # A border beyond the image has no dual; the iterations never touch these.
    fine.px[:, :, width - 1] = 0
    fine.py[:, -1] = 0
    fine.ahead[:] = fine.soft
    return fine


def _halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels; the edge is repeated where one is missing."""
    height, width = planes.shape[1:]
    even = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = even[:, ::2] + even[:, 1::2]
    return np.ascontiguousarray((rows[:, :, ::2] + rows[:, :, 1::2]) * _QUARTER)


@compiled
def _interpolate(planes, fine, width, scale):
    """Fill `width` columns of `fine` with scale times the planes at twice the size, bilinear."""
    n_classes, height = fine.shape[:2]
    n_rows = planes.shape[1]
    n_columns = (width + 1) // 2
    mixed = np.empty(n_columns, np.float32)
    for c in range(n_classes):
        for y in range(height):
            near = planes[c, y // 2]
            far = planes[c, min(max(y // 2 + 2 * (y % 2) - 1, 0), n_rows - 1)]
            for x in range(n_columns):
                mixed[x] = scale * (_THREE_QUARTERS * near[x] + _QUARTER * far[x])
            row = fine[c, y]
            for x in range(n_columns):
                row[2 * x] = _THREE_QUARTERS * mixed[x] + _QUARTER * mixed[max(x - 1, 0)]
            for x in range(width // 2):
                right = mixed[min(x + 1, n_columns - 1)]
                row[2 * x + 1] = _THREE_QUARTERS * mixed[x] + _QUARTER * right
