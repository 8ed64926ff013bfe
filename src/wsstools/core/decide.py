"""From probabilities to labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.maps import ProbabilityMap


def most_probable(
    probability_map: ProbabilityMap, *, min_prob: float = 0.0, ignore_label: int = IGNORE_LABEL
) -> NDArray[np.uint8]:
    """The class of largest probability at each pixel, (H, W) uint8.

    Parameters
    ----------
    probability_map : ProbabilityMap
        The map; among equal probabilities the lowest class id wins.
    min_prob : float
        Pixels whose largest probability is below it get `ignore_label`; larger keeps fewer.
    ignore_label : int
        Label of those pixels.

    Raises
    ------
    ValueError
        If a class id does not fit beside `ignore_label`.
    """
    if probability_map.classes[-1] >= ignore_label:
        raise ValueError(
            f"class id {probability_map.classes[-1]} does not fit in 8-bit labels "
            f"(ids below {ignore_label})"
        )
    probs = probability_map.probs
    labels = probability_map.classes.astype(np.uint8)[probs.argmax(axis=0)]
    if min_prob > 0:
        labels[probs.max(axis=0) < min_prob] = ignore_label
    return labels
