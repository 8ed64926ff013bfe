"""Predictions of strokes by models that did not learn from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.scribbled import ScribbledPixels
from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.drawn import drawn_strokes, nearest_drawn
from wsstools.errors import SkippedImage


def stroke_folds(pixels: ScribbledPixels, n_folds: int) -> NDArray[np.int64]:
    """(n,) fold of each scribbled pixel, 0..n_folds-1: strokes are whole, long ones are cut.

    A stroke with more than an n_folds-th of its class's pixels is cut across into equal parts, so
    that no fold holds a class alone that has two pixels or more. The largest parts first, each
    goes to the fold with the fewest pixels of its class.
    """
    numbers = drawn_strokes(pixels.scribbles()).numbers[pixels.rows, pixels.columns]
    folds = np.empty(len(numbers), np.int64)
    all_sizes = np.zeros(n_folds, np.int64)
    for k in range(len(pixels.classes)):
        here = np.flatnonzero(pixels.labels == k)
        most = -(-len(here) // n_folds)
        parts = [
            part
            for stroke in np.unique(numbers[here])
            for part in _cut(pixels, here[numbers[here] == stroke], most)
        ]
        sizes = np.zeros(n_folds, np.int64)
        for part in sorted(parts, key=len, reverse=True):
            fold = np.lexsort([all_sizes, sizes])[0]
            folds[part] = fold
            sizes[fold] += len(part)
            all_sizes[fold] += len(part)
    return folds


def held_out(
    pixels: ScribbledPixels,
    n_folds: int | None,
    predict: Callable[[ScribbledPixels], ProbabilityMap],
) -> ProbabilityMap:
    """The map whose pixels are each predicted without the strokes nearest to it.

    The strokes are divided into folds. `predict` gives the map of a model that has learned from
    some of them; a pixel takes the probabilities of the one that has not seen the fold which the
    nearest scribbled pixel is in. So what a regularizer sees around a stroke does not know it
    either. Without folds (None) it is the map of the model that has learned from all.

    SkippedImage if there is but one scribbled pixel.
    """
    if n_folds is None:
        return predict(pixels)
    if len(pixels.rows) < 2:
        raise SkippedImage("a single scribbled pixel in it, none to learn from")
    folds = stroke_folds(pixels, n_folds)
    of_pixel = np.full(pixels.shape, -1)
    of_pixel[pixels.rows, pixels.columns] = folds
    of_pixel = of_pixel[nearest_drawn(of_pixel >= 0)]
    probs = np.zeros((len(pixels.classes), *pixels.shape), np.float32)
    for fold in np.unique(folds):
        found = predict(pixels.only(folds != fold))
        here = of_pixel == fold
        for row, class_id in enumerate(found.classes):
            probs[np.searchsorted(pixels.classes, class_id), here] = found.probs[row, here]
    return ProbabilityMap(probs, pixels.classes, pixels.n_classes, found.info)


def _cut(pixels: ScribbledPixels, stroke: NDArray[np.int64], most: int) -> list[NDArray[np.int64]]:
    """The pixels of a stroke in parts of at most so many, one after the other along it."""
    places = np.stack([pixels.rows[stroke], pixels.columns[stroke]]).astype(np.float64)
    places -= places.mean(axis=1, keepdims=True)
    (yy, xy), (_, xx) = places @ places.T
    angle = np.arctan2(2 * xy, xx - yy) / 2  # of the direction that it stretches most in
    along = places[1] * np.cos(angle) + places[0] * np.sin(angle)
    order = stroke[np.argsort(along, kind="stable")]
    n_parts = -(-len(stroke) // most)
    return np.array_split(order, n_parts)
