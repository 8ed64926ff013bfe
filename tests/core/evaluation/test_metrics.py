"""Confusion matrices and scores against known answers and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference_confusion
from sklearn.metrics import jaccard_score

from wsstools.core.evaluation.metrics import confusion_matrix, scores


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
