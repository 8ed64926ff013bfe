"""What scribbles alone say of labels: an estimate of their mean IoU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from wsstools.core.evaluation.bootstrap import (
    MIN_IMAGES,
    Interval,
    cluster_sums,
    percentile_interval,
    resampled_mean_ious,
)
from wsstools.core.evaluation.metrics import (
    N_VALUES,
    class_counts,
    hits_and_unions,
    mean_iou,
    pixel_accuracy,
)
from wsstools.core.labels import IGNORE_LABEL, check_sizes


@dataclass(frozen=True)
class StrokeEstimate:
    """Estimates for a set of labels, fractions; an interval is None where it was not asked for.

    `iou` holds the classes that strokes or labels have, `on_strokes` the share of the scribbled
    pixels that carry their class.
    """

    mean_iou: float
    interval: Interval | None
    pixel_accuracy: float
    on_strokes: float
    iou: dict[int, float]
    pixels: dict[int, int]  # scribbled, of each class
    n_images: int


def stroke_counts(labels: NDArray[np.uint8], scribbles: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of one image as `class_counts` has them, (2, 3, 256); zeros without a scribble.

    First each pixel of the image is counted as the scribbled pixel nearest to it, then the
    scribbled pixels are by themselves.

    Notes
    -----
    People draw where it is easy, and small objects get much of the strokes: their pixels are not
    the image's. A scribbled pixel that stands for what is around it counts for as many pixels as
    have it as the nearest, which weights it by about the inverse of the density of strokes.
    """
    check_sizes(labels, scribbles)
    if not (scribbles != IGNORE_LABEL).any():
        return np.zeros((2, 3, N_VALUES), np.int64)
    nearest = tuple(
        distance_transform_edt(
            scribbles == IGNORE_LABEL, return_distances=False, return_indices=True
        )
    )
    return np.stack(
        [class_counts(labels[nearest], scribbles[nearest]), class_counts(labels, scribbles)]
    )


def stroke_estimate(
    counts: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    n_resamples: int = 0,
    clusters: NDArray[np.int64] | None = None,
) -> StrokeEstimate:
    """The estimate from what `stroke_counts` found in N images, (N, 2, 3, 256).

    With `n_resamples`, the 95 % interval over images, or over clusters (N,) of them. ValueError if
    nothing is scribbled.
    """
    counts = counts[..., :IGNORE_LABEL]
    around, on_strokes = counts.sum(axis=0)
    if not on_strokes.any():
        raise ValueError("no pixel is scribbled")
    hits, unions = hits_and_unions(around)
    present = np.flatnonzero(unions)
    return StrokeEstimate(
        float(mean_iou(hits, unions)),
        _interval(counts[:, 0], rng, n_resamples, clusters) if n_resamples else None,
        float(pixel_accuracy(around)),
        float(pixel_accuracy(on_strokes)),
        {int(c): float(hits[c] / unions[c]) for c in present},
        {int(c): int(on_strokes[1, c]) for c in present},
        len(counts),
    )


def _interval(
    counts: NDArray[np.int64],
    rng: np.random.Generator,
    n_resamples: int,
    clusters: NDArray[np.int64] | None,
) -> Interval | None:
    """The interval of the mean IoU; None if there is but one image or cluster."""
    grouped = counts[None] if clusters is None else cluster_sums(counts[None], clusters)
    if grouped.shape[1] < MIN_IMAGES:
        return None
    hits, unions = hits_and_unions(grouped)
    return percentile_interval(resampled_mean_ious(hits, unions, rng, n_resamples)[0])
