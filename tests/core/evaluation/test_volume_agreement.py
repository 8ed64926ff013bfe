"""Dice and HD95 of volumes whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wsstools.core.evaluation.hausdorff import hausdorff_95
from wsstools.core.evaluation.volume_agreement import (
    ClassAgreement,
    mean_agreement,
    volume_agreement,
)


def volumes(seed, shape=(4, 7, 6)):
    """Labels and ground truth of three classes, with voxels of 255 in both."""
    rng = np.random.default_rng(seed)
    values = np.array([0, 1, 2, 255], np.uint8)
    return rng.choice(values, (2, *shape), p=[0.5, 0.3, 0.15, 0.05])


@pytest.mark.parametrize("seed", range(4))
def test_dice_and_hd95_of_random_volumes(seed):
    labels, gt = volumes(seed)
    spacing = (5, 1, 0.5)
    found = volume_agreement(labels, gt, spacing)
    assert (list(found.classes), found.n_slices, found.gt_classes) == ([1, 2], 4, (0, 1, 2))
    for c, one in found.classes.items():
        mine, truth = (labels == c) & (gt != 255), gt == c
        assert one.dice == 2 * (mine & truth).sum() / (mine.sum() + truth.sum())
        assert one == ClassAgreement(one.dice, hausdorff_95(mine, truth, spacing))


def test_a_class_in_one_of_the_two_has_the_diagonal_and_one_in_neither_no_figures():
    labels, gt = np.zeros((2, 3, 5, 13), np.uint8)
    labels[0, 0, 0], gt[1, 1, 1] = 4, 2
    diagonal = math.hypot(2 * 10, 4 * 2, 12 * 1)
    assert volume_agreement(labels, gt, (10, 2, 1)).classes == {
        2: ClassAgreement(0, diagonal, "gt"),
        4: ClassAgreement(0, diagonal, "labels"),
    }
    assert volume_agreement(gt * 0, gt * 0).classes == {}


def test_no_distance_in_a_volume_is_larger_than_the_diagonal():
    labels, gt = np.zeros((2, 3, 5, 13), np.uint8)
    labels[0, 0, 0] = gt[-1, -1, -1] = 1
    assert volume_agreement(labels, gt).classes[1].hd95 == pytest.approx(math.hypot(2, 4, 12))


def test_voxels_that_the_ground_truth_leaves_out_belong_to_no_class():
    labels, gt = np.zeros((2, 2, 4, 6), np.uint8)
    labels[..., :3], gt[..., :3] = 1, 1
    labels[..., 4:], gt[..., 4:] = 1, 255
    assert volume_agreement(labels, gt).classes == {1: ClassAgreement(1, 0)}
    labels[:] = 255
    assert volume_agreement(labels, gt).classes[1].only_in == "gt"


def test_means_are_of_the_volumes_that_have_a_class_then_of_the_classes():
    shape = (2, 3, 4)
    empty, one, two = (np.full(shape, c, np.uint8) for c in (0, 1, 2))
    both = one.copy()
    both[0] = 2
    found = mean_agreement(
        [volume_agreement(*pair) for pair in ((one, one), (both, one), (empty, empty), (one, two))],
        n_classes=4,
    )
    hd95 = [volume_agreement(both, one).classes[1].hd95, math.hypot(1, 2, 3)]
    first, second = found.classes[1], found.classes[2]
    assert first.dice == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert first.hd95 == pytest.approx((0 + sum(hd95)) / 3)
    assert (first.n_volumes, first.n_only_gt, first.n_only_labels) == (3, 0, 1)
    assert (second.n_volumes, second.n_only_gt, second.n_only_labels) == (2, 1, 1)
    assert (second.dice, second.hd95) == (0, pytest.approx(hd95[1]))
    assert found.dice == pytest.approx((first.dice + second.dice) / 2)
    assert found.hd95 == pytest.approx((first.hd95 + second.hd95) / 2)
    assert found.absent == (3,)


def test_without_any_class_means_are_no_numbers():
    nothing = np.zeros((1, 2, 2), np.uint8)
    found = mean_agreement([volume_agreement(nothing, nothing)])
    assert math.isnan(found.dice) and math.isnan(found.hd95) and not found.absent
