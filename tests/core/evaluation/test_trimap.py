"""Bands around the borders of the classes, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.evaluation.trimap import border_distance, within_band


def brute_distance(gt, *, void_is_border=False):
    """Distance to the nearest pixel of another class, by looking at every pair of pixels."""
    rows, columns = np.indices(gt.shape)
    found = np.full(gt.shape, np.inf)
    for r, c in np.argwhere(gt != 255):
        other = gt != gt[r, c]
        if not void_is_border:
            other &= gt != 255
        if other.any():
            found[r, c] = np.hypot(rows[other] - r, columns[other] - c).min()
    return found


def blotches(seed, shape=(23, 31)):
    """Blocks of four classes and of 255."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, 1, 2, 254, 255], (shape[0] // 4 + 1, shape[1] // 4 + 1))
    return np.kron(coarse, np.ones((4, 4)))[: shape[0], : shape[1]].astype(np.uint8)


@pytest.mark.parametrize("void_is_border", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_distances_are_those_of_brute_force(seed, void_is_border):
    gt = blotches(seed)
    expected = brute_distance(gt, void_is_border=void_is_border)
    for limit in (1, 3, 40):
        found = border_distance(gt, limit, void_is_border=void_is_border)
        np.testing.assert_allclose(found, np.where(expected <= limit, expected, np.inf))


def test_a_straight_border_has_bands_of_so_many_pixels_on_either_side():
    gt = np.zeros((5, 20), np.uint8)
    gt[:, 10:] = 7
    distance = border_distance(gt, 4)
    for width in (1, 2, 4):
        kept = within_band(gt, distance, width)
        assert (kept != 255).sum() == 5 * 2 * width
        assert set(np.unique(kept[:, 10 - width : 10 + width])) == {0, 7}


def test_void_is_no_border_unless_asked_for():
    gt = np.zeros((3, 9), np.uint8)
    gt[:, 4] = 255
    assert np.isinf(border_distance(gt, 9)).all()
    asked = border_distance(gt, 9, void_is_border=True)
    assert asked[0].tolist() == [4, 3, 2, 1, np.inf, 1, 2, 3, 4]


def test_classes_on_both_sides_of_a_void_line_see_each_other():
    gt = np.zeros((3, 9), np.uint8)
    gt[:, 4], gt[:, 5:] = 255, 1
    assert border_distance(gt, 9)[1].tolist() == [5, 4, 3, 2, np.inf, 2, 3, 4, 5]


def test_nothing_labelled_has_no_band():
    gt = np.full((4, 4), 255, np.uint8)
    assert (within_band(gt, border_distance(gt, 3), 3) == 255).all()
