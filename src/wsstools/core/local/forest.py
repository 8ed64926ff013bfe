"""The local annotator model: a random forest trained on one image's own scribbles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.bands import predicted_in_bands
from wsstools.core.local.filter_bank import FilterBank
from wsstools.core.local.growing import binned, grow, grow_with_scikit_learn
from wsstools.core.local.responses import Responses
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.local.settings import ForestSettings
from wsstools.core.maps import ProbabilityMap

_GROWERS = {"compiled": grow, "sklearn": grow_with_scikit_learn}


def random_forest(
    image: NDArray,
    scribbles: NDArray[np.uint8],
    *,
    bank: FilterBank,
    n_classes: int,
    settings: ForestSettings = ForestSettings(),
    rng: np.random.Generator,
) -> ProbabilityMap:
    """Class probabilities of all pixels from a random forest on the scribbled ones.

    A first forest ranks the responses by Gini importance, a second one is trained on the best.

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
    settings : ForestSettings
        How the forest is trained.
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
    pixels = scribbled_pixels(image, scribbles, n_classes)
    if len(pixels.classes) == 1:
        probs = np.ones((1, *pixels.shape), np.float32)
        return ProbabilityMap(probs, pixels.classes, n_classes)
    train = _GROWERS[settings.engine]
    ranking_rng, rng = rng.spawn(2)
    responses = Responses(image, bank)
    samples = binned(
        responses.at(pixels.rows, pixels.columns).T, pixels.labels, len(pixels.classes)
    )
    if settings.features < len(bank):
        importances = train(samples, n_trees=settings.trees, rng=ranking_rng).importances
        order = np.argsort(-importances, kind="stable")
        chosen = np.sort(order[: settings.features])
        responses, samples = responses.subset(chosen), samples.subset(chosen)
    growth = train(samples, n_trees=settings.trees, rng=rng)
    forest, used = growth.forest.on_used_features()  # the others need not be computed
    probs = predicted_in_bands(forest.predict, responses.subset(used), len(pixels.classes))
    return ProbabilityMap(probs, pixels.classes, n_classes)
