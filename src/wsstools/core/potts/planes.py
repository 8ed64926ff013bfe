"""Arrays of the Potts solver: planes (K, H, W') whose rows are padded to whole tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TILE_WIDTH = 64


class Fields:
    """The iterates of the solver, (K, H, W') each, changed in place.

    Attributes
    ----------
    soft : primal iterate M
    ahead, right : its extrapolation, and that seen one pixel to the right
    px, left : dual field along the rows, and that seen one pixel to the left
    py : dual field along the columns
    """

    def __init__(self, soft: NDArray[np.float32]) -> None:
        self.soft = soft
        extrapolated = np.zeros(soft.size + 1, np.float32)
        self.ahead, self.right = (part.reshape(soft.shape) for part in _ends(extrapolated))
        self.ahead[:] = soft
        # The last column has no right neighbour, its px stays 0: so does what is left of the first.
        horizontal = np.zeros(soft.size + 1, np.float32)
        self.left, self.px = (part.reshape(soft.shape) for part in _ends(horizontal))
        self.py = np.zeros_like(soft)


def one_hot(labels: NDArray[np.integer], planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The planes (K, H, W), made 1 where the labels (H, W) have their class, and else 0."""
    planes[:] = 0
    np.put_along_axis(planes, labels[np.newaxis], 1, axis=0)
    return planes


def padded(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy (..., W') of planes (..., W), with columns of 0 up to whole tiles."""
    width = planes.shape[-1]
    wide = np.zeros((*planes.shape[:-1], -(-width // TILE_WIDTH) * TILE_WIDTH), np.float32)
    wide[..., :width] = planes
    return wide


def _ends(store: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All but the last value, and all but the first."""
    return store[:-1], store[1:]
