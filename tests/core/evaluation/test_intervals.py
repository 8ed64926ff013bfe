"""Intervals over images, clusters of them and seeds, against what is computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.evaluation.bootstrap import (
    Interval,
    cluster_sums,
    percentile_interval,
    resampled_reductions,
)
from wsstools.core.evaluation.intervals import resample, widened
from wsstools.core.evaluation.measuring import Counts, differences, measured_rows, parts_of
from wsstools.core.evaluation.study import Key

FULL, BASELINE, OURS = (Key("", name) for name in ("full", "baseline", "ours"))
SIZE = 1000
"""Pixels of an image, all of one class."""


def pixels(hits):
    """Counts (S, 1, N, 3, 1) of which hits (S, N) give the IoU hits / SIZE of each image."""
    hits = np.asarray(hits)
    return np.stack([hits, np.full_like(hits, SIZE), hits], axis=-1)[:, None, :, :, None]


def same_images(mious, n_images=6):
    """Counts of images that are all alike, with this mean IoU for each seed."""
    return pixels(np.repeat(np.rint(SIZE * np.array(mious))[:, None], n_images, axis=1).astype(int))


def drawn_images(rng, n_seeds, n_images=40, mean=600):
    return pixels(np.rint(rng.normal(mean, 80, (n_seeds, n_images))).astype(int))


def test_counts_of_clusters_are_sums():
    counts = np.array([[[1, 2], [10, 20], [3, 4], [30, 40], [5, 6]]])
    np.testing.assert_array_equal(
        cluster_sums(counts, np.array([0, 1, 0, 1, 2])), [[[4, 6], [40, 60], [5, 6]]]
    )


def test_resamples_of_two_clusters_are_those_of_their_sums():
    """Drawn twice, once each, or the other twice: the mean IoU has three values."""
    counts = pixels([[100, 200, 900, 800, 400]])
    found = resample(
        {OURS: counts}, np.random.default_rng(0), 400, np.array([0, 0, 1, 1, 0])
    )  # 700 of 3000 pixels and 1700 of 2000
    values, times = np.unique(found.drawn[OURS], return_counts=True)
    assert values == pytest.approx([700 / 3000, 2400 / 5000, 1700 / 2000])
    assert times == pytest.approx([100, 200, 100], abs=40)
    assert found.measured[OURS] == pytest.approx(2400 / 5000)


def test_intervals_over_clusters_of_images_that_are_alike_are_wider():
    """20 images of each of 30 patients: over single images the interval is sqrt(20) too narrow."""
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(30), 20)
    counts = Counts(
        np.array([0]), {OURS: pixels([np.rint(rng.normal(600, 80, 30)).astype(int)[patients]])}
    )
    widths = []
    for clusters in (None, patients):
        drawn = resample(counts.of, np.random.default_rng(2), 2000, clusters)
        part = parts_of(counts, resampled=drawn)[OURS]
        assert part.interval_seeds == 1
        widths.append(part.interval.high - part.interval.low)
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(20), rel=0.1)
    expected = 2 * 1.96 * 0.08 / np.sqrt(30)
    assert widths[1] == pytest.approx(expected, rel=0.25)


def test_the_t_interval_of_few_seeds_is_added_in_quadrature():
    """t(2, 0.975) = 4.302653, s = 0.1: the half width is 4.302653 * 0.1 / sqrt(3) = 0.248414."""
    low, high = widened(Interval(0.4, 0.7), 0.5, np.array([0.4, 0.5, 0.6]))
    assert low == pytest.approx(0.5 - np.sqrt(0.1**2 + 0.248414**2), abs=1e-6)
    assert high == pytest.approx(0.5 + np.sqrt(0.2**2 + 0.248414**2), abs=1e-6)
    assert widened(Interval(-np.inf, 0.7), 0.5, np.array([0.5, 0.5])) == (-np.inf, 0.7)
    assert widened(Interval(0.4, 0.6), 0.5, np.array([0.5, np.inf])) == (-np.inf, np.inf)


def study_rows(of, n_resamples=400):
    counts = Counts(np.array([0]), of)
    drawn = resample(of, np.random.default_rng(3), n_resamples)
    rows = measured_rows(counts, resampled=drawn)
    return {row.key: row for row in rows}, differences(rows, drawn, BASELINE)


def test_intervals_of_few_seeds_hold_the_spread_of_their_own_number():
    """Alike images leave the t interval alone: of the mIoU, the reduction and the difference."""
    full, baseline, ours = np.array([[0.7, 0.72], [0.5, 0.54], [0.6, 0.6]])
    rows, found = study_rows(
        {FULL: same_images(full), BASELINE: same_images(baseline), OURS: same_images(ours)}
    )
    t_half = 12.7062 / np.sqrt(2)  # of a standard deviation of 1
    reductions = (ours - baseline) / (full - baseline)
    (difference,) = [one for one in found if one.key == OURS]
    for value, interval, by_seed in (
        (0.71, rows[FULL].val.interval, full),
        (rows[OURS].reduction, rows[OURS].reduction_interval, reductions),
        (0.08, difference.interval, ours - baseline),
    ):
        half = t_half * by_seed.std(ddof=1)
        assert interval == pytest.approx((value - half, value + half), abs=1e-5)
    assert rows[OURS].val.interval == pytest.approx((0.6, 0.6))
    assert (rows[OURS].reduction_seeds, rows[OURS].val.interval_seeds, difference.seeds) == (2,) * 3


def test_five_seeds_are_drawn_with_the_images():
    """Of images that are alike the interval is that of means over resampled seeds."""
    mious = np.array([0.5, 0.52, 0.56, 0.6, 0.63, 0.71])
    rows, _ = study_rows(
        {FULL: same_images(mious + 0.2), BASELINE: same_images(mious)}, n_resamples=6000
    )
    seeds = np.random.default_rng(9).integers(0, 6, (20000, 6))
    expected = percentile_interval(mious[seeds].mean(axis=1))
    assert rows[BASELINE].val.interval == pytest.approx(expected, abs=0.004)
    assert rows[BASELINE].val.interval_seeds == 6


def test_seeds_of_all_rows_are_drawn_together():
    """What is the same for all seeds has no spread, however much the seeds themselves have."""
    mious = np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    rows, found = study_rows(
        {
            FULL: same_images(mious + 0.2),
            BASELINE: same_images(mious),
            OURS: same_images(mious + 0.1),
        }
    )
    assert rows[OURS].val.interval.high - rows[OURS].val.interval.low > 0.2
    assert rows[OURS].reduction_interval == pytest.approx((0.5, 0.5))
    (difference,) = [one for one in found if one.key == OURS]
    assert difference.interval == pytest.approx((0.1, 0.1))
    assert difference.seeds == rows[OURS].reduction_seeds == 5


@pytest.mark.parametrize("numbers", [(1, 1, 1), (5, 5, 6), (2, 3, 3), (1, 5, 5)])
def test_numbers_of_one_or_unequal_seeds_are_over_images_only(numbers):
    """The interval is then the percentiles of the resamples of images, averaged over the seeds."""
    rng = np.random.default_rng(4)
    of = {
        key: drawn_images(rng, number, mean=mean)
        for key, number, mean in zip((FULL, BASELINE, OURS), numbers, (800, 500, 600), strict=True)
    }
    rows, found = study_rows(of)
    drawn = resample(of, np.random.default_rng(3), 400).drawn
    means = {key: values[:, 0].mean(axis=0) for key, values in drawn.items()}
    reductions = resampled_reductions(*(means[key] for key in (FULL, BASELINE, OURS)))
    assert rows[OURS].reduction_interval == percentile_interval(reductions)
    assert rows[OURS].reduction_seeds == 1
    for key, number in zip((FULL, BASELINE, OURS), numbers, strict=True):
        assert rows[key].val.interval_seeds == number
        assert rows[key].val.mean_iou == pytest.approx(of[key][:, 0, :, 0, 0].mean() / SIZE)
    if numbers[0] == 1:
        assert rows[FULL].val.interval == percentile_interval(means[FULL])
    seeds = {one.key: one.seeds for one in found}
    assert seeds == {
        key: number if number == numbers[1] else 1
        for key, number in zip((FULL, OURS), (numbers[0], numbers[2]), strict=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [3, 5])
def test_intervals_with_seeds_cover_what_those_over_images_do_not(n_seeds):
    """Networks that spread by 2 points, on 100 images whose mean spreads by 0.8."""
    rng = np.random.default_rng(5)
    truth, n_sets, held, held_over_images = 0.6, 300, 0, 0
    for _ in range(n_sets):
        iou = truth + rng.normal(0, 0.02, (n_seeds, 1)) + rng.normal(0, 0.08, 100)
        counts = Counts(np.array([0]), {OURS: pixels(np.rint(SIZE * iou).astype(int))})
        drawn = resample(counts.of, rng, 400)
        low, high = parts_of(counts, resampled=drawn)[OURS].interval
        held += low <= truth <= high
        low, high = percentile_interval(drawn.drawn[OURS][:, 0].mean(axis=0))
        held_over_images += low <= truth <= high
    assert 0.88 < held / n_sets < 0.99
    assert held_over_images / n_sets < 0.83
