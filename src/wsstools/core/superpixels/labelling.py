"""The labels that ScribbleSup trains on: strokes spread over superpixels, with a network's help."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.maps import ProbabilityMap
from wsstools.core.pools import LEAST_PROB
from wsstools.core.superpixels.expansion import expanded
from wsstools.core.superpixels.segments import Segments, segments
from wsstools.core.superpixels.settings import SuperpixelSettings


def superpixel_labels(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    probability_map: ProbabilityMap | None = None,
    *,
    settings: SuperpixelSettings = SuperpixelSettings(),
) -> NDArray[np.uint8]:
    """Labels (H, W) of an image (H, W, 3) from its scribbles (H, W), whole superpixels each.

    The energy of the labels is the sum of

    - nothing where a superpixel has its strokes' class, that of most of their pixels; no other
      class is allowed there;
    - otherwise the sum of -log p over its pixels, of a map's probabilities p, where there is one;
      only classes that are scribbled in the image are allowed;
    - the likeness of each two superpixels that touch and have two labels, with a map times
      `settings.pairwise`.

    ValueError if nothing is scribbled.

    References
    ----------
    Lin et al., ScribbleSup, CVPR 2016.
    """
    is_known = scribbles != IGNORE_LABEL
    classes = np.unique(scribbles[is_known])
    if not len(classes):
        raise ValueError("no pixel is scribbled")
    parts = segments(image, settings)
    costs, weight = np.zeros((parts.n, len(classes))), 1.0
    if probability_map is not None:
        weight = settings.pairwise
        for k, c in enumerate(classes):
            probs = np.maximum(probability_map.of_class(int(c)).astype(np.float64), LEAST_PROB)
            costs[:, k] = -parts.sums(np.log(probs))
    _fix(costs, parts, scribbles, classes)
    found = expanded(costs, parts.pairs, weight * parts.likeness)
    return classes[found][parts.of_pixel]


def _fix(
    costs: NDArray[np.float64],
    parts: Segments,
    scribbles: NDArray[np.uint8],
    classes: NDArray[np.uint8],
) -> None:
    """Allow superpixels with strokes their class alone."""
    strokes = np.stack([parts.sums((scribbles == c).astype(np.float64)) for c in classes], axis=1)
    has = strokes.any(axis=1)
    costs[has] = np.inf
    costs[has, strokes[has].argmax(axis=1)] = 0.0
