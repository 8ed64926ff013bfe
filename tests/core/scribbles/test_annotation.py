"""Marks and the scribbles they draw."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.scribbles.annotation import (
    Annotation,
    Area,
    Line,
    Polygon,
    draw_annotation,
    in_pixels,
    points_outside,
)
from wsstools.core.scribbles.class_names import resolve_names
from wsstools.core.scribbles.remapping import Remapping

SQUARE = np.array([[0.5, 0.5], [4.5, 0.5], [4.5, 4.5], [0.5, 4.5]])


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("pixel", [[0, 0], [0.5, 0.5], [1, 1]]),
        ("image", [[-0.5, -0.5], [4.5, 2], [9.5, 4.5]]),
        ("span", [[0, 0], [4.5, 2], [9, 4]]),
    ],
)
def test_coordinates_become_pixels(unit, expected):
    points = np.array([[0, 0], [0.5, 0.5], [1, 1]])
    area = Area(2, (3, 1), np.ones((1, 2), bool))
    given = Annotation((Line(0, points), Polygon(1, (points, points)), area), unit=unit)
    found = in_pixels(given, (5, 10))
    line, polygon, same = found.marks
    for placed in (line.points, *polygon.rings):
        np.testing.assert_array_equal(placed, expected)
    assert same is area and found.unit == "pixel"
    assert points_outside(given, (5, 10)) == {"pixel": 0, "image": 1, "span": 0}[unit]


def test_rings_in_a_polygon_are_holes_and_rings_beside_it_are_filled():
    hole, beside = SQUARE / 2 + 1.2, SQUARE + np.array([5, 0])
    found = draw_annotation(Annotation((Polygon(3, (SQUARE, hole, beside)),)), {3: 3}, (6, 11))
    expected = np.full((6, 11), 255)
    expected[1:5, 1:5] = expected[1:5, 6:10] = 3
    expected[2:4, 2:4] = 255
    np.testing.assert_array_equal(found, expected)


def test_a_polygon_is_cut_off_at_the_border():
    for shift in ([-2, -2], [8, 3], [50, 50]):
        found = draw_annotation(Annotation((Polygon(0, (SQUARE + shift,)),)), {0: 0}, (6, 11))
        rows, columns = np.indices((6, 11))
        inside = (np.abs(columns - 2.5 - shift[0]) < 2) & (np.abs(rows - 2.5 - shift[1]) < 2)
        np.testing.assert_array_equal(found == 0, inside)


def test_ids_are_replaced_after_all_is_drawn():
    marks = (Polygon(1, (SQUARE,)), Area(2, (0, 0), np.ones((1, 3), bool)))
    annotation = Annotation(marks, remapping=Remapping(((1, 2), (2, 255), (255, 0))))
    found = draw_annotation(annotation, {1: 1, 2: 2}, (6, 6))
    expected = np.zeros((6, 6))
    expected[1:5, 1:5], expected[0, :3] = 2, 255
    np.testing.assert_array_equal(found, expected)


def test_what_is_ignored_is_no_class_whatever_the_names():
    assert resolve_names(["__ignore__", "b"], ["a", "b"]) == {"__ignore__": 255, "b": 1}
    assert resolve_names(["__ignore__"], None) == {"__ignore__": 255}


@pytest.mark.parametrize(
    ("names", "name", "class_id"),
    [
        (["bg", "Ki67+", "Ki67-"], "Ki67-", 2),
        (["bg", "Ki67+", "Ki67-"], "ki67+", 1),
        (["background", "dining-table"], "Dining Table", 1),
        (["background", "tvmonitor"], "tv/monitor", 1),
        (["bg", "Cat", "cat"], "cat", 2),
        (["road", "sky"], "1", 1),
    ],
)
def test_names_are_found_however_they_are_written(names, name, class_id):
    assert resolve_names([name], names) == {name: class_id}


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["other", "CD3+"], "CD3-"),
        (["bg", "Ki67+", "Ki67-"], "ki67 -"),
        (["0", "1"], "-1"),
        (["?", "cell"], "!"),
        (["bg", "Cat", "cat"], "CAT"),
        (["10", "20", "30"], "1"),
        (["Ignore", "Tumor"], "Ignore*"),
    ],
)
def test_a_name_that_means_no_class_or_two_is_refused(names, name):
    with pytest.raises(ValueError, match="no such class"):
        resolve_names([name], names)
