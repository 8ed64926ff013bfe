"""Strokes whose class does not fit what maps and the strokes of other images say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from wsstools.core.arrays import AnyArray
from wsstools.core.local.features import Features
from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.drawn import drawn_strokes

_FOLDS = 5
_MOST_LEARNED_FROM = 20_000
"""Strokes; more are no better, and slow."""
_PENALTY = 10.0
"""Of half the squared weights, against the sum of the losses of the strokes."""
_MOST_ITERATIONS = 500
_LEAST_PROB = 0.01
"""What is added to a probability, so that one judge alone never decides."""


@dataclass(frozen=True)
class StrokeEvidence:
    """One stroke of one image, and what is known of it.

    Attributes
    ----------
    class_id, pixels : int
    x, y : int
        A pixel in its middle.
    probs : (C,) float64
        Mean over its pixels of a map's probabilities of all classes.
    traits : (T,) float64
        What it is compared by with the strokes of other images.
    """

    class_id: int
    pixels: int
    x: int
    y: int
    probs: NDArray[np.float64]
    traits: NDArray[np.float64]


@dataclass(frozen=True)
class JudgedStroke:
    """How a stroke's class fits; `score`, 0..1, is larger for a stroke that fits less.

    `prob` is the probability of its class in the map, `prob_by_others` that by the strokes of
    other images (None: there are none to compare with); `likeliest` is the class that both
    together prefer, with its probabilities.
    """

    evidence: StrokeEvidence
    score: float
    prob: float
    prob_by_others: float | None
    likeliest: int
    likeliest_prob: float
    likeliest_by_others: float | None


def stroke_evidence(
    probability_map: ProbabilityMap,
    scribbles: NDArray[np.uint8],
    image: AnyArray | None = None,
    features: Features | None = None,
) -> list[StrokeEvidence]:
    """Each stroke of one image with what its map says of it, and its traits.

    The traits are place and size as shares of the image; mean and deviation of its colours, also
    against those of the image, where that is given; and the means of `features` where there are
    some. ValueError if the sizes differ or a stroke has a class beyond those of the map.
    """
    sizes = {"map": probability_map.shape}
    if image is not None:
        sizes["image"] = image.shape[:2]
    for what, size in sizes.items():
        if size != scribbles.shape:
            raise ValueError(f"the {what} has shape {size}, the scribbles {scribbles.shape} (H, W)")
    strokes = drawn_strokes(scribbles)
    beyond = strokes.classes[strokes.classes >= probability_map.n_classes]
    if len(beyond):
        raise ValueError(
            f"a stroke has class {beyond[0]}, the map has {probability_map.n_classes} classes"
        )
    look = None if image is None else _Look.of(image)
    found = []
    for class_id, (rows, columns) in zip(strokes.classes, strokes.places(), strict=True):
        probs = np.zeros(probability_map.n_classes)
        own = probability_map.probs[:, rows, columns]
        probs[probability_map.classes] = own.mean(axis=1, dtype=np.float64)
        traits = [_geometry(rows, columns, scribbles.shape)]
        if look is not None:
            traits += look.at(rows, columns)
        if features is not None:
            traits.append(features.at(rows, columns).mean(axis=0, dtype=np.float64))
        middle = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
        found.append(
            StrokeEvidence(
                int(class_id),
                len(rows),
                int(columns[middle]),
                int(rows[middle]),
                probs,
                np.concatenate(traits),
            )
        )
    return found


def judged(images: Sequence[Sequence[StrokeEvidence]]) -> list[list[JudgedStroke]]:
    """How well the class of each stroke of each image fits, in the order of the strokes.

    Notes
    -----
    q is the probability of a stroke's class by logistic regression on the traits of the strokes of
    other images, in folds of images; p is that in its map. The score is 1 - f / (1 + e)**1.5 with
    f = (q + e) sqrt(p + e). With a single image, or where all strokes are of one class, f is p + e
    and the score 1 - f / (1 + e).

    References
    ----------
    C. Northcutt, L. Jiang, I. Chuang, Confident Learning, JAIR 2021: labels are judged by
    predictions that have not seen them.
    """
    flat = [stroke for image in images for stroke in image]
    if not flat:
        return [[] for _ in images]
    of_image = np.repeat(np.arange(len(images)), [len(image) for image in images])
    own = np.array([stroke.class_id for stroke in flat])
    in_maps = np.stack([stroke.probs for stroke in flat])
    by_others = _by_others(np.stack([stroke.traits for stroke in flat]), own, of_image, in_maps)
    fits, best = in_maps + _LEAST_PROB, 1 + _LEAST_PROB
    if by_others is not None:
        fits, best = (by_others + _LEAST_PROB) * np.sqrt(fits), best**1.5
    places = np.arange(len(flat))
    scores = np.clip(1 - fits[places, own] / best, 0, 1)
    likeliest = fits.argmax(axis=1)
    found = iter(
        JudgedStroke(
            stroke,
            float(scores[k]),
            float(in_maps[k, own[k]]),
            None if by_others is None else float(by_others[k, own[k]]),
            int(likeliest[k]),
            float(in_maps[k, likeliest[k]]),
            None if by_others is None else float(by_others[k, likeliest[k]]),
        )
        for k, stroke in enumerate(flat)
    )
    return [list(islice(found, len(image))) for image in images]


def _by_others(
    traits: NDArray[np.float64],
    classes: NDArray[np.int64],
    of_image: NDArray[np.int64],
    in_maps: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """Probabilities of all classes, (S, C), by the strokes of other images; None without such."""
    numbers = np.unique(of_image)
    if len(numbers) < 2 or (classes == classes[0]).all():
        return None
    found = np.zeros_like(in_maps)
    folds = np.searchsorted(numbers, of_image) % min(_FOLDS, len(numbers))
    for fold in np.unique(folds):
        others = np.flatnonzero(folds != fold)
        others = others[:: -(-len(others) // _MOST_LEARNED_FROM)]
        here = folds == fold
        seen = np.unique(classes[others])
        if len(seen) == 1:
            found[here, seen[0]] = 1
            continue
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=1 / _PENALTY, max_iter=_MOST_ITERATIONS)
        )
        with threadpool_limits(1):  # more threads would change the last bits
            model.fit(traits[others], classes[others])
            found[np.ix_(here, seen)] = model.predict_proba(traits[here])
    return found


class _Look(NamedTuple):
    """An image, and mean and spread of its colours, (3,)."""

    image: AnyArray
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, image: AnyArray) -> _Look:
        """That of an image, (H, W, 3)."""
        centre = image.mean(axis=(0, 1), dtype=np.float64)
        return cls(image, centre, image.std(axis=(0, 1), dtype=np.float64) + 1)

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """Mean and deviation of some pixels' colours, and the mean against those of the image."""
        own = self.image[rows, columns].astype(np.float64)
        mean = own.mean(axis=0)
        return [mean, own.std(axis=0), (mean - self.centre) / self.spread]


def _geometry(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Place, logarithm of the number of pixels, and extent of a stroke, (5,)."""
    height, width = shape
    return np.array(
        [
            rows.mean() / height,
            columns.mean() / width,
            np.log(len(rows)),
            np.ptp(rows) / height,
            np.ptp(columns) / width,
        ]
    )
