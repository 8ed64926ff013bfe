"""Maps for other shares of the classes than those that their model learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.maps import ProbabilityMap

LEAST_SHARE = 1e-6
"""Added to every share, so that a class that labels lack becomes rare and not impossible."""


def class_shares(pixels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Shares of the classes, (C,), from their pixels, (C,); they sum to 1.

    Raises
    ------
    ValueError
        If there is no pixel.
    """
    total = pixels.sum()
    if not total:
        raise ValueError("no pixel carries a class")
    shares = pixels / total + LEAST_SHARE
    return shares / shares.sum()


def adjust_prior(
    probability_map: ProbabilityMap,
    learned: NDArray[np.float64],
    wanted: NDArray[np.float64],
    power: float = 1.0,
) -> ProbabilityMap:
    """The map that a model would give if the classes had other shares of the pixels.

    Parameters
    ----------
    probability_map : ProbabilityMap
    learned, wanted : (C,) float64
        Shares of the classes among the pixels that the model learned from, and among those that
        it is asked about; positive.
    power : float
        How much of the change is made: 0 none, 1 all of it.

    Returns
    -------
    ProbabilityMap
        P_c (wanted_c / learned_c)^power, brought back to sum 1.

    Raises
    ------
    ValueError
        If the shares are not of all classes, or one is not positive.

    References
    ----------
    M. Saerens, P. Latinne, C. Decaestecker: Adjusting the Outputs of a Classifier to New a Priori
    Probabilities: A Simple Procedure, Neural Computation 14, 2002, equation 2.4.
    """
    for shares in (learned, wanted):
        if shares.shape != (probability_map.n_classes,):
            raise ValueError(
                f"there are shares of {len(shares)} classes, the map has "
                f"{probability_map.n_classes}"
            )
        if not (shares > 0).all():
            raise ValueError("the share of a class is not positive")
    factors = (wanted / learned)[probability_map.classes] ** power
    # A largest factor of 1 keeps every product in range.
    factors = (factors / factors.max()).astype(np.float32)
    probs = probability_map.probs * factors[:, None, None]
    total = probs.sum(axis=0)
    lost = total <= 0
    probs /= np.where(lost, np.float32(1), total)
    probs[:, lost] = probability_map.probs[:, lost]
    return ProbabilityMap(probs, probability_map.classes, probability_map.n_classes)
