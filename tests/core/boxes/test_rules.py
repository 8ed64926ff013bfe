"""The rules by which boxes become labels."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.boxes import grabcut
from wsstools.core.boxes.box import Box
from wsstools.core.boxes.rules import inner_patch, label_boxes
from wsstools.core.boxes.settings import BoxSettings

SHAPE = (6, 8)
LARGE, SMALL = Box(7, 0, 0, 4, 6), Box(3, 2, 4, 6, 8)


@pytest.mark.parametrize("boxes", [[LARGE, SMALL], [SMALL, LARGE]])
def test_filled_boxes_with_smaller_ones_in_front(boxes):
    expected = np.zeros(SHAPE, np.uint8)
    expected[:4, :6] = 7
    expected[2:, 4:] = 3
    np.testing.assert_array_equal(label_boxes(boxes, SHAPE).labels, expected)


def test_of_equal_boxes_the_last_is_in_front():
    first, second = Box(7, 0, 0, 2, 2), Box(3, 1, 1, 3, 3)
    assert label_boxes([first, second], (3, 3)).labels.tolist() == [[7, 7, 0], [7, 3, 3], [0, 3, 3]]


def test_inner_boxes_with_ignored_rings():
    found = label_boxes([LARGE, SMALL], SHAPE, rule="inner", settings=BoxSettings(inner_share=0.25))
    assert found.labels.tolist() == [
        [255, 255, 255, 255, 255, 255, 0, 0],
        [255, 7, 7, 7, 255, 255, 0, 0],
        [255, 7, 7, 7, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 3, 3, 255],
        [0, 0, 0, 0, 255, 3, 3, 255],
        [0, 0, 0, 0, 255, 255, 255, 255],
    ]


def test_the_inner_box_has_a_fifth_of_the_area_and_the_centre():
    patch = inner_patch(Box(7, 5, 5, 105, 205), 0.2)
    rows, columns = np.nonzero(patch == 7)
    assert len(rows) == pytest.approx(0.2 * patch.size, rel=0.02)
    assert abs(rows.mean() - 49.5) <= 0.5 and abs(columns.mean() - 99.5) <= 0.5
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(2, rel=0.02)


def test_the_inner_box_is_never_empty_and_at_most_the_box():
    assert inner_patch(Box(7, 0, 0, 1, 9), 0).tolist() == [[255] * 4 + [7] + [255] * 4]
    assert (inner_patch(Box(7, 0, 0, 3, 5), 1) == 7).all()


@pytest.mark.parametrize("rule", ["box", "inner", "grabcut"])
def test_ignored_boxes_and_images_without_boxes(rule):
    noise = np.zeros((*SHAPE, 3), np.uint8)
    given = {"rule": rule, "image": noise, "rng": np.random.default_rng(0)}
    ignored = label_boxes([Box(255, 0, 0, 2, 2)], SHAPE, **given).labels
    assert (ignored[:2, :2] == 255).all() and ignored.sum() == 4 * 255
    assert not label_boxes([], SHAPE, **given).labels.any()


@pytest.fixture
def shares(monkeypatch):
    """GrabCut whose runs agree on these shares."""

    def of(values):
        def share(image, box, **_):
            return np.broadcast_to(values, box.shape)

        monkeypatch.setattr(grabcut, "foreground_share", share)
        image = np.zeros((2, 5, 3), np.uint8)
        boxes = [Box(3, 0, 0, 2, 5), Box(7, 0, 0, 1, 5)]
        return label_boxes(boxes, (2, 5), rule="grabcut", image=image, rng=np.random.default_rng(0))

    return of


def test_where_runs_disagree_pixels_are_ignored(shares):
    found = shares([1.0, 0.7, 0.6, 0.2, 0.1])
    # the smaller box is in front, but what it leaves to the background is that of the larger
    assert found.labels.tolist() == [[7, 7, 255, 255, 0], [3, 3, 255, 255, 0]]
    assert found.failed == 0


def test_a_segment_that_is_too_small_is_none(shares):
    found = shares([0.6, 0.6, 0.0, 0.6, 0.6])
    assert found.failed == 2
    assert found.labels.tolist() == [[255, 7, 7, 255, 255], [255, 255, 255, 255, 255]]


def test_grabcut_needs_the_image():
    with pytest.raises(ValueError, match="needs an image"):
        label_boxes([LARGE], SHAPE, rule="grabcut")
