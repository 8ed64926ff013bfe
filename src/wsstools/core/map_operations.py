"""Operations on probability maps: fusion, class shares, fewer classes, labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.maps import ProbabilityMap, common_classes
from wsstools.core.stored_maps import StoredMap, bands, by_rows

LEAST_SHARE = 1e-6
"""Added to every share, so that a class that labels lack becomes rare and not impossible."""
_TINY = 1e-30


def fuse_maps(maps: Sequence[ProbabilityMap], weights: Sequence[float]) -> ProbabilityMap:
    """Weighted mean of the maps of one image, over the union of their classes; see `core.api.fuse`.

    A class that a map does not hold has probability 0 in it. Only the ratios of the weights count.
    """
    if not maps:
        raise ValueError("there are no maps to fuse")
    if len(weights) != len(maps):
        raise ValueError(f"{len(weights)} weights for {len(maps)} maps")
    if not all(np.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError(f"weights are {list(weights)}, expected positive numbers")
    first, classes = maps[0], common_classes(maps)
    probs = np.zeros((len(classes), *first.shape), np.float32)
    if not np.isfinite(sum(weights)):
        weights = [weight / max(weights) for weight in weights]
    total = float(sum(weights))
    for entry, weight in zip(maps, weights, strict=True):
        rows = np.searchsorted(classes, entry.classes)
        probs[rows] += np.float32(weight / total) * entry.probs
    return ProbabilityMap(probs, classes, first.n_classes)


def class_shares(pixels: AnyArray) -> NDArray[np.float64]:
    """Shares of the classes, (C,), from their pixels, (C,); ValueError where there are none."""
    total = pixels.sum()
    if not total:
        raise ValueError("no pixel carries a class")
    shares: NDArray[np.float64] = pixels / total + LEAST_SHARE
    shares /= shares.sum()
    return shares


def weighted_shares(
    shares: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shares, (C,), that classes have for a model which counted their pixels with weights, (C,).

    A class of weight 0, which had no pixels, has the largest weight: that of the rarest one.

    Notes
    -----
    A network that minimizes the cross entropy weighted by w_c gives P_c w_c / sum_k P_k w_k, where
    P_c is what it gives without weights: it has learned from shares s_c w_c, not s_c. Dividing w_c
    out again is `adjust_prior` from the former to the latter.

    References
    ----------
    A. K. Menon et al.: Long-tail Learning via Logit Adjustment, ICLR 2021, section 4.
    """
    if weights.shape != shares.shape:
        raise ValueError(f"there are {len(weights)} class weights, {len(shares)} shares")
    weighted = shares * np.where(weights > 0, weights, weights.max())
    scaled: NDArray[np.float64] = weighted / weighted.sum()
    return scaled


def adjust_prior(
    probability_map: ProbabilityMap,
    learned: NDArray[np.float64],
    wanted: NDArray[np.float64],
    power: float = 1.0,
) -> ProbabilityMap:
    """The map that a model would give if the classes had other shares of the pixels.

    It is P_c (wanted_c / learned_c)^power, brought back to sum 1. `learned` and `wanted` are the
    shares, (C,) and positive, among the pixels that the model learned from, and among those that it
    is asked about. `power` is how much of the change is made: 0 none, 1 all of it.

    References
    ----------
    M. Saerens, P. Latinne, C. Decaestecker: Adjusting the Outputs of a Classifier to New a Priori
    Probabilities: A Simple Procedure, Neural Computation 14, 2002, equation 2.4.
    """
    for shares in (learned, wanted):
        if shares.shape != (probability_map.n_classes,):
            raise ValueError(
                f"there are shares of {len(shares)} classes, the map has "
                f"{probability_map.n_classes}"
            )
        if not (shares > 0).all():
            raise ValueError("the share of a class is not positive")
    factors = (wanted / learned)[probability_map.classes] ** power
    # A largest factor of 1 keeps every product in range.
    factors = (factors / factors.max()).astype(np.float32)
    probs = probability_map.probs * factors[:, None, None]
    total = probs.sum(axis=0)
    lost = total <= 0
    probs /= np.where(lost, np.float32(1), total)
    probs[:, lost] = probability_map.probs[:, lost]
    return ProbabilityMap(probs, probability_map.classes, probability_map.n_classes)


def restricted(probability_map: ProbabilityMap, classes: Iterable[int]) -> ProbabilityMap:
    """The map with probability 0 for all but these classes, and the rest brought back to sum 1.

    Where all of them together have a probability below 1e-30, they share it evenly. ValueError if
    the map can hold none of them.
    """
    keep = np.isin(probability_map.classes, list(classes))
    if not keep.any():
        raise ValueError(
            f"the map holds the classes {probability_map.classes.tolist()}, none of those to keep"
        )
    probs = probability_map.probs[keep]
    total = probs.sum(axis=0)
    evenly = np.float32(1 / len(probs))
    kept = np.where(total > _TINY, probs / np.maximum(total, np.float32(_TINY)), evenly)
    return ProbabilityMap(
        kept.astype(np.float32), probability_map.classes[keep], probability_map.n_classes
    )


def without_improbable(probability_map: ProbabilityMap, floor: float) -> ProbabilityMap:
    """The map without the classes that are nowhere as probable as `floor`, in [0, 1).

    A class that is the most probable one of a pixel stays in any case, so that no label changes.

    Notes
    -----
    With k classes left out, the mass e that they held at a pixel is below k floor. A class that
    stays goes from p to p / (1 - e), which is p e / (1 - e) more; that is at most e, for p is at
    most 1 - e. So no probability changes by more than k floor.
    """
    probs = probability_map.probs
    keep = probs.max(axis=(1, 2)) >= floor
    if floor * len(probs) > 0.5:  # else the most probable class of a pixel is above the floor
        keep[np.unique(probs.argmax(axis=0))] = True
    if keep.all():
        return probability_map
    return restricted(probability_map, probability_map.classes[keep])


def stored_without_improbable(stored: StoredMap, floor: float) -> StoredMap:
    """`without_improbable` of a map as its file holds it."""
    keep = np.array([plane.max() for plane in stored.values]) >= floor
    if floor * len(keep) > 0.5:
        for rows in bands(stored.shape):
            keep[np.unique(stored.window(rows).probs.argmax(axis=0))] = True
    if keep.all():
        return stored
    return by_rows(lambda maps: restricted(maps[0], stored.classes[keep]), [stored])


def argmax_labels(
    probability_map: ProbabilityMap,
    scribbles: NDArray[np.uint8] | None = None,
    *,
    min_prob: float = 0.0,
) -> NDArray[np.uint8]:
    """The class of largest probability at each pixel, (H, W) uint8; the lowest id among equals.

    Pixels whose largest probability is below `min_prob` get 255. Those that `scribbles`, (H, W),
    give a class have that class. ValueError if it is none of the map's, or the sizes differ.
    """
    if probability_map.classes[-1] >= IGNORE_LABEL:
        raise ValueError(
            f"class id {probability_map.classes[-1]} does not fit in 8-bit labels "
            f"(ids below {IGNORE_LABEL})"
        )
    probs = probability_map.probs
    ids = probability_map.classes.astype(np.uint8)
    labels: NDArray[np.uint8] = ids[probs.argmax(axis=0)]
    if min_prob > 0:
        labels[probs.max(axis=0) < min_prob] = IGNORE_LABEL
    if scribbles is not None:
        if scribbles.shape != labels.shape:
            raise ValueError(
                f"scribbles have shape {scribbles.shape}, the map {labels.shape} (H, W)"
            )
        strokes = scribbles[scribbles != IGNORE_LABEL]
        if strokes.max(initial=0) >= probability_map.n_classes:
            raise ValueError(
                f"scribbles hold class {strokes.max()}, the map is of "
                f"{probability_map.n_classes} classes"
            )
        labels[scribbles != IGNORE_LABEL] = strokes
    return labels


def stored_labels(
    stored: StoredMap, scribbles: NDArray[np.uint8] | None = None, *, min_prob: float = 0.0
) -> NDArray[np.uint8]:
    """`argmax_labels` of a map as its file holds it."""
    labels = np.empty(stored.shape, np.uint8)
    if scribbles is not None and scribbles.shape != labels.shape:
        raise ValueError(f"scribbles have shape {scribbles.shape}, the map {labels.shape} (H, W)")
    for rows in bands(stored.shape):
        strokes = None if scribbles is None else scribbles[rows]
        labels[rows] = argmax_labels(stored.window(rows), strokes, min_prob=min_prob)
    return labels
