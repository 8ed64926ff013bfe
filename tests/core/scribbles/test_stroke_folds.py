"""Strokes in folds, and maps whose pixels are predicted without the strokes near them."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.local.scribbled import ScribbledPixels, scribbled_pixels
from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.drawn import drawn_strokes
from wsstools.core.scribbles.folds import held_out, stroke_folds
from wsstools.errors import SkippedImage

SHAPE = (40, 60)


def pixels_of(scribbles) -> ScribbledPixels:
    return scribbled_pixels(np.zeros((*scribbles.shape, 3), np.uint8), scribbles, 4)


@pytest.fixture
def scribbles():
    drawn = np.full(SHAPE, 255, np.uint8)
    for row in range(4, 36, 8):  # four strokes of one class
        drawn[row : row + 2, 3:23] = 0
    drawn[5:35, 40:43] = 2  # a long one, alone in its class
    drawn[20, 55] = 3
    return drawn


def plane_of(pixels, values, empty=-1):
    plane = np.full(pixels.shape, empty)
    plane[pixels.rows, pixels.columns] = values
    return plane


def test_strokes_are_regions_of_one_class_that_touch_at_corners():
    drawn = np.full((6, 8), 255, np.uint8)
    drawn[1, 1] = drawn[2, 2] = 1
    drawn[2, 3] = 0  # beside it, of another class
    drawn[5, 7] = 1
    strokes = drawn_strokes(drawn)
    assert strokes.classes.tolist() == [0, 1, 1]
    assert (strokes.numbers[1, 1], strokes.numbers[2, 2], strokes.numbers[5, 7]) == (1, 1, 2)
    assert ((strokes.numbers >= 0) == (drawn != 255)).all()


def test_whole_strokes_share_a_fold(scribbles):
    pixels = pixels_of(scribbles)
    folds = plane_of(pixels, stroke_folds(pixels, 4))
    of_strokes = [np.unique(folds[row : row + 2, 3:23]) for row in range(4, 36, 8)]
    assert [len(found) for found in of_strokes] == [1] * 4
    assert sorted(int(found[0]) for found in of_strokes) == [0, 1, 2, 3]


def test_a_long_stroke_is_cut_across(scribbles):
    pixels = pixels_of(scribbles)
    folds = plane_of(pixels, stroke_folds(pixels, 3))[5:35, 40:43]
    assert sorted(np.bincount(folds.ravel(), minlength=3)) == [30, 30, 30]
    assert (folds == folds[:, :1]).all()  # each row of the vertical stroke is in one part
    assert (np.diff(folds[:, 0]) != 0).sum() == 2


def test_every_class_of_two_pixels_is_in_two_folds(scribbles):
    scribbles[21, 55] = 3
    pixels = pixels_of(scribbles)
    folds = stroke_folds(pixels, 5)
    for k in range(len(pixels.classes)):
        assert len(np.unique(folds[pixels.labels == k])) >= 2


def test_a_pixel_is_predicted_without_the_nearest_stroke(scribbles):
    pixels = pixels_of(scribbles)
    seen = []

    def predict(rest: ScribbledPixels) -> ProbabilityMap:
        seen.append(rest)
        probs = np.zeros((len(rest.classes), *SHAPE), np.float32)
        probs[len(seen) % len(rest.classes)] = (
            1  # so that each model can be distinguished from the others
        )
        return ProbabilityMap(probs, rest.classes, 4)

    found = held_out(pixels, 3, predict)
    folds = plane_of(pixels, stroke_folds(pixels, 3))
    np.testing.assert_allclose(found.probs.sum(axis=0), 1)
    assert found.classes.tolist() == [0, 2, 3]
    for fold, rest in enumerate(seen):
        kept = plane_of(rest, 1, 0).astype(bool)
        assert (kept == ((folds >= 0) & (folds != fold))).all()
        class_id = rest.classes[(fold + 1) % len(rest.classes)]
        assert (found.dense()[class_id][folds == fold] == 1).all()
    # beside a stroke, where the regularizer looks, the same model speaks
    np.testing.assert_array_equal(found.probs[:, 6, 3:23], found.probs[:, 5, 3:23])


def test_without_folds_the_model_sees_all(scribbles):
    pixels = pixels_of(scribbles)
    assert held_out(pixels, None, lambda rest: rest.certain()).classes.tolist() == [0, 2, 3]
    calls = []
    held_out(pixels, None, lambda rest: calls.append(rest) or rest.certain())
    assert calls[0] is pixels


def test_one_pixel_cannot_be_held_out():
    drawn = np.full(SHAPE, 255, np.uint8)
    drawn[3, 4] = 1
    with pytest.raises(SkippedImage, match="single scribbled pixel"):
        held_out(pixels_of(drawn), 2, lambda rest: rest.certain())
