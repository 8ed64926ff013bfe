"""Labels of least energy on a graph, by moves that each spread one label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.minimum_cut import minimum_cut

_RESOLUTION = 100_000
"""Steps of an edge's weight, and of a label's cost: cuts are of whole numbers."""
_MOST_SWEEPS = 20


def expanded(
    costs: NDArray[np.float64], pairs: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.int64]:
    """A label for each node such that no spreading of a single label lowers the energy.

    The energy is the sum of the labels' costs and of the weights of pairs with two labels.

    Parameters
    ----------
    costs : (n, L)
        Of each label at each node; infinite where it is not allowed. Each node has one that is.
    pairs : (m, 2)
        Nodes that touch, each pair once.
    weights : (m,)
        Not negative.

    References
    ----------
    Boykov, Veksler and Zabih, IEEE TPAMI 23(11), 2001; the construction: Kolmogorov and Zabih,
    IEEE TPAMI 26(2), 2004.
    """
    labels: NDArray[np.int64] = costs.argmin(axis=1)
    best = _energy(labels, costs, pairs, weights)
    for _ in range(_MOST_SWEEPS):
        before = best
        for label in range(costs.shape[1]):
            moved = _spread(label, labels, costs, pairs, weights)
            energy = _energy(moved, costs, pairs, weights)
            if energy < best:
                labels, best = moved, energy
        if best == before:
            break
    return labels


def _energy(
    labels: NDArray[np.int64],
    costs: NDArray[np.float64],
    pairs: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> float:
    differ = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    return float(costs[np.arange(len(labels)), labels].sum() + weights[differ].sum())


def _spread(
    label: int,
    labels: NDArray[np.int64],
    costs: NDArray[np.float64],
    pairs: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The labels after the best move in which each node keeps its own or takes `label`."""
    n = len(labels)
    first, second = pairs.T
    keep = costs[np.arange(n), labels]
    take = costs[:, label].copy()
    # Of a pair that keeps and takes: (keep, keep), (keep, take), (take, keep); both take: 0.
    both = np.where(labels[first] != labels[second], weights, 0)
    keep_take = np.where(labels[first] != label, weights, 0)
    take_keep = np.where(labels[second] != label, weights, 0)
    # As costs of single nodes, and of (keep, take).
    np.add.at(take, first, take_keep)
    np.add.at(keep, first, both)
    np.add.at(take, second, -take_keep)
    edge = keep_take + take_keep - both
    largest = weights.max(initial=0.0) or 1.0
    # Nothing is worth more than all edges of a node.
    bound = np.bincount(pairs.ravel(), np.repeat(edge, 2), n) + largest
    gain = np.clip(keep - take, -bound, bound)  # a label that is not allowed is clipped too
    unit = _RESOLUTION / largest
    takes = minimum_cut(
        np.rint(gain * unit).astype(np.int64), second, first, np.rint(edge * unit).astype(np.int64)
    )
    return np.where(takes, label, labels)
