"""Scribbles corrected by ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.scribbles.curation import curate_scribbles


def test_scribbles_take_the_ground_truth_of_their_pixels():
    scribbles = np.array([[0, 0, 255, 2], [1, 255, 1, 7]], np.uint8)
    gt = np.array([[0, 3, 3, 255], [1, 1, 1, 4]], np.uint8)
    found = curate_scribbles(scribbles, gt)
    assert found.scribbles.tolist() == [[0, 3, 255, 255], [1, 255, 1, 4]]
    assert found.scribbles.dtype == np.uint8
    assert (found.moved, found.dropped, found.missing) == (2, 1, ())


def test_missing_are_the_classes_without_a_scribble_left():
    gt = np.array([[0, 1, 5, 255]], np.uint8)
    assert curate_scribbles(np.array([[0, 255, 255, 5]], np.uint8), gt).missing == (1, 5)
    assert curate_scribbles(np.full((1, 4), 255, np.uint8), gt).missing == (0, 1, 5)
    nothing = np.full((1, 4), 255, np.uint8)
    assert curate_scribbles(np.zeros((1, 4), np.uint8), nothing).missing == ()


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\), ground truth \(3, 2\)"):
        curate_scribbles(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
