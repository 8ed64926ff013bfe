"""Predicted labels corrected by boxes."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.boxes.box import Box
from wsstools.core.boxes.denoising import denoise_labels
from wsstools.core.boxes.rules import label_boxes


def denoised(labels, boxes, **options):
    labels = np.array(labels, np.uint8)
    return denoise_labels(labels, boxes, label_boxes(boxes, labels.shape).labels, **options)


def test_what_is_outside_the_boxes_of_its_class_becomes_background():
    found = denoised(
        [
            [7, 7, 7, 3, 255],
            [7, 7, 3, 0, 9],
        ],
        [Box(7, 0, 0, 2, 3)],
    )
    assert found.labels.tolist() == [[7, 7, 7, 0, 0], [7, 7, 0, 0, 0]]
    assert (found.outside, found.reset) == (4, 0)


def test_any_box_of_its_class_keeps_a_pixel_where_boxes_overlap():
    boxes = [Box(7, 0, 0, 2, 4), Box(3, 0, 2, 2, 5)]
    found = denoised([[7, 7, 7, 3, 3], [7, 7, 3, 3, 7]], boxes)
    assert found.labels.tolist() == [[7, 7, 7, 3, 3], [7, 7, 3, 3, 0]]
    assert (found.outside, found.reset) == (1, 0)


def test_ignored_pixels_in_a_box_stay():
    assert denoised([[7, 7, 255, 255]], [Box(7, 0, 0, 1, 3)]).labels.tolist() == [[7, 7, 255, 0]]


@pytest.mark.parametrize(("least_iou", "expected"), [(0.5, [7, 7, 0, 0]), (0.51, [7, 7, 7, 7])])
def test_a_box_that_is_hardly_covered_is_reset(least_iou, expected):
    found = denoised([[7, 7, 0, 0]], [Box(7, 0, 0, 1, 4)], least_iou=least_iou)
    assert found.labels.tolist() == [expected]
    assert found.reset == (expected[3] == 7)


def test_a_reset_leaves_smaller_boxes_in_front_alone():
    boxes = [Box(7, 0, 0, 1, 6), Box(3, 0, 3, 1, 6)]
    found = denoised([[0, 0, 0, 0, 3, 3]], boxes)
    assert found.labels.tolist() == [[7, 7, 7, 0, 3, 3]]
    assert found.reset == 1


def test_the_rest_of_a_box_in_front_does_not_reset_the_box_behind():
    boxes = [Box(7, 0, 0, 1, 6), Box(3, 0, 4, 1, 6)]
    found = denoised([[7, 7, 7, 7, 0, 0]], boxes)
    assert found.labels.tolist() == [[7, 7, 7, 7, 3, 3]]


def test_a_box_is_reset_to_what_its_rule_gives():
    box = Box(7, 0, 0, 1, 3)
    inner = np.array([[255, 7, 255, 0]], np.uint8)
    found = denoise_labels(np.array([[0, 0, 0, 7]], np.uint8), [box], inner)
    assert found.labels.tolist() == [[255, 7, 255, 0]]


def test_areas_to_ignore_are_ignored():
    assert denoised([[7, 7, 0]], [Box(255, 0, 0, 1, 2)]).labels.tolist() == [[255, 255, 0]]


def test_without_boxes_all_is_background():
    assert not denoised([[7, 255, 0]], []).labels.any()


def test_sizes_are_compared():
    with pytest.raises(
        ValueError, match=r"labels have shape \(1, 2\), those of the boxes \(2, 1\)"
    ):
        denoise_labels(np.zeros((1, 2), np.uint8), [], np.zeros((2, 1), np.uint8))
