"""Boxes of marks and of label maps."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.boxes.box import LEAST_AREA, Box, boxes_of_annotation, boxes_of_labels, is_box
from wsstools.core.scribbles.annotation import Annotation, Area, Line, Polygon


def ring(*points):
    return Polygon("cat", (np.array(points, float),))


BOX = ring((1.5, 0.5), (4.5, 0.5), (4.5, 2.5), (1.5, 2.5))


@pytest.mark.parametrize(
    "mark",
    [
        BOX,
        ring((0, 0), (0, 2), (3, 2), (3, 0)),  # the other way round
        ring((0, 0), (3, 0), (3, 2), (0, 2), (0, 0)),  # closed, as GeoJSON has it
        ring((0, 0), (0, 0), (0, 2), (0, 2)),  # without area
    ],
)
def test_upright_rectangles_are_boxes(mark):
    assert is_box(mark)


@pytest.mark.parametrize(
    "mark",
    [
        ring((0, 0), (3, 0), (3, 2)),
        ring((0, 0), (3, 1), (2, 3), (-1, 2)),  # turned
        ring((0, 0), (3, 2), (3, 0), (0, 2)),  # crosses itself
        ring((0, 0), (3, 0), (3, 2), (0, 2), (0, 1)),
        Polygon("cat", BOX.rings * 2),  # with a hole
        Line("cat", BOX.rings[0]),
        Area("cat", (0, 0), np.ones((2, 2), bool)),
    ],
)
def test_other_marks_are_none(mark):
    assert not is_box(mark)


def boxes_of(*marks, shape=(4, 6), unit="pixel"):
    return boxes_of_annotation(Annotation(marks, unit=unit), {"cat": 8}, shape)


def test_a_box_holds_the_pixels_whose_centres_lie_in_it():
    assert boxes_of(BOX) == [Box(8, 1, 2, 3, 5)]
    assert boxes_of(BOX)[0].area == 6
    assert boxes_of(ring((0.4, 0), (1.6, 0), (1.6, 0.9), (0.4, 0.9))) == [Box(8, 0, 1, 1, 2)]


def test_shares_of_the_image_are_pixels():
    whole = ring((0, 0.5), (1, 0.5), (1, 1), (0, 1))
    assert boxes_of(whole, unit="image") == [Box(8, 2, 0, 4, 6)]


def test_boxes_are_cut_off_at_the_border_and_left_out_beyond_it():
    far = ring((20, 0), (30, 0), (30, 2), (20, 2))
    flat = ring((1, 1), (1, 1), (1, 3), (1, 3))
    large = ring((-50, -9), (1.5, -9), (1.5, 90), (-50, 90))
    assert boxes_of(far, flat, large) == [Box(8, 0, 0, 4, 2)]


def test_each_8_connected_region_of_labels_has_a_box():
    labels = np.array(
        [
            [0, 7, 0, 0, 3],
            [0, 0, 7, 0, 3],
            [0, 0, 0, 0, 255],
            [7, 0, 0, 0, 3],
        ]
    )
    expected = [Box(3, 0, 4, 2, 5), Box(3, 3, 4, 4, 5), Box(7, 0, 1, 2, 3), Box(7, 3, 0, 4, 1)]
    assert boxes_of_labels(labels, 1) == expected
    assert boxes_of_labels(labels, 2) == [expected[0], expected[2]]
    assert boxes_of_labels(labels, 3) == []


def test_the_largest_region_of_a_class_has_a_box_by_default():
    labels = np.zeros((40, 40), np.uint8)
    labels[0, :3] = labels[5, :2] = 4
    labels[20:32, 20:32] = labels[20:31, 0:13] = 6
    assert boxes_of_labels(labels) == [Box(4, 0, 0, 1, 3), Box(6, 20, 20, 32, 32)]
    assert LEAST_AREA == 144


def test_no_class_no_box():
    assert boxes_of_labels(np.array([[0, 255]])) == []
