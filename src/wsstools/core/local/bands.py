"""Predictions of all pixels of an image, a band of rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.local.features import Features

_PIXELS_AT_ONCE = 32768
_LEAST_ROWS = 16
"""A band shares the filters' margins above and below, which thin bands would pay often."""


def predicted_in_bands(
    predict: Callable[[NDArray[np.float32]], AnyArray], features: Features, n_classes: int
) -> NDArray[np.float32]:
    """Class probabilities of all pixels, (K, H, W) float32; memory is that of a band.

    `predict` takes the features of n pixels, (F, n) float32, and gives (K, n) probabilities.
    """
    height, width = features.height, features.width
    probs = np.empty((n_classes, height, width), np.float32)
    n_rows = max(_LEAST_ROWS, _PIXELS_AT_ONCE // width)
    for first in range(0, height, n_rows):
        last = min(first + n_rows, height)
        values = features.of_rows(first, last).reshape(features.n_features, (last - first) * width)
        probs[:, first:last] = predict(values).reshape(-1, last - first, width)
    return probs
