"""What a picture of a map or of errors shows."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.maps import ProbabilityMap, normalized_entropy
from wsstools.view.differences import (
    BOTH_WRONG,
    DIFFERENT,
    FIRST_RIGHT,
    LEFT_OUT,
    MARK_COLOURS,
    SAME,
    SECOND_RIGHT,
    WRONG,
    difference_marks,
    draw_marks,
    error_marks,
)
from wsstools.view.scales import INFERNO, scale_colours


def test_doubt_is_nothing_where_one_class_is_certain_and_one_where_all_are_equal():
    probs = np.array([[[1.0, 0.5, 0.25]], [[0.0, 0.5, 0.25]]], np.float32)
    probs = np.concatenate([probs, np.zeros((2, 1, 3), np.float32)])
    probs[2:, 0, 2] = 0.25
    found = normalized_entropy(ProbabilityMap(probs, np.arange(4), 4))
    assert found[0].tolist() == pytest.approx([0, 0.5, 1])
    fewer = ProbabilityMap(probs[:2, :, :2], np.array([1, 7]), 16)
    assert normalized_entropy(fewer)[0].tolist() == pytest.approx([0, 0.25])


def test_the_probability_of_a_class_that_a_map_does_not_hold_is_zero():
    probs = np.array([[[0.25]], [[0.75]]], np.float32)
    found = ProbabilityMap(probs, np.array([2, 5]), 8)
    assert found.of_class(5).tolist() == [[0.75]]
    assert found.of_class(3).tolist() == [[0.0]]


def test_a_scale_goes_through_its_colours():
    coloured = scale_colours([-1, 0, 0.125, 0.5, 1, 2])
    assert coloured.dtype == np.uint8
    assert coloured[[0, 1, 3, 4, 5]].tolist() == [list(INFERNO[k]) for k in (0, 0, 2, 4, 4)]
    assert coloured[2].tolist() == [44, 8, 57]
    assert scale_colours(0.5, INFERNO[::2]).tolist() == list(INFERNO[2])
    assert scale_colours(np.zeros((2, 3))).shape == (2, 3, 3)


def test_marks_of_errors_and_differences():
    gt = np.array([[1, 1, 1, 1, 1, 255]], np.uint8)
    first = np.array([[1, 2, 1, 2, 2, 1]], np.uint8)
    second = np.array([[1, 1, 2, 2, 255, 2]], np.uint8)
    assert error_marks(second, gt)[0].tolist() == [SAME, SAME, WRONG, WRONG, WRONG, LEFT_OUT]
    assert difference_marks(first, second)[0].tolist() == [
        SAME,
        *[DIFFERENT] * 2,
        SAME,
        *[DIFFERENT] * 2,
    ]
    assert difference_marks(first, second, gt)[0].tolist() == [
        SAME, SECOND_RIGHT, FIRST_RIGHT, SAME, BOTH_WRONG, LEFT_OUT,
    ]  # fmt: skip
    assert difference_marks(second, first, gt)[0, 1] == FIRST_RIGHT
    for others in ((gt[:, :2],), (second, gt[:, :2])):
        with pytest.raises(ValueError, match="shape"):
            difference_marks(first, *others)
    with pytest.raises(ValueError, match="shape"):
        error_marks(first, gt[:, 1:])


def test_marks_are_opaque_and_the_rest_is_pale_and_grey():
    image = np.full((1, 3, 3), (200, 100, 0), np.uint8)
    drawn = draw_marks(image, np.array([[SAME, WRONG, LEFT_OUT]], np.uint8))
    assert drawn[0].tolist() == [[200] * 3, list(MARK_COLOURS[WRONG]), list(MARK_COLOURS[LEFT_OUT])]
    with pytest.raises(ValueError, match="shape"):
        draw_marks(image, np.zeros((3, 1), np.uint8))
