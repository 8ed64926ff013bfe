"""Two sets of labels against each other, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.bootstrap import (
    MIN_IMAGES,
    Interval,
    percentile_interval,
    resampled_means,
)
from wsstools.core.evaluation.measuring import hits_and_unions, image_scores
from wsstools.core.evaluation.metrics import mean_iou

ACCURACY, MEAN_IOU = "accuracy", "miou"
METRICS = (ACCURACY, MEAN_IOU)
_IN_GT = 1


@dataclass(frozen=True)
class Paired:
    """One score of both sets on the same images.

    Attributes
    ----------
    values : (2, N) float64
        Of the first and the second set on each image, fractions.
    totals : (float, float)
        Of both sets on all images together, from their summed pixels.
    interval : Interval or None
        95 % interval of the mean difference; None without resamples.
    """

    values: NDArray[np.float64]
    totals: tuple[float, float]
    interval: Interval | None = None

    @property
    def differences(self) -> NDArray[np.float64]:
        """Second minus first, (N,)."""
        return self.values[1] - self.values[0]

    @property
    def mean_difference(self) -> float:
        """Mean of the differences over the images."""
        return float(self.differences.mean())

    @property
    def counts(self) -> tuple[int, int, int]:
        """Images on which the second set is better, worse, and equal."""
        signs = np.sign(self.differences)
        better, worse, equal = (int((signs == sign).sum()) for sign in (1, -1, 0))
        return better, worse, equal


@dataclass(frozen=True)
class Comparison:
    """Two sets of labels on the same images.

    Attributes
    ----------
    names : (str, str)
        Of the first and the second set.
    stems : tuple of str
        The images.
    scores : mapping of str to Paired
        For each of `METRICS`.
    metric : str
        The one that ranks the images.
    """

    names: tuple[str, str]
    stems: tuple[str, ...]
    scores: Mapping[str, Paired]
    metric: str = ACCURACY

    @property
    def ranking(self) -> Paired:
        """The score that ranks the images."""
        return self.scores[self.metric]

    def ranked(self) -> list[int]:
        """Positions of the images, those first on which the second set is best against the first.

        Among equal differences the images are in the order of their names.
        """
        differences = self.ranking.differences
        return sorted(range(len(self.stems)), key=lambda k: (-differences[k], self.stems[k]))

    def largest(self, count: int) -> tuple[list[int], list[int]]:
        """Positions of the images with the largest gains and the largest losses, at most `count`.

        A gain is an image on which the second set is better; the largest come first.
        """
        order, differences = self.ranked(), self.ranking.differences
        gains = [k for k in order if differences[k] > 0][:count]
        losses = [k for k in reversed(order) if differences[k] < 0][:count]
        return gains, losses


def compared(
    names: tuple[str, str],
    stems: Sequence[str],
    counts: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    n_resamples: int,
    metric: str = ACCURACY,
) -> Comparison:
    """The comparison that pixel counts give, without the images that have no ground truth.

    Parameters
    ----------
    names : (str, str)
        Of the two sets.
    stems : sequence of str
        The N images.
    counts : (2, N, 3, C) int64
        Pixels of each class, see `wsstools.core.evaluation.metrics.class_counts`.
    rng : Generator
        Draws the resamples of the images; both sets are seen on the same ones.
    n_resamples : int
        0, or fewer than two images, give no intervals.
    metric : str
        One of `METRICS`.

    Raises
    ------
    ValueError
        If no image has ground truth.
    """
    kept = np.flatnonzero(counts[0, :, _IN_GT].any(axis=-1)).tolist()
    if not kept:
        raise ValueError("no pixel of the ground truth carries a class")
    counts = counts[:, kept]
    by_image = [image_scores(of_set) for of_set in counts]
    whole = counts.sum(axis=1)  # (2, 3, C)
    hits, unions = hits_and_unions(whole)
    accuracies = hits.sum(axis=-1) / whole[:, _IN_GT].sum(axis=-1)
    mious = mean_iou(hits, unions)
    values = {
        ACCURACY: np.stack([accuracy for _, accuracy in by_image]),
        MEAN_IOU: np.stack([miou for miou, _ in by_image]),
    }
    totals = {ACCURACY: accuracies, MEAN_IOU: mious}
    differences = np.stack([values[name][1] - values[name][0] for name in METRICS])
    has_intervals = n_resamples > 0 and len(kept) >= MIN_IMAGES
    means = resampled_means(differences, rng, n_resamples) if has_intervals else None
    scores = {
        name: Paired(
            values[name],
            (float(totals[name][0]), float(totals[name][1])),
            None if means is None else percentile_interval(means[k]),
        )
        for k, name in enumerate(METRICS)
    }
    return Comparison(names, tuple(stems[k] for k in kept), scores, metric)
