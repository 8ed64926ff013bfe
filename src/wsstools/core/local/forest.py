"""The local annotator model: a random forest trained on one image's own scribbles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.bands import predicted_in_bands
from wsstools.core.local.calibration import best_temperature, tempered
from wsstools.core.local.filter_bank import FilterBank
from wsstools.core.local.growing import BinnedSamples, binned, grow, grow_with_scikit_learn
from wsstools.core.local.responses import Responses
from wsstools.core.local.scribbled import ScribbledPixels, scribbled_pixels, stroke_folds
from wsstools.core.maps import ProbabilityMap

ENGINES = {"compiled": grow, "sklearn": grow_with_scikit_learn}
"""What grows the trees; all of them are walked by the same compiled code."""
_N_FOLDS = 4


@dataclass(frozen=True)
class ForestSettings:
    """How a local forest is trained.

    Attributes
    ----------
    n_trees : int
        Trees of each forest; more is smoother and slower.
    n_features : int
        Responses that are kept, at most; with as many as the bank has, there is no ranking.
    engine : str
        A key of ENGINES.
    is_out_of_bag : bool
        A scribbled pixel takes its probabilities from the trees that did not see it.
    is_calibrated : bool
        The probabilities are tempered as strokes that were held out ask for.
    """

    n_trees: int = 50
    n_features: int = 100
    engine: str = "compiled"
    is_out_of_bag: bool = False
    is_calibrated: bool = False


def predict_from_scribbles(
    image: NDArray,
    scribbles: NDArray[np.uint8],
    *,
    bank: FilterBank,
    n_classes: int,
    settings: ForestSettings = ForestSettings(),
    rng: np.random.Generator,
) -> tuple[ProbabilityMap, dict[str, float]]:
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
    dict
        Numbers for the record: `temperature` if calibrated.

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
        return ProbabilityMap(probs, pixels.classes, n_classes), {}
    train = ENGINES[settings.engine]
    rngs = rng.spawn(3)
    responses = Responses(image, bank)
    samples = binned(
        responses.at(pixels.rows, pixels.columns).T, pixels.labels, len(pixels.classes)
    )
    if settings.n_features < len(bank):
        importances = train(samples, n_trees=settings.n_trees, rng=rngs[0]).importances
        order = np.argsort(-importances, kind="stable")
        chosen = np.sort(order[: settings.n_features])
        responses, samples = responses.subset(chosen), samples.subset(chosen)
    growth = train(samples, n_trees=settings.n_trees, rng=rngs[1])
    forest, used = growth.forest.on_used_features()  # the others need not be computed
    probs = predicted_in_bands(forest.predict, responses.subset(used), len(pixels.classes))
    if settings.is_out_of_bag:
        probs[:, pixels.rows, pixels.columns] = growth.out_of_bag(samples)
    numbers = {}
    if settings.is_calibrated:
        numbers["temperature"] = _temperature(samples, pixels, settings, rngs[2])
        for row in range(len(image)):  # row by row: the powers take memory
            probs[:, row] = tempered(probs[:, row], numbers["temperature"], _floor(settings))
    return ProbabilityMap(probs, pixels.classes, n_classes), numbers


def _temperature(
    samples: BinnedSamples,
    pixels: ScribbledPixels,
    settings: ForestSettings,
    rng: np.random.Generator,
) -> float:
    """The temperature that predictions of held-out strokes ask for; 1 where none can be."""
    held_out = np.empty((len(pixels.classes), len(pixels.labels)), np.float32)
    folds = stroke_folds(pixels, _N_FOLDS)
    if folds.max() == 0:
        return 1.0
    for fold, fold_rng in enumerate(rng.spawn(_N_FOLDS)):
        kept, left_out = samples.split(folds == fold)
        growth = ENGINES[settings.engine](kept, n_trees=settings.n_trees, rng=fold_rng)
        held_out[:, folds == fold] = growth.forest.predict(left_out.values)
    return best_temperature(held_out, pixels.labels, _floor(settings))


def _floor(settings: ForestSettings) -> float:
    """The probability of a class that no tree voted for: half a tree's."""
    return 0.5 / settings.n_trees
