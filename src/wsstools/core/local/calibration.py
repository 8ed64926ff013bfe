"""Temperature scaling: probabilities as sure as they turned out to be right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

_LOG_BOUNDS = (np.log(0.1), np.log(10.0))


def tempered(probs: NDArray[np.float32], temperature: float, floor: float) -> NDArray[np.float32]:
    """Probabilities proportional to max(probs, floor)**(1 / temperature), over the first axis.

    Larger temperatures are less sure. Smaller probabilities than `floor` count as this: of n trees
    none is not never.

    References
    ----------
    C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    powers: NDArray[np.float32] = np.maximum(probs, np.float32(floor)) ** np.float32(
        1 / temperature
    )
    powers /= powers.sum(axis=0)
    return powers


def best_temperature(
    probs: NDArray[np.float32], labels: NDArray[np.integer], floor: float
) -> float:
    """The temperature in 0.1..10 with the least negative log-likelihood; `floor` as in `tempered`.

    `probs` (K, n) are of samples that the model was not trained on, `labels` (n,) their classes.
    """
    logs = np.log(np.maximum(probs, floor).astype(np.float64))

    def loss(log_temperature: float) -> float:
        likelihoods = log_softmax(logs / np.exp(log_temperature), axis=0)
        return -float(likelihoods[labels, np.arange(len(labels))].mean())

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_BOUNDS, method="bounded").x))
