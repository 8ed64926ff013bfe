"""GrabCut on drawn pictures."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from wsstools.core.boxes import grabcut as module
from wsstools.core.boxes.box import Box
from wsstools.core.boxes.grabcut import foreground_share, grabcut
from wsstools.core.boxes.rules import label_boxes


def disc(size: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A red disc on blue, with noise, (H, W, 3), and where it is."""
    rows, columns = np.indices((size, size)) - size / 2
    inside = rows**2 + columns**2 < radius**2
    colours = np.where(inside[..., None], [190, 60, 60], [60, 80, 190])
    noise = np.random.default_rng(0).normal(0, 20, colours.shape)
    return np.clip(colours + noise, 0, 255).astype(np.uint8), inside


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / (found | truth).sum()


def test_the_object_is_found_in_a_loose_box():
    image, truth = disc(80, 20)
    inside = np.zeros(truth.shape, bool)
    inside[14:66, 14:66] = True
    found = grabcut(image.astype(float), inside, rng=np.random.default_rng(0))
    assert iou(found, truth) > 0.97
    assert not found[~inside].any()


@pytest.mark.parametrize(("size", "least"), [(80, 0.95), (300, 0.9)])
def test_runs_agree_on_a_clear_object(size, least):
    image, truth = disc(size, size / 4)
    edge = round(0.2 * size)
    box = Box(5, edge, edge, size - edge, size - edge)
    share = foreground_share(image, box, runs=3, rng=np.random.default_rng(1))
    assert share.shape == box.shape
    assert iou(share >= 0.7, truth[box.pixels]) > least
    labels = label_boxes([box], truth.shape, rule="grabcut", image=image,
                         rng=np.random.default_rng(1)).labels  # fmt: skip
    assert set(np.unique(labels)) <= {0, 5, 255}
    assert iou(labels == 5, truth) > least


def test_the_same_generator_gives_the_same():
    image, _ = disc(40, 10)
    box = Box(5, 8, 8, 32, 32)
    shares = [
        foreground_share(image, box, runs=2, rng=np.random.default_rng(seed)) for seed in (3, 3)
    ]
    np.testing.assert_array_equal(*shares)


@pytest.mark.parametrize(
    "box", [Box(5, 0, 0, 40, 40), Box(5, 0, 0, 1, 1), Box(5, 39, 3, 40, 9), Box(5, 3, 38, 30, 40)]
)
def test_boxes_of_any_size_and_place(box):
    image, _ = disc(40, 10)
    share = foreground_share(image, box, runs=2, rng=np.random.default_rng(0))
    assert share.shape == box.shape
    assert ((share >= 0) & (share <= 1)).all()


def test_without_surroundings_there_is_no_object():
    image, _ = disc(40, 10)
    found = grabcut(image.astype(float), np.ones((40, 40), bool), rng=np.random.default_rng(0))
    assert not found.any()


def test_one_colour_is_no_error():
    inside = np.zeros((20, 20), bool)
    inside[5:15, 5:15] = True
    found = grabcut(np.full((20, 20, 3), 9.0), inside, rng=np.random.default_rng(0))
    assert found.shape == inside.shape


def test_the_cut_is_the_best_of_all_segments():
    rng = np.random.default_rng(4)
    colours = rng.uniform(0, 255, (3, 3, 3))
    borders = module._border_prices(colours)
    prices = borders.toarray() / module._UNITS
    np.testing.assert_array_equal(prices, prices.T)
    assert (prices > 0).sum() == 2 * (6 + 6 + 4 + 4)  # pairs of 8-neighbours, both ways
    for _ in range(5):
        gains = rng.normal(0, 0.3, (3, 3)).round(2)

        def value(segment, gains=gains):
            is_in = np.array(segment, bool)
            return gains.ravel()[is_in].sum() - prices[is_in][:, ~is_in].sum()

        best = max(map(value, product((0, 1), repeat=9)))
        found = value(module._cut(gains, borders).ravel())
        assert found == pytest.approx(best, abs=1e-9)
