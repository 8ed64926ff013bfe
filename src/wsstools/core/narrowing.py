"""Fewer classes in a probability map: those that can occur, those that do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wsstools.core.maps import ProbabilityMap

_TINY = 1e-30


def restricted(probability_map: ProbabilityMap, classes: Iterable[int]) -> ProbabilityMap:
    """The map with probability 0 for all but some classes, and the rest brought back to sum 1.

    Parameters
    ----------
    probability_map : ProbabilityMap
    classes : iterable of int
        The classes that are kept. Where all of them together have a probability below 1e-30, they
        share it evenly.

    Raises
    ------
    ValueError
        If the map can hold none of them.
    """
    keep = np.isin(probability_map.classes, list(classes))
    if not keep.any():
        raise ValueError(
            f"the map holds the classes {probability_map.classes.tolist()}, none of those to keep"
        )
    probs = probability_map.probs[keep]
    total = probs.sum(axis=0)
    evenly = np.float32(1 / len(probs))
    kept = np.where(total > _TINY, probs / np.maximum(total, np.float32(_TINY)), evenly)
    return ProbabilityMap(
        kept.astype(np.float32), probability_map.classes[keep], probability_map.n_classes
    )


def without_improbable(probability_map: ProbabilityMap, floor: float) -> ProbabilityMap:
    """The map without the classes that are nowhere as probable as a floor.

    Parameters
    ----------
    probability_map : ProbabilityMap
    floor : float
        In [0, 1); larger leaves out more. A class that is the most probable one of a pixel stays
        in any case, so that no label changes.

    Notes
    -----
    With k classes left out, the mass e that they held at a pixel is below k floor. A class that
    stays goes from p to p / (1 - e), which is p e / (1 - e) more; that is at most e, for p is at
    most 1 - e. So no probability changes by more than k floor.
    """
    probs = probability_map.probs
    keep = probs.max(axis=(1, 2)) >= floor
    if floor * len(probs) > 0.5:  # else the most probable class of a pixel is above the floor
        keep[np.unique(probs.argmax(axis=0))] = True
    if keep.all():
        return probability_map
    return restricted(probability_map, probability_map.classes[keep])
