"""What scribbles alone say of labels: an estimate of their mean IoU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.bootstrap import (
    MIN_IMAGES,
    Interval,
    cluster_sums,
    percentile_interval,
    resampled_mean_ious,
    resampled_means,
)
from wsstools.core.evaluation.metrics import (
    IN_GT,
    N_VALUES,
    class_counts,
    hits_and_unions,
    mean_iou,
    pixel_accuracy,
)
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.drawn import nearest_drawn


class StrokeCounts(NamedTuple):
    """What scribbles say of the labels of one image.

    `around` and `on_strokes` are pixels as `class_counts` has them, (3, 256): of the whole image,
    each counted as the scribbled pixel nearest to it, and of the scribbled ones by themselves.
    `right` and `total` are sums over the scribbled pixels, those of their class and all, of the
    root of the number of pixels that have them as the nearest.
    """

    around: NDArray[np.int64]
    on_strokes: NDArray[np.int64]
    right: float
    total: float


@dataclass(frozen=True)
class StrokeEstimate:
    """Estimates for a set of labels, fractions; an interval is None where it was not asked for.

    `rank_score` says which of two sets is better, `iou` holds the classes that strokes or labels
    have, `on_strokes` the share of the scribbled pixels that carry their class.
    """

    mean_iou: float
    interval: Interval | None
    rank_score: float
    rank_interval: Interval | None
    pixel_accuracy: float
    on_strokes: float
    iou: dict[int, float]
    pixels: dict[int, int]  # scribbled, of each class
    n_images: int


def stroke_counts(labels: NDArray[np.uint8], scribbles: NDArray[np.uint8]) -> StrokeCounts:
    """What is counted of one image, (H, W) both; zeros without a scribble.

    Notes
    -----
    People draw where it is easy, and small objects get much of the strokes: their pixels are not
    the image's. A scribbled pixel that represents what is around it counts for as many pixels as
    have it as the nearest, which weights it by about the inverse of the density of strokes. The
    root of that is between it and each pixel's counting alike; it orders settings best.
    """
    if labels.shape != scribbles.shape:
        raise ValueError(f"labels have shape {labels.shape}, scribbles {scribbles.shape} (H, W)")
    is_drawn = scribbles != IGNORE_LABEL
    if not is_drawn.any():
        nothing = np.zeros((3, N_VALUES), np.int64)
        return StrokeCounts(nothing, nothing, 0.0, 0.0)
    nearest = nearest_drawn(is_drawn)
    flat = np.ravel_multi_index(nearest, scribbles.shape).ravel()
    weights = np.sqrt(np.bincount(flat, minlength=scribbles.size).reshape(scribbles.shape))
    is_right = is_drawn & (labels == scribbles)
    return StrokeCounts(
        class_counts(labels[nearest], scribbles[nearest]),
        class_counts(labels, scribbles),
        float(weights[is_right].sum()),
        float(weights[is_drawn].sum()),
    )


def stroke_estimate(
    images: Sequence[StrokeCounts],
    *,
    rng: np.random.Generator,
    n_resamples: int = 0,
    clusters: NDArray[np.int64] | None = None,
) -> StrokeEstimate:
    """The estimate from what was counted in N images.

    With `n_resamples`, 95 % intervals over images, or over clusters (N,) of them. ValueError if
    nothing is scribbled.
    """
    around, on_strokes = (
        np.stack([getattr(image, name) for image in images])[..., :IGNORE_LABEL]
        for name in ("around", "on_strokes")
    )
    of_strokes = on_strokes.sum(axis=0)
    if not of_strokes.any():
        raise ValueError("no pixel is scribbled")
    weights = np.array([(image.right, image.total) for image in images])  # (N, 2)
    hits, unions = hits_and_unions(around.sum(axis=0))
    present = np.flatnonzero(unions)
    interval, rank_interval = _intervals(around, weights, rng, n_resamples, clusters)
    right, total = weights.sum(axis=0)
    return StrokeEstimate(
        mean_iou=float(mean_iou(hits, unions)),
        interval=interval,
        rank_score=float(right / total),
        rank_interval=rank_interval,
        pixel_accuracy=float(pixel_accuracy(around.sum(axis=0))),
        on_strokes=float(pixel_accuracy(of_strokes)),
        iou={int(c): float(hits[c] / unions[c]) for c in present},
        pixels={int(c): int(of_strokes[IN_GT, c]) for c in present},
        n_images=len(images),
    )


def _intervals(
    around: NDArray[np.int64],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
    n_resamples: int,
    clusters: NDArray[np.int64] | None,
) -> tuple[Interval | None, Interval | None]:
    """Those of the mean IoU and of the rank score; None if there is but one image or cluster."""
    counts, weights = around[None], weights[None]
    if clusters is not None:
        counts, weights = cluster_sums(counts, clusters), cluster_sums(weights, clusters)
    if not n_resamples or counts.shape[1] < MIN_IMAGES:
        return None, None
    mious = resampled_mean_ious(*hits_and_unions(counts), rng, n_resamples)[0]
    right, total = resampled_means(weights[0].T, rng.spawn(1)[0], n_resamples)
    with np.errstate(invalid="ignore"):
        shares = right / total
    return percentile_interval(mious), percentile_interval(shares[np.isfinite(shares)])
