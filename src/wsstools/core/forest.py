"""The local annotator model: a random forest trained on one image's own scribbles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsstools.core.bank import FilterBank, Responses
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import SkippedImage

_PIXELS_AT_ONCE = 32768


def predict_from_scribbles(
    image: NDArray,
    scribbles: NDArray[np.uint8],
    *,
    bank: FilterBank,
    n_classes: int,
    n_trees: int = 50,
    n_features: int = 100,
    rng: np.random.Generator,
) -> ProbabilityMap:
    """Class probabilities of all pixels from a random forest on the scribbled ones.

    A first forest ranks the filters by Gini importance, a second one is trained on the best.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32
        RGB in 0..255.
    scribbles : (H, W) uint8
        Class ids; 255 = unlabelled.
    bank : FilterBank
        The filters whose responses are the features.
    n_classes : int
        Number of classes of the label space.
    n_trees : int
        Trees of each forest; more is smoother and slower.
    n_features : int
        Filters that are kept, at most; with as many as the bank has, there is no first forest.
    rng : numpy.random.Generator
        Draws the seeds of the forests.

    Returns
    -------
    ProbabilityMap
        Over the classes scribbled in this image only. With a single one, its probability is 1.

    Raises
    ------
    SkippedImage
        If nothing is scribbled.
    ValueError
        If the sizes differ or a scribble has a class outside 0..n_classes-1.

    References
    ----------
    L. Breiman, Random Forests, Machine Learning 45(1), 2001. C. Mayer, R. Timofte, G. Paul,
    arXiv:1808.01625 (local annotator model: 160 first-layer features, the best 100, 50 trees).
    """
    if image.shape[:2] != scribbles.shape:
        raise ValueError(f"image has shape {image.shape[:2]}, scribbles {scribbles.shape} (H, W)")
    rows, columns = np.nonzero(scribbles != IGNORE_LABEL)
    if not len(rows):
        raise SkippedImage("no scribble in it")
    labels = scribbles[rows, columns]
    classes = np.unique(labels).astype(np.int64)
    if classes[-1] >= n_classes:
        raise ValueError(
            f"scribbles hold class {classes[-1]}, expected 0..{n_classes - 1} or 255 (unlabelled)"
        )
    if len(classes) == 1:
        return ProbabilityMap(np.ones((1, *scribbles.shape), np.float32), classes, n_classes)
    seeds = rng.integers(2**31, size=2)
    if n_features < len(bank):
        ranking = _fitted(Responses(image, bank).at(rows, columns), labels, n_trees, seeds[0])
        order = np.argsort(-ranking.feature_importances_, kind="stable")
        bank = bank.subset(np.sort(order[:n_features]))
    responses = Responses(image, bank)
    forest = _fitted(responses.at(rows, columns), labels, n_trees, seeds[1])
    return ProbabilityMap(_predicted(forest, responses), classes, n_classes)


def _fitted(features: NDArray[np.float32], labels: NDArray, n_trees: int, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_trees, criterion="gini", random_state=int(seed), n_jobs=1)
    return forest.fit(features, labels)


def _predicted(forest: Any, responses: Responses) -> NDArray[np.float32]:
    """(K, H, W) probabilities, a band of rows at a time so that memory stays bounded."""
    height, width = responses.height, responses.width
    probs = np.empty((forest.n_classes_, height, width), np.float32)
    n_rows = max(1, _PIXELS_AT_ONCE // width)
    for first in range(0, height, n_rows):
        last = min(first + n_rows, height)
        features = responses.of_rows(first, last).reshape(responses.n_filters, -1)
        found = forest.predict_proba(np.ascontiguousarray(features.T))
        probs[:, first:last] = found.T.reshape(-1, last - first, width)
    return probs
