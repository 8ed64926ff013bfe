"""Two strategies on the same images, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.bootstrap import (
    MIN_IMAGES,
    Interval,
    percentile_interval,
    resampled_means,
)

ACCURACY, MIOU = "accuracy", "miou"
MEASURES = (ACCURACY, MIOU)


@dataclass(frozen=True)
class Comparison:
    """Two strategies on N images; fractions.

    Attributes
    ----------
    names : (str, str)
        The first and the second strategy.
    stems : sequence of str
        The images.
    scores : mapping of str to (2, N) float
        Pixel accuracy and mean IoU of each image, see MEASURES.
    measure : str
        The one that counts.
    interval : Interval or None
        95 % interval of `difference` under resampling of the images, paired.
    """

    names: tuple[str, str]
    stems: Sequence[str]
    scores: Mapping[str, NDArray[np.float64]]
    measure: str
    interval: Interval | None

    @property
    def differences(self) -> NDArray[np.float64]:
        """Second less first, (N,)."""
        first, second = self.scores[self.measure]
        return second - first

    @property
    def order(self) -> list[int]:
        """The images from where the second is most ahead to where the first is."""
        return np.argsort(-self.differences, kind="stable").tolist()

    @property
    def wins(self) -> int:
        """Images where the second is better."""
        return int((self.differences > 0).sum())

    @property
    def ties(self) -> int:
        """Images where they are equal."""
        return int((self.differences == 0).sum())

    @property
    def means(self) -> tuple[float, float]:
        """Of the images' scores, first and second."""
        first, second = self.scores[self.measure].mean(axis=1)
        return float(first), float(second)

    @property
    def difference(self) -> float:
        """Mean of `differences`."""
        return float(self.differences.mean())

    def extremes(self, count: int) -> list[int]:
        """Up to `count` images where the second is most ahead, then as many of the first."""
        differences, order = self.differences, self.order
        ahead = [k for k in order if differences[k] > 0][:count]
        behind = [k for k in reversed(order) if differences[k] < 0][:count]
        return ahead + behind


def compare_images(
    names: tuple[str, str],
    stems: Sequence[str],
    scores: Mapping[str, NDArray[np.float64]],
    measure: str,
    rng: np.random.Generator,
    n_resamples: int,
) -> Comparison:
    """The comparison of two strategies; images without ground truth are left out.

    Parameters
    ----------
    names, stems, scores, measure
        See Comparison; a score is NaN where the ground truth is empty.
    rng : Generator
        Draws the resamples of the images.
    n_resamples : int
        Their number; 0 gives no interval, as does a single image.

    Raises
    ------
    ValueError
        If no image has ground truth.
    """
    known = np.asarray(np.isfinite(scores[measure]).all(axis=0))
    if not known.any():
        raise ValueError("no image has a labelled pixel in the ground truth")
    kept = {name: values[:, known] for name, values in scores.items()}
    first, second = kept[measure]
    interval = None
    if n_resamples and known.sum() >= MIN_IMAGES:
        interval = percentile_interval(resampled_means(second - first, rng, n_resamples))
    stems = [stem for stem, is_known in zip(stems, known, strict=True) if is_known]
    return Comparison(names, stems, kept, measure, interval)
