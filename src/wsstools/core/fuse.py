"""Fusion of several maps of one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsstools.core.maps import ProbabilityMap


def fuse_maps(maps: Sequence[ProbabilityMap], weights: Sequence[float]) -> ProbabilityMap:
    """Weighted mean of the maps of one image, over the union of their classes.

    A class that a map does not hold has probability 0 in it.

    Parameters
    ----------
    maps : sequence of ProbabilityMap
        At least one; all of the same (H, W) and the same number of classes.
    weights : sequence of float
        One positive number per map; only their ratios count. A larger weight pulls the mean
        towards its map.

    Returns
    -------
    ProbabilityMap
        Sums to 1 over the union of the classes.

    Raises
    ------
    ValueError
        If the sizes or the label spaces differ, or a weight is not positive.
    """
    if len(weights) != len(maps):
        raise ValueError(f"{len(weights)} weights for {len(maps)} maps")
    if not all(np.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError(f"weights are {list(weights)}, expected positive numbers")
    first = maps[0]
    for other in maps[1:]:
        if other.shape != first.shape:
            raise ValueError(f"maps have shapes {first.shape} and {other.shape} (H, W)")
        if other.n_classes != first.n_classes:
            raise ValueError(f"maps have {first.n_classes} and {other.n_classes} classes")
    classes = np.unique(np.concatenate([entry.classes for entry in maps]))
    probs = np.zeros((len(classes), *first.shape), np.float32)
    total = float(sum(weights))
    for entry, weight in zip(maps, weights, strict=True):
        rows = np.searchsorted(classes, entry.classes)
        probs[rows] += np.float32(weight / total) * entry.probs
    return ProbabilityMap(probs, classes, first.n_classes)
