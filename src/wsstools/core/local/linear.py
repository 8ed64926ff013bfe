"""A linear model of one image's own scribbles on the features of a network."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from wsstools.core.local.features import NetworkFeatures
from wsstools.core.local.scribbled import ScribbledPixels
from wsstools.core.local.settings import LinearSettings
from wsstools.core.maps import ProbabilityMap

_TOLERANCE = 1e-3  # of the gradient of the mean loss
_MOST_ITERATIONS = 200


def linear_model(
    features: NetworkFeatures,
    pixels: ScribbledPixels,
    *,
    settings: LinearSettings = LinearSettings(),
) -> ProbabilityMap:
    """Class probabilities of all pixels from multinomial logistic regression on the scribbled ones.

    Parameters
    ----------
    features : NetworkFeatures
        Of the image, brought to mean 0 and variance 1 each before the model sees them.
    pixels : ScribbledPixels
        What the model is trained on.
    settings : LinearSettings
        How it is trained, and how sure it is.

    Returns
    -------
    ProbabilityMap
        Over the classes scribbled in this image only. With a single one, its probability is 1.

    References
    ----------
    B. Hariharan et al., Hypercolumns for Object Segmentation and Fine-grained Localization, 2015,
    for features of several layers at a pixel.
    """
    if len(pixels.classes) == 1:
        return pixels.certain()
    parts = [pixels.evenly(k, settings.pixels) for k in range(len(pixels.classes))]
    chosen = np.sort(np.concatenate(parts))
    features = features.standardized()
    samples = features.at(pixels.rows[chosen], pixels.columns[chosen]).astype(np.float64)
    model = LogisticRegression(
        C=1 / (settings.penalty * len(chosen)), tol=_TOLERANCE, max_iter=_MOST_ITERATIONS
    )
    with threadpool_limits(1):  # the images are what runs side by side
        model.fit(samples, pixels.labels[chosen])
        weights, biases = model.coef_, model.intercept_
        if len(pixels.classes) == 2:  # one row, of the second class against the first
            weights, biases = np.vstack([-weights / 2, weights / 2]), np.r_[-biases, biases] / 2
        logits = features.weighted_sums(weights.astype(np.float32))
    logits += biases[:, None, None].astype(np.float32)
    logits /= np.float32(settings.temperature)
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)
    return ProbabilityMap(logits, pixels.classes, pixels.n_classes)
