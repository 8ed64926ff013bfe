"""Two sets of labels against each other, image by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.bootstrap import (
    MIN_IMAGES,
    Interval,
    percentile_interval,
    resampled_means,
)
from wsstools.core.evaluation.metrics import (
    IN_GT,
    class_counts,
    hits_and_unions,
    mean_iou,
    pixel_accuracy,
)
from wsstools.core.evaluation.settings import ACCURACY, MEAN_IOU, METRICS
from wsstools.core.labels import IGNORE_LABEL


@dataclass(frozen=True)
class PairCounts:
    """The pixels of one image in both sets."""

    classes: NDArray[np.int64]  # (U,), the ids that occur, ascending, without 255
    # (2, 3, U), `class_counts` of each class in the first and the second set
    pixels: NDArray[np.int64]

    @property
    def has_ground_truth(self) -> bool:
        """Whether any pixel of the ground truth carries a class."""
        return bool(self.pixels[0, IN_GT].any())

    @property
    def truth_classes(self) -> list[int]:
        """The classes in the ground truth."""
        found: list[int] = self.classes[self.pixels[0, IN_GT] > 0].tolist()
        return found

    def scores(self) -> dict[str, NDArray[np.float64]]:
        """Both sets' score, (2,), for each of `METRICS`; NaN without ground truth."""
        return {
            ACCURACY: pixel_accuracy(self.pixels),
            MEAN_IOU: mean_iou(*hits_and_unions(self.pixels), empty=np.nan),
        }


def pair_counts(
    first: NDArray[np.uint8], second: NDArray[np.uint8], gt: NDArray[np.uint8]
) -> PairCounts:
    """The pixels of one image in two sets of labels, (H, W) uint8; 255 = ignore."""
    counts = np.stack([class_counts(one, gt) for one in (first, second)])[..., :IGNORE_LABEL]
    present = np.flatnonzero(counts.any(axis=(0, 1)))
    return PairCounts(present, counts[..., present])


@dataclass(frozen=True)
class Paired:
    """One score of both sets on the same images."""

    values: NDArray[np.float64]  # (2, N), of the first and the second set on each image, fractions
    totals: tuple[float, float]  # of both sets on all images together, from their summed pixels
    interval: Interval | None = None  # 95 % interval of the mean difference; None without resamples

    @property
    def differences(self) -> NDArray[np.float64]:
        """Second minus first, (N,)."""
        differences: NDArray[np.float64] = self.values[1] - self.values[0]
        return differences

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
    """Two sets of labels on the same images."""

    names: tuple[str, str]  # of the first and the second set
    stems: tuple[str, ...]  # the images
    scores: Mapping[str, Paired]  # for each of `METRICS`
    metric: str = ACCURACY  # the one that ranks the images
    n_clusters: int | None = None  # of the images, resampled as wholes; None: single images were

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
    images: Mapping[str, PairCounts],
    *,
    rng: np.random.Generator,
    n_resamples: int,
    metric: str = ACCURACY,
    clusters: Mapping[str, int] | None = None,
) -> Comparison:
    """The comparison that pixel counts give, without the images that have no ground truth.

    Both sets of these `names` are seen on the same resamples of the images (stem to counts); 0
    resamples, or fewer than two images, give no intervals. `clusters` (stem to number) draws whole
    clusters of images in place of images. ValueError if no image has ground truth.
    """
    kept = {stem: counts for stem, counts in images.items() if counts.has_ground_truth}
    if not kept:
        raise ValueError("no pixel of the ground truth carries a class")
    by_image = [counts.scores() for counts in kept.values()]
    values = {name: np.stack([one[name] for one in by_image], axis=1) for name in METRICS}
    whole = PairCounts(np.arange(IGNORE_LABEL), np.zeros((2, 3, IGNORE_LABEL), np.int64))
    for counts in kept.values():
        whole.pixels[..., counts.classes] += counts.pixels
    totals = whole.scores()
    differences = np.stack([values[name][1] - values[name][0] for name in METRICS])
    numbers = None if clusters is None else np.array([clusters[stem] for stem in kept])
    n_units = len(kept) if numbers is None else len(np.unique(numbers))
    has_intervals = n_resamples > 0 and n_units >= MIN_IMAGES
    means = resampled_means(differences, rng, n_resamples, numbers) if has_intervals else None
    scores = {
        name: Paired(
            values[name],
            (float(totals[name][0]), float(totals[name][1])),
            None if means is None else percentile_interval(means[k]),
        )
        for k, name in enumerate(METRICS)
    }
    return Comparison(names, tuple(kept), scores, metric, None if numbers is None else n_units)
