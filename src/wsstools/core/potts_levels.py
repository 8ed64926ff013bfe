"""The Potts problem and its solver's fields at one image size, and the way to other sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled import compiled

_LEAST_SCALE = 1e-12  # keeps the steps finite
_HALF = np.float32(0.5)
_QUARTER = np.float32(0.25)
_THREE_QUARTERS = np.float32(0.75)


@dataclass(frozen=True)
class Problem:
    """Unary costs (K, H, W), weights (H, W), and the mean of what was taken off the costs."""

    unary: NDArray[np.float32]
    weights: NDArray[np.float32]
    offset: float
    isotropic: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the image."""
        return self.weights.shape[0], self.weights.shape[1]

    def lowered(self) -> Problem:
        """The same with least costs of 0 at each pixel, for which float32 is more exact."""
        lowest = self.unary.min(axis=0)
        offset = self.offset + float(lowest.mean(dtype=np.float64))
        return replace(self, unary=self.unary - lowest, offset=offset)

    def halved(self) -> Problem:
        """The problem on 2 x 2 pixels each: a border there is half as long per area."""
        weights = _halved(self.weights[np.newaxis])[0] * _HALF
        return replace(self, unary=_halved(self.unary), weights=weights).lowered()

    def dual_scale(self) -> float:
        """About the largest |p|: the weight, or what carries all costs across the image if less."""
        carried = float(self.unary.mean()) * max(self.shape)
        return max(min(float(self.weights.max()), carried), _LEAST_SCALE)

    def cheapest(self) -> NDArray[np.float32]:
        """One-hot map of the class of least unary cost, (K, H, W)."""
        return one_hot(self.unary.argmin(axis=0), len(self.unary))


@dataclass(frozen=True)
class Fields:
    """The primal iterate M and the dual field p = (px, py), each (K, H, W); changed in place."""

    soft: NDArray[np.float32]
    px: NDArray[np.float32]
    py: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the image."""
        return self.soft.shape[1], self.soft.shape[2]

    @classmethod
    def of(cls, soft: NDArray[np.float32]) -> Fields:
        """The map with a dual field of zeros."""
        return cls(soft, np.zeros_like(soft), np.zeros_like(soft))

    def doubled(self, shape: tuple[int, int]) -> Fields:
        """The fields on the next finer level, of size `shape`."""
        px, py = (_doubled(p, shape) for p in (self.px, self.py))
        px *= 2  # the finer weights are twice the coarser ones
        py *= 2
        # A border beyond the image has no dual; the iterations never touch these.
        px[:, :, -1] = 0
        py[:, -1] = 0
        return Fields(_doubled(self.soft, shape), px, py)


def one_hot(labels: NDArray[np.integer], n_classes: int) -> NDArray[np.float32]:
    """Planes that are 1 where the labels have their class, (n_classes, H, W)."""
    planes = np.zeros((n_classes, *labels.shape), np.float32)
    np.put_along_axis(planes, labels[np.newaxis], 1, axis=0)
    return planes


def _halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels; the edge is repeated where one is missing."""
    height, width = planes.shape[1:]
    even = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = even[:, ::2] + even[:, 1::2]
    return np.ascontiguousarray((rows[:, :, ::2] + rows[:, :, 1::2]) * _QUARTER)


def _doubled(planes: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Planes (C, *shape) of twice the size, bilinear between pixel centres."""
    fine = np.empty((len(planes), *shape), np.float32)
    _interpolate(planes, fine)
    return fine


@compiled
def _interpolate(planes, fine):
    n_classes, height, width = fine.shape
    n_rows, n_columns = planes.shape[1:]
    mixed = np.empty(n_columns, np.float32)
    for c in range(n_classes):
        for y in range(height):
            near = planes[c, y // 2]
            far = planes[c, min(max(y // 2 + 2 * (y % 2) - 1, 0), n_rows - 1)]
            for x in range(n_columns):
                mixed[x] = _THREE_QUARTERS * near[x] + _QUARTER * far[x]
            row = fine[c, y]
            for x in range((width + 1) // 2):
                left = mixed[max(x - 1, 0)]
                row[2 * x] = _THREE_QUARTERS * mixed[x] + _QUARTER * left
            for x in range(width // 2):
                right = mixed[min(x + 1, n_columns - 1)]
                row[2 * x + 1] = _THREE_QUARTERS * mixed[x] + _QUARTER * right
