"""The local annotator model: a random forest trained on one image's own scribbles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.local.bands import predicted_in_bands
from wsstools.core.local.features import Features
from wsstools.core.local.filter_bank import FilterBank, extended, reductions
from wsstools.core.local.gabor import gabor_bank
from wsstools.core.local.growing import binned, grow, grow_with_scikit_learn
from wsstools.core.local.responses import Responses
from wsstools.core.local.scribbled import ScribbledPixels, scribbled_pixels
from wsstools.core.local.settings import ForestSettings
from wsstools.core.maps import ProbabilityMap

_GROWERS = {"compiled": grow, "sklearn": grow_with_scikit_learn}


def random_forest(
    image: AnyArray,
    scribbles: NDArray[np.uint8],
    *,
    n_classes: int | None = None,
    bank: FilterBank | None = None,
    position: bool = False,
    scales: Sequence[float] = (1,),
    trees: int = ForestSettings.trees,
    features: int = ForestSettings.features,
    engine: str = ForestSettings.engine,
    rng: np.random.Generator | int = 0,
) -> ProbabilityMap:
    """Class probabilities of all pixels from a random forest on the scribbled ones.

    A first forest ranks the responses by Gini importance, a second one is trained on the best.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32
        RGB in 0..255.
    scribbles : (H, W) uint8
        Class ids; 255 = unlabelled.
    n_classes : int or None
        Number of classes of the label space; None: the largest class scribbled is the last one.
    bank : FilterBank or None
        The filters whose responses are the features; None: the built-in Gabor filters.
    position : bool
        Row and column of a pixel are features too.
    scales : sequence of float
        The filters act on the image at each of these sizes: 1, and 1 divided by whole numbers.
    trees : int
        Trees of each forest; more is smoother and slower.
    features : int
        Responses that are kept, at most.
    engine : str
        `compiled`, or `sklearn`, the reference.
    rng : numpy.random.Generator or int
        Draws the seeds of the forests; an int is a seed.

    Returns
    -------
    ProbabilityMap
        Over the classes scribbled in this image only. With a single one, its probability is 1.

    Raises
    ------
    SkippedImage
        If nothing is scribbled.
    ValueError
        If the sizes differ, a scribble has a class outside 0..n_classes-1, or the engine is
        unknown.

    References
    ----------
    L. Breiman, Random Forests, Machine Learning 45(1), 2001. C. Mayer, R. Timofte, G. Paul,
    arXiv:1808.01625 (local annotator model: 160 first-layer features, the best 100, 50 trees).

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 50, (32, 32, 3), np.uint8)
    >>> image[:, 16:] += 150
    >>> scribbles = np.full((32, 32), 255, np.uint8)
    >>> scribbles[2:30, 6], scribbles[2:30, 26] = 0, 1
    >>> random_forest(image, scribbles).dense().argmax(axis=0)[16, ::6].tolist()
    [0, 0, 0, 1, 1, 1]
    """
    if engine not in _GROWERS:
        raise ValueError(f"engine is {engine!r}, expected {' or '.join(_GROWERS)}")
    pixels = scribbled_pixels(image, scribbles, n_classes)
    bank = gabor_bank() if bank is None else bank
    if position or tuple(scales) != (1,):
        bank = extended(bank, scales=reductions(scales), position=position)
    settings = ForestSettings(trees, features, engine)
    return forest_on(Responses(image, bank), pixels, settings=settings, rng=rng)


def forest_on(
    features: Features,
    pixels: ScribbledPixels,
    *,
    settings: ForestSettings = ForestSettings(),
    rng: np.random.Generator | int = 0,
) -> ProbabilityMap:
    """`random_forest` on features of any kind; the classes are those of the scribbled pixels."""
    if len(pixels.classes) == 1:
        return pixels.certain()
    train = _GROWERS[settings.engine]
    ranking_rng, rng = np.random.default_rng(rng).spawn(2)
    samples = binned(features.at(pixels.rows, pixels.columns).T, pixels.labels, len(pixels.classes))
    if settings.features < features.n_features:
        importances = train(samples, n_trees=settings.trees, rng=ranking_rng).importances
        order = np.argsort(-importances, kind="stable")
        chosen = np.sort(order[: settings.features])
        features, samples = features.subset(chosen), samples.subset(chosen)
    growth = train(samples, n_trees=settings.trees, rng=rng)
    forest, used = growth.forest.on_used_features()  # the others need not be computed
    probs = predicted_in_bands(forest.predict, features.subset(used), len(pixels.classes))
    return ProbabilityMap(probs, pixels.classes, pixels.n_classes)
