"""95 % intervals of scores over images and over training seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # scipy.stats takes a second to import

from wsstools.core.evaluation.bootstrap import (
    LEVEL,
    Interval,
    cluster_sums,
    percentile_interval,
    resampled_mean_ious,
)
from wsstools.core.evaluation.metrics import hits_and_unions, mean_iou
from wsstools.core.evaluation.study import Key

FEWEST_DRAWN = 5
"""Seeds from which on resamples draw them; the resamples of fewer are too much alike."""
Formula = Callable[..., NDArray[np.float64]]
"""A number from the mean IoUs of one or several rows, elementwise."""


class SeededInterval(NamedTuple):
    """An interval, and how many seeds it holds; 1: it is over the images only."""

    interval: Interval
    seeds: int


@dataclass(frozen=True)
class Resampled:
    """Mean IoUs of rows on the same resamples of the images and of the seeds' positions.

    Of each row there are S seeds, R regions and B resamples.
    """

    drawn: Mapping[Key, NDArray[np.float64]]  # (S, R, B) each
    measured: Mapping[Key, NDArray[np.float64]]  # (S, R) each, on the images as they are
    # (B, S) each, by S: how often each seed is in each resample
    seed_draws: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)

    def mean_ious(self, key: Key, region: int, *, with_seeds: bool = True) -> NDArray[np.float64]:
        """Means over the seeds on each resample, (B,); the seeds are drawn where they are many."""
        drawn = self.drawn[key][:, region]  # (S, B)
        times = self.seed_draws.get(len(drawn)) if with_seeds else None
        means: NDArray[np.float64] = (
            drawn.mean(axis=0) if times is None else (times.T * drawn).sum(axis=0) / len(drawn)
        )
        return means

    def seeds_of(self, keys: Sequence[Key]) -> int:
        """How many seeds the rows have; 1 if not all have as many."""
        numbers = {len(self.measured[key]) for key in keys}
        return numbers.pop() if len(numbers) == 1 else 1

    def values(self, formula: Formula, keys: Sequence[Key], region: int) -> NDArray[np.float64]:
        """A number of these rows on each resample, (B,)."""
        with_seeds = self.seeds_of(keys) > 1
        return formula(*(self.mean_ious(key, region, with_seeds=with_seeds) for key in keys))

    def interval(
        self, value: float, formula: Formula, keys: Sequence[Key], region: int
    ) -> SeededInterval:
        """The interval of a number of these rows, whose value on all images is known.

        Notes
        -----
        Seeds belong together by their position in the rows. From `FEWEST_DRAWN` seeds on, each
        resample draws them with replacement, as it draws images. The interval over images of fewer
        is widened by the spread of the number over its seeds, see `widened`. With one seed, or
        where rows have different numbers of them, it is over the images only.
        """
        seeds = self.seeds_of(keys)
        interval = percentile_interval(self.values(formula, keys, region))
        if 1 < seeds < FEWEST_DRAWN:
            by_seed = formula(*(self.measured[key][:, region] for key in keys))
            interval = widened(interval, value, by_seed)
        return SeededInterval(interval, seeds)


def resample(
    counts: Mapping[Key, NDArray[np.int64]],
    rng: np.random.Generator,
    n_resamples: int,
    clusters: NDArray[np.int64] | None = None,
) -> Resampled:
    """Mean IoUs of rows, whose pixels (S, R, N, 3, C) are counted, on the same resamples.

    `clusters` (N,), numbers 0..K-1 of the groups of images that belong together, resamples whole
    groups: patients, sequences. Without it each image is one.
    """
    flat = np.concatenate([pixels.reshape(-1, *pixels.shape[2:]) for pixels in counts.values()])
    if clusters is not None:
        flat = cluster_sums(flat, clusters)
    hits, unions = hits_and_unions(flat)  # (S R, N, C)
    drawn = resampled_mean_ious(hits, unions, rng, n_resamples)
    measured = mean_iou(hits.sum(axis=1), unions.sum(axis=1))
    shapes = {key: pixels.shape[:2] for key, pixels in counts.items()}
    ends = np.cumsum([seeds * regions for seeds, regions in shapes.values()])[:-1]
    numbers = sorted({seeds for seeds, _ in shapes.values() if seeds >= FEWEST_DRAWN})
    return Resampled(
        {
            key: part.reshape(*shapes[key], n_resamples)
            for key, part in zip(counts, np.split(drawn, ends), strict=True)
        },
        {
            key: part.reshape(shapes[key])
            for key, part in zip(counts, np.split(measured, ends), strict=True)
        },
        {
            number: rng.multinomial(number, np.full(number, 1 / number), n_resamples).astype(float)
            for number in numbers
        },
    )


def widened(
    interval: Interval, value: float, by_seed: NDArray[np.float64], level: float = LEVEL
) -> Interval:
    """An interval over images of the mean over S seeds, widened by the spread over the seeds.

    `by_seed` (S,) are the numbers of the single seeds. If one of them has no bound, nor does the
    interval.

    Notes
    -----
    low = value - sqrt((value - low)^2 + h^2) and high likewise, with h = t s / sqrt(S), the half
    width of the t interval of the mean: t is the quantile of Student's distribution with S - 1
    degrees of freedom, s the standard deviation (S - 1) of `by_seed`. That takes the images and
    the seeds as independent.
    """
    if not np.isfinite(by_seed).all():
        return Interval(-np.inf, np.inf)
    n_seeds = len(by_seed)
    quantile = stdtrit(n_seeds - 1, (1 + level) / 2)
    half = float(quantile * by_seed.std(ddof=1) / np.sqrt(n_seeds))
    low, high = interval
    return Interval(
        value - float(np.hypot(value - low, half)), value + float(np.hypot(high - value, half))
    )
