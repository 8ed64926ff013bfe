"""Fusion, argmax, scores and gaps against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference_confusion
from sklearn.metrics import jaccard_score

from wsstools.core.evaluation.gap import gap_table
from wsstools.core.evaluation.metrics import confusion_matrix, scores
from wsstools.core.map_operations import argmax_labels, fuse_maps
from wsstools.core.maps import ProbabilityMap, checked_map


def pixel_map(probs, classes, n_classes=5):
    values = np.array(probs, np.float32).reshape(len(probs), 1, -1)
    return ProbabilityMap(values, np.array(classes), n_classes)


def test_fusing_takes_the_union_of_the_classes():
    fused = fuse_maps([pixel_map([0.8, 0.2], [0, 3]), pixel_map([0.5, 0.5], [1, 3])], [1, 1])
    assert fused.classes.tolist() == [0, 1, 3]
    np.testing.assert_allclose(fused.probs[:, 0, 0], [0.4, 0.25, 0.35], rtol=1e-6)


def test_only_the_ratio_of_the_weights_counts():
    maps = [pixel_map([0.8, 0.2], [0, 1]), pixel_map([0.2, 0.8], [0, 1])]
    np.testing.assert_allclose(fuse_maps(maps, [3, 1]).probs[:, 0, 0], [0.65, 0.35], rtol=1e-6)
    np.testing.assert_allclose(fuse_maps(maps, [6, 2]).probs, fuse_maps(maps, [3, 1]).probs)


def test_fusing_a_map_with_itself_gives_it():
    rng = np.random.default_rng(0)
    one = checked_map(rng.dirichlet(np.ones(3), (4, 5)).transpose(2, 0, 1), np.arange(3), 3)
    np.testing.assert_allclose(fuse_maps([one, one], [1, 2]).probs, one.probs, atol=1e-6)


def test_maps_that_do_not_fit_are_refused():
    one = pixel_map([0.8, 0.2], [0, 1])
    with pytest.raises(ValueError, match="shapes"):
        fuse_maps([one, ProbabilityMap(np.ones((1, 2, 2), np.float32), np.array([0]), 5)], [1, 1])
    with pytest.raises(ValueError, match="5 and 6 classes"):
        fuse_maps([one, pixel_map([0.8, 0.2], [0, 1], 6)], [1, 1])
    with pytest.raises(ValueError, match="positive"):
        fuse_maps([one, one], [1, 0])


def test_argmax_gives_class_ids_and_ties_to_the_lowest():
    labels = argmax_labels(pixel_map([[0.1, 0.5, 0.3], [0.9, 0.5, 0.7]], [2, 4]))
    assert labels.tolist() == [[4, 2, 4]]
    assert labels.dtype == np.uint8


def test_uncertain_pixels_are_left_open():
    labels = argmax_labels(pixel_map([[0.1, 0.5, 0.35], [0.9, 0.5, 0.65]], [0, 1]), min_prob=0.65)
    assert labels.tolist() == [[1, 255, 1]]


def test_a_class_id_of_255_does_not_fit():
    with pytest.raises(ValueError, match="255"):
        argmax_labels(pixel_map([1.0], [255], 256))


def test_confusion_and_iou_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    gt = rng.integers(0, 6, (30, 40)).astype(np.uint8)
    labels = np.where(rng.random(gt.shape) < 0.6, gt, rng.integers(0, 6, gt.shape)).astype(np.uint8)
    gt[rng.random(gt.shape) < 0.2] = 255
    matrix = confusion_matrix(labels, gt)
    kept = gt != 255
    np.testing.assert_array_equal(
        matrix[:6, :6], reference_confusion(gt[kept], labels[kept], labels=range(6))
    )
    found = scores(matrix)
    expected = jaccard_score(gt[kept], labels[kept], average=None)
    np.testing.assert_allclose(list(found.iou.values()), expected)
    assert found.mean_iou == pytest.approx(expected.mean())
    assert found.pixel_accuracy == pytest.approx((gt[kept] == labels[kept]).mean())


def test_scores_add_up_over_a_set_before_dividing():
    gt = [np.array([[0, 0, 1]], np.uint8), np.array([[1, 1, 1]], np.uint8)]
    labels = [np.array([[0, 1, 1]], np.uint8), np.array([[1, 1, 0]], np.uint8)]
    total = sum(confusion_matrix(a, b) for a, b in zip(labels, gt, strict=True))
    assert scores(total).iou == {0: pytest.approx(1 / 3), 1: pytest.approx(3 / 5)}


def test_absent_classes_are_left_out_and_named():
    matrix = confusion_matrix(np.array([[0, 0, 2]], np.uint8), np.array([[0, 0, 0]], np.uint8))
    found = scores(matrix, n_classes=5)
    assert found.absent == (1, 3, 4)
    assert found.iou == {0: pytest.approx(2 / 3), 2: 0.0}
    assert found.mean_iou == pytest.approx(1 / 3)


def test_open_pixels_are_misses_but_claims_of_no_class():
    matrix = confusion_matrix(np.array([[0, 255, 1]], np.uint8), np.array([[0, 0, 1]], np.uint8))
    found = scores(matrix)
    assert found.iou == {0: 0.5, 1: 1.0}
    assert found.open_share == pytest.approx(1 / 3)


def test_nothing_to_score_is_nan():
    ignored = np.full((2, 2), 255, np.uint8)
    assert np.isnan(scores(confusion_matrix(ignored, ignored)).mean_iou)


def test_gaps_of_the_paper():
    """Mayer et al., Table 1: of a full gap of 4.4 local + Potts leaves 8.2, a reduction of
    -86.4 % (the table prints -70.4 %)."""
    full = 76.8
    rows = gap_table({"local + Potts": full - 8.2, "full": full, "baseline": full - 4.4})
    assert [row.name for row in rows] == ["full", "baseline", "local + Potts"]
    assert [round(row.gap, 6) for row in rows] == [0.0, 4.4, 8.2]
    assert round(100 * rows[2].reduction, 1) == -86.4


def test_the_frame_of_the_gap():
    rows = gap_table({"full": 0.8, "baseline": 0.6, "same": 0.6, "better": 0.9})
    assert [row.reduction for row in rows] == pytest.approx([1.0, 0.0, 0.0, 1.5])
    closed = gap_table({"full": 0.5, "baseline": 0.6, "other": 0.55})
    assert [row.reduction for row in closed] == [None, None, None]
    with pytest.raises(ValueError, match="'full' is missing"):
        gap_table({"baseline": 0.5})


def test_maps_are_checked():
    good = np.full((2, 3, 3), 0.5)
    assert checked_map(good * 1.005, np.array([0, 4]), 5).probs.sum(axis=0) == pytest.approx(1)
    bad = {
        "do not sum": (good * 1.1, [0, 1], 2),
        "not finite": (np.where(np.eye(3) > 0, np.nan, good), [0, 1], 2),
        "negative": (np.stack([good[0] + 1, good[1] - 1]), [0, 1], 2),
        "ascending": (good, [1, 0], 2),
        "not all in": (good, [0, 2], 2),
        "class ids": (good, [0], 2),
        "expected": (good[0], [0, 1], 2),
    }
    for message, (probs, classes, n_classes) in bad.items():
        with pytest.raises(ValueError, match=message):
            checked_map(probs, np.array(classes), n_classes)
