"""Estimates of labels from strokes: each scribbled pixel represents what is around it."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.scribbles.estimate import stroke_counts, stroke_estimate


def estimated(*pairs, **more):
    counts = [stroke_counts(labels, scribbles) for labels, scribbles in pairs]
    return stroke_estimate(counts, rng=np.random.default_rng(0), **more)


def test_pixels_count_as_the_nearest_scribbled_one():
    scribbles = np.full((1, 10), 255, np.uint8)
    scribbles[0, 1], scribbles[0, 8] = 0, 1
    labels = np.zeros((1, 10), np.uint8)  # right at the first, wrong at the second
    around, on_strokes, right, total = stroke_counts(labels, scribbles)
    assert (right, total) == (np.sqrt(5), 2 * np.sqrt(5))
    assert around[:, :2].tolist() == [[5, 0], [5, 5], [10, 0]]
    assert on_strokes[:, :2].tolist() == [[1, 0], [1, 1], [2, 0]]
    found = estimated((labels, scribbles))
    assert found.mean_iou == pytest.approx((5 / 10 + 0) / 2)
    assert found.pixel_accuracy == found.on_strokes == 0.5
    assert found.rank_score == 0.5
    assert found.iou == {0: 0.5, 1: 0.0}
    assert found.pixels == {0: 1, 1: 1}
    assert found.interval is None


def test_it_does_not_follow_the_shares_of_the_strokes():
    """Strokes that crowd one object weigh as much as the object is large."""
    truth = np.zeros((60, 60), np.uint8)
    truth[:10, :10] = 1
    scribbles = np.full(truth.shape, 255, np.uint8)
    scribbles[1:9, 1:9] = 1
    scribbles[20::8, 4::8] = 0
    scribbles[4, 20::8] = 0
    labels = truth.copy()
    labels[truth == 1] = 0
    found = estimated((labels, scribbles))
    true_accuracy = (labels == truth).mean()
    assert abs(found.pixel_accuracy - true_accuracy) < 0.1
    assert found.on_strokes < 0.5


def test_intervals_hold_the_estimate_and_need_several_images():
    rng = np.random.default_rng(3)
    pairs = []
    for _ in range(8):
        scribbles = np.where(rng.random((20, 20)) < 0.1, rng.integers(0, 3, (20, 20)), 255)
        labels = np.where(rng.random((20, 20)) < 0.7, scribbles, 0) % 3
        pairs.append((labels.astype(np.uint8), scribbles.astype(np.uint8)))
    found = estimated(*pairs, n_resamples=500)
    assert found.interval.low < found.mean_iou < found.interval.high
    assert found.rank_interval.low < found.rank_score < found.rank_interval.high
    assert found.n_images == 8
    halves = np.repeat([0, 1], 4)
    assert estimated(*pairs, n_resamples=500, clusters=halves).interval != found.interval
    assert estimated(*pairs, n_resamples=500, clusters=0 * halves).interval is None
    assert estimated(pairs[0], n_resamples=500).interval is None


def test_what_cannot_be_estimated():
    nothing = np.full((4, 4), 255, np.uint8)
    assert stroke_counts(np.zeros((4, 4), np.uint8), nothing).total == 0
    with pytest.raises(ValueError, match="no pixel is scribbled"):
        estimated((np.zeros((4, 4), np.uint8), nothing))
    with pytest.raises(ValueError, match="shape"):
        stroke_counts(np.zeros((4, 5), np.uint8), nothing)


def test_the_rank_score_weights_by_the_root_of_the_area():
    scribbles = np.full((1, 16), 255, np.uint8)
    scribbles[0, 0] = scribbles[0, 1] = 0  # 1 pixel is nearest to the first, 9 to the others each
    scribbles[0, 15] = 1
    labels = np.zeros((1, 16), np.uint8)
    areas = stroke_counts(labels, scribbles)
    sizes = np.sqrt([1, 8, 7])
    assert areas.around[1, :2].tolist() == [9, 7]
    assert areas.right == pytest.approx(sizes[:2].sum())
    assert areas.total == pytest.approx(sizes.sum())
