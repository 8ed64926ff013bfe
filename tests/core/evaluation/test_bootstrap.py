"""The bootstrap over images: against a slow one, against scipy's, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from wsstools.core.evaluation.bootstrap import (
    percentile_interval,
    resampled_mean_ious,
    resampled_means,
    resampled_reductions,
)
from wsstools.core.evaluation.measuring import hits_and_unions
from wsstools.core.evaluation.metrics import class_counts, confusion_matrix, scores

N_CLASSES = 4


def pictures(rng, n_images, accuracy):
    """Ground truth and labels of small images; some lack classes, some pixels are 255."""
    gts, found = [], []
    for _ in range(n_images):
        present = rng.choice(N_CLASSES, rng.integers(1, N_CLASSES + 1), replace=False)
        gt = rng.choice(present, (6, 7)).astype(np.uint8)
        gt[rng.random(gt.shape) < 0.1] = 255
        labels = np.where(rng.random(gt.shape) < accuracy, gt, rng.integers(0, N_CLASSES, gt.shape))
        labels = labels.astype(np.uint8)
        labels[rng.random(gt.shape) < 0.05] = 255
        gts.append(gt)
        found.append(labels)
    return found, gts


def counted(found, gts):
    return hits_and_unions(
        np.array([class_counts(a, b)[:, :N_CLASSES] for a, b in zip(found, gts, strict=True)])
    )


def test_class_counts_are_those_of_the_confusion_matrix():
    found, gts = pictures(np.random.default_rng(0), 20, 0.6)
    for labels, gt in zip(found, gts, strict=True):
        matrix = confusion_matrix(labels, gt)
        expected = [np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)]
        np.testing.assert_array_equal(class_counts(labels, gt), expected)


def test_resamples_are_those_of_a_slow_bootstrap():
    """Images repeated as often as drawn, their confusion matrices summed and scored by `score`."""
    rng = np.random.default_rng(1)
    sets = [pictures(rng, 9, accuracy) for accuracy in (0.8, 0.5)]
    parts = [counted(*one) for one in sets]
    hits, unions = (np.array([part[k] for part in parts]) for k in (0, 1))
    fast = resampled_mean_ious(hits, unions, np.random.default_rng(7), 700)
    draws = np.random.default_rng(7)
    times = np.concatenate([draws.multinomial(9, [1 / 9] * 9, size) for size in (500, 200)])
    for row, (found, gts) in zip(fast, sets, strict=True):
        matrices = np.array([confusion_matrix(a, b) for a, b in zip(found, gts, strict=True)])
        for b in (0, 1, 499, 500, 699):
            summed = np.repeat(matrices, times[b], axis=0).sum(axis=0)
            assert row[b] == pytest.approx(scores(summed).mean_iou, abs=1e-12)


def test_intervals_are_those_of_scipy():
    rng = np.random.default_rng(2)
    hits, unions = counted(*pictures(rng, 40, 0.7))
    drawn = resampled_mean_ious(hits[None], unions[None], rng, 6000)[0]
    ours = percentile_interval(drawn)

    def statistic(images):
        inside, union = hits[images].sum(axis=-2), unions[images].sum(axis=-2)
        return (inside / union).mean(axis=-1)

    def over(images, axis):
        return statistic(images)

    theirs = scipy.stats.bootstrap(
        (np.arange(40),), over, n_resamples=6000, method="percentile", rng=rng, vectorized=True
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * width)


def simulated(rng, n_images):
    """Pixels hit and united in images that are hard or easy for two strategies alike."""
    ease = rng.beta(6, 3, (n_images, 1))
    unions = rng.poisson(400, (n_images, N_CLASSES)) + 1
    quality = np.stack([ease * 0.95, ease * 0.90])  # (2, N, 1)
    noise = rng.normal(0, 0.03, (2, n_images, N_CLASSES))
    hits = np.rint(np.clip(quality + noise, 0, 1) * unions).astype(np.int64)
    return hits, np.broadcast_to(unions, hits.shape)


def test_intervals_cover_what_they_should():
    """Of 95 % intervals about 95 % hold the truth: mIoUs, and the difference of two."""
    rng = np.random.default_rng(3)
    hits, unions = simulated(rng, 200_000)
    truth = (hits.sum(axis=1) / unions.sum(axis=1)).mean(axis=1)
    held = np.zeros(2)
    n_sets, lengths = 300, np.zeros(2)
    for _ in range(n_sets):
        drawn = resampled_mean_ious(*simulated(rng, 60), rng, 400)
        for k, (values, target) in enumerate(
            ((drawn[0], truth[0]), (drawn[0] - drawn[1], truth[0] - truth[1]))
        ):
            low, high = percentile_interval(values)
            held[k] += low <= target <= high
            lengths[k] += high - low
    assert (held / n_sets > 0.90).all() and (held / n_sets < 0.99).all(), held / n_sets
    assert lengths[1] < 0.5 * lengths[0]  # what makes images hard for both is taken out


def test_the_same_seed_gives_the_same_resamples():
    hits, unions = counted(*pictures(np.random.default_rng(4), 8, 0.7))
    runs = [
        resampled_mean_ious(hits[None], unions[None], np.random.default_rng(5), 50)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)
    other = resampled_mean_ious(hits[None], unions[None], np.random.default_rng(6), 50)
    assert not np.array_equal(runs[0], other)


def test_a_resample_without_a_gap_bounds_no_reduction():
    full = np.array([0.8, 0.7, 0.7, 0.6, 0.7])
    baseline = np.array([0.6, 0.7, 0.7, 0.7, 0.7])
    strategy = np.array([0.7, 0.8, 0.6, 0.75, 0.7])
    found = resampled_reductions(full, baseline, strategy)
    assert found == pytest.approx([0.5, np.inf, -np.inf, np.inf, 0.0])
    interval = percentile_interval(np.array([0.1] * 90 + [np.inf] * 10))
    assert interval == (0.1, np.inf)


@pytest.mark.parametrize("shape", [(2, 1, 3), (2, 3), (0, 0, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected both \(S, N, C\)"):
        resampled_mean_ious(np.ones(shape, int), np.ones(shape, int), np.random.default_rng(0), 5)


def test_resampled_means_spread_as_the_standard_error():
    values = np.random.default_rng(1).normal(0.3, 0.2, (2, 50))
    drawn = resampled_means(values, np.random.default_rng(2), 4000)
    assert drawn.shape == (2, 4000)
    assert drawn.mean(axis=1) == pytest.approx(values.mean(axis=1), abs=0.003)
    assert drawn.std(axis=1) == pytest.approx(values.std(axis=1) / np.sqrt(50), rel=0.05)
