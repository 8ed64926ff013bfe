"""Gaussian filters of many points in a few dimensions, on a permutohedral lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.crf.lattice_kernels import filter_values, find_chains, find_vertices

_GROUP = 4
"""pydensecrf takes points in groups of so many and fills up the last by points at the origin."""
_FARTHEST = 32767
"""Coordinates beyond it are too coarse in float32 to say which simplex a point is in."""


@dataclass(frozen=True)
class Lattice:
    """A Gaussian filter K of n points, symmetrically normalized unless it is said not to be.

    Notes
    -----
    K = N B^T A B N, where B are the barycentric weights, A blurs along one axis of the lattice
    after the other with (1/2, 1, 1/2) and N = 1 / sqrt(B^T A B 1) is diagonal. The order of the
    axes matters where vertices are missing, so that K is symmetric only nearly.

    Only vertices of simplices that hold a point exist. A last bit can put a point into the next
    simplex, and then others exist: therefore points are elevated, rounded and compared in float32
    by the same operations as in pydensecrf, and compiled exactly.

    References
    ----------
    A. Adams, J. Baek, M. Davis: Fast High-Dimensional Filtering Using the Permutohedral Lattice,
    Eurographics 2010.
    """

    offsets: NDArray[np.int32]  # (n, D + 1), vertices of the simplex around each point
    # (n, D + 1), a point's share of each, normalized: they splat and slice
    weights: NDArray[np.float32]
    chains: NDArray[np.int32]  # (D + 1, M + 1), see `find_chains`

    @classmethod
    def of(cls, features: NDArray[np.float32], *, is_normalized: bool = True) -> Lattice:
        """The filter exp(-|f_i - f_j|^2 / 2) of points f, (D, n) float32.

        Without `is_normalized`, N is the same for all points: such that values are those of the
        Gaussian, about. ValueError if the points are too far from each other or from the origin.
        """
        n_features, n_points = features.shape
        filled = np.zeros((n_features, -(-n_points // _GROUP) * _GROUP), np.float32)
        filled[:, :n_points] = features
        scales = _scales(n_features)
        strides = _strides(filled, scales)
        offsets = np.empty((n_points, n_features + 1), np.int32)
        weights = np.empty((n_points, n_features + 1), np.float32)
        n_bits = max(
            10, (3 * n_points // 2).bit_length()
        )  # twice as many rows as vertices of photos
        keys = find_vertices(filled, scales, strides, offsets, weights, n_bits)
        chains = find_chains(keys, strides)
        # Adams et al. scale a filtered value by this; here it cancels, but for the tiny addend.
        scale = 1 / (1 + 2.0**-n_features)
        if is_normalized:
            sums = filter_values(offsets, weights, chains, np.ones(n_points, np.float32))
            weights *= np.sqrt(scale / (scale * sums + 1e-20))[:, np.newaxis]
        else:
            weights *= np.float32(math.sqrt(scale))
        return cls(offsets, weights, chains)

    @property
    def n_vertices(self) -> int:
        """Number of vertices M."""
        return int(self.chains.shape[1]) - 1

    def filter(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """K applied to one value per point, (n,) float32."""
        values = np.ascontiguousarray(values, np.float32)
        found: NDArray[np.float32] = filter_values(self.offsets, self.weights, self.chains, values)
        return found


def _scales(n_features: int) -> NDArray[np.float32]:
    """Diagonal of the elevation times the deviation of the blur; rounded as in pydensecrf."""
    deviation = float(np.float32(math.sqrt(2 / 3) * (n_features + 1)))
    axes = range(1, n_features + 1)
    return np.array([deviation * (1 / math.sqrt(i * (i + 1))) for i in axes], np.float32)


def _strides(features: NDArray[np.float32], scales: NDArray[np.float32]) -> NDArray[np.int64]:
    """Weights that make one number of the coordinates of a vertex, (D + 1,); the last is 0."""
    n_features = len(features)
    low, high = features.min(axis=1) * scales, features.max(axis=1) * scales
    strides, n_keys = [], 1
    for axis in range(n_features):
        # coordinate `axis` of an elevated point: a sum less a multiple of one feature
        least, most = low[axis:].sum(), high[axis:].sum()
        if axis > 0:
            least, most = least - axis * high[axis - 1], most - axis * low[axis - 1]
        if not max(-least, most) <= _FARTHEST:
            raise ValueError(
                f"points reach {max(-least, most):.3g} lattice steps, expected {_FARTHEST} at most"
            )
        strides.append(n_keys)
        # to the nearest simplex, to its vertices, to their neighbours
        n_keys *= math.ceil(most) - math.floor(least) + 1 + 8 * (n_features + 1)
    if n_keys >= 2**63:
        raise ValueError(f"points spread over {n_keys:.1e} lattice cells, expected 9e18 at most")
    return np.array([*strides, 0], np.int64)
