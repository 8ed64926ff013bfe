"""How far scores would move on other images of the same kind: the bootstrap over images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.metrics import mean_iou

LEVEL = 0.95
_Number = TypeVar("_Number", np.int64, np.float64)
MIN_IMAGES = 2
"""A single image has no spread."""
_AT_ONCE = 500
"""Resamples that are drawn and scored at once; bounds the memory."""


class Interval(NamedTuple):
    """The ends of an interval; infinite where nothing bounds it."""

    low: float
    high: float


def resampled_mean_ious(
    hits: NDArray[np.int64], unions: NDArray[np.int64], rng: np.random.Generator, n_resamples: int
) -> NDArray[np.float64]:
    """Mean IoUs of label sets on the same resamples of their images, (S, B).

    `hits` and `unions` (S, N, C) are the pixels in the intersection and in the union of labels and
    ground truth, for each of S sets of labels, N images and C classes. All sets are seen on the
    same resamples, so that differences between them are paired. ValueError if the shapes differ, or
    there are fewer than two images.

    Notes
    -----
    N images are drawn with replacement. The mean IoU of a resample comes from its summed pixels,
    as that of the whole set does: mean_c sum_n hits_nc / sum_n unions_nc, over the classes that
    the resample holds.

    References
    ----------
    B. Efron, R. Tibshirani: An Introduction to the Bootstrap, 1993, chapters 6 and 13.
    """
    if hits.ndim != 3 or hits.shape != unions.shape or hits.shape[1] < MIN_IMAGES:
        raise ValueError(
            f"hits have shape {hits.shape} and unions {unions.shape}, expected both (S, N, C) "
            f"with N at least {MIN_IMAGES}"
        )
    # Products of floats are much faster, and exact: no sum of pixels comes near 2**53.
    parts = [hits.astype(np.float64), unions.astype(np.float64)]
    found = [
        mean_iou(*(draws @ part for part in parts))  # (S, b)
        for draws in _draws(hits.shape[1], rng, n_resamples)
    ]
    return np.concatenate(found, axis=1)


def cluster_sums(counts: NDArray[_Number], clusters: NDArray[np.int64]) -> NDArray[_Number]:
    """Sums over the images of each cluster, (S, K, ...), of counts or values (S, N, ...).

    `clusters` (N,) has the number of each image's cluster; the sums are in their order. Resamples
    of the sums draw whole clusters, since images that are alike (of a patient, of a sequence) must
    be drawn together.
    """
    order = np.argsort(clusters, kind="stable")
    _, starts = np.unique(clusters[order], return_index=True)
    return np.add.reduceat(counts[:, order], starts, axis=1)


def resampled_means(
    values: NDArray[np.float64],
    rng: np.random.Generator,
    n_resamples: int,
    clusters: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Means of numbers of the N images, (M, N), on the same resamples of them, (M, B).

    With `clusters` (N,), see `cluster_sums`, whole clusters are drawn, and means are over the
    images in them.
    """
    sizes = np.ones((1, values.shape[1]))
    if clusters is not None:
        values, sizes = cluster_sums(values, clusters), cluster_sums(sizes, clusters)
    found = [
        values @ draws.T / (sizes @ draws.T) for draws in _draws(sizes.shape[1], rng, n_resamples)
    ]
    return np.concatenate(found, axis=1)


def resampled_reductions(
    full: NDArray[np.float64], baseline: NDArray[np.float64], strategy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gap reductions on resamples, (B,), from the mean IoUs on the same resamples.

    Where a resample has no gap, the reduction is infinite: above all bounds if the strategy is
    better than the baseline there, below them if it is worse. An interval that reaches so far has
    no bound on that side.
    """
    full_gap, closed = full - baseline, strategy - baseline
    has_gap = full_gap > 0
    without = np.where(closed == 0, 0.0, np.copysign(np.inf, closed))
    return np.where(has_gap, closed / np.where(has_gap, full_gap, 1), without)


def percentile_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """The middle part of resampled values that holds this share of them."""
    tails = ((1 - level) / 2, (1 + level) / 2)
    # Without interpolation, since values may be infinite.
    low, high = np.quantile(values, tails, method="closest_observation")
    return Interval(float(low), float(high))


def _draws(
    n_images: int, rng: np.random.Generator, n_resamples: int
) -> Iterator[NDArray[np.float64]]:
    """How often each image is in each resample, (b, N), some at a time."""
    share = np.full(n_images, 1 / n_images)
    for first in range(0, n_resamples, _AT_ONCE):
        size = min(_AT_ONCE, n_resamples - first)
        yield rng.multinomial(n_images, share, size).astype(np.float64)
