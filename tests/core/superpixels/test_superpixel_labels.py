"""Labels of superpixels: moves of one label against all labellings, strokes, maps."""

import itertools

import numpy as np
import pytest

from wsstools.core.maps import ProbabilityMap
from wsstools.core.superpixels.expansion import _energy, expanded
from wsstools.core.superpixels.labelling import superpixel_labels
from wsstools.core.superpixels.segments import segments
from wsstools.core.superpixels.settings import SuperpixelSettings


def graph(seed: int, n_labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pairs = np.array([p for p in itertools.combinations(range(6), 2) if rng.random() < 0.5])
    return 2 * rng.random((6, n_labels)), pairs.reshape(-1, 2), rng.random(len(pairs))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_labels", [2, 3])
def test_moves_end_near_the_least_energy(seed, n_labels):
    """Of two labels at it; of more, at less than twice of it (Boykov et al., 2001)."""
    problem = graph(seed, n_labels)
    every = (np.array(labels) for labels in itertools.product(range(n_labels), repeat=6))
    least = min(_energy(labels, *problem) for labels in every)
    found = _energy(expanded(*problem), *problem)
    assert found <= (least + 1e-4 if n_labels == 2 else 2 * least)


@pytest.mark.parametrize("seed", range(6))
def test_no_move_of_one_label_is_better(seed):
    costs, pairs, weights = graph(seed, 3)
    labels = expanded(costs, pairs, weights)
    energy = _energy(labels, costs, pairs, weights)
    for label, moves in itertools.product(range(3), itertools.product([False, True], repeat=6)):
        moved = np.where(moves, label, labels)
        assert _energy(moved, costs, pairs, weights) >= energy - 1e-4


def test_labels_that_are_not_allowed_are_not_taken():
    costs, pairs, weights = graph(0, 3)
    costs[0] = [np.inf, np.inf, 0.0]
    costs[5] = [np.inf, 0.0, np.inf]
    labels = expanded(costs, pairs, 1e6 * weights)
    assert (labels[0], labels[5]) == (2, 1)


def fields() -> tuple[np.ndarray, np.ndarray]:
    """Three stripes of colours, with noise, and a stroke in the first and the last."""
    rng = np.random.default_rng(0)
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, :20], image[:, 20:40], image[:, 40:] = (200, 40, 40), (180, 60, 50), (40, 40, 200)
    image += rng.integers(0, 8, image.shape, dtype=np.uint8)
    scribbles = np.full((40, 60), 255, np.uint8)
    scribbles[18:22, 4:10] = 1
    scribbles[18:22, 50:56] = 3
    return image, scribbles


def test_strokes_fill_what_is_alike():
    image, scribbles = fields()
    labels = superpixel_labels(image, scribbles)
    assert labels.dtype == np.uint8
    assert (labels[:, :20] == 1).mean() > 0.95
    assert (labels[:, 40:] == 3).mean() > 0.95


def test_a_map_decides_where_there_is_no_stroke():
    image, scribbles = fields()
    probs = np.full((3, 40, 60), 0.05, np.float32)
    probs[0, :, :20] = probs[2, :, 20:] = 0.9
    probability_map = ProbabilityMap(probs, np.array([1, 2, 3]), 5)
    labels = superpixel_labels(image, scribbles, probability_map)
    assert (labels[:, 20:40] == 3).mean() > 0.95
    assert set(np.unique(labels)) == {1, 3}  # class 2 has no stroke
    strong = SuperpixelSettings(pairwise=1e6)
    assert (superpixel_labels(image, scribbles, probability_map, settings=strong) != 2).all()


def test_most_stroke_pixels_decide_a_superpixel():
    image = np.full((30, 30, 3), 90, np.uint8)
    scribbles = np.full((30, 30), 255, np.uint8)
    scribbles[5, 2:12] = 0
    scribbles[20, 2:22] = 4
    assert (superpixel_labels(image, scribbles) == 4).all()


def test_without_strokes_there_are_no_labels():
    image, scribbles = fields()
    with pytest.raises(ValueError, match="no pixel is scribbled"):
        superpixel_labels(image, np.full_like(scribbles, 255))


def test_segments_touch_once_and_are_alike_by_colour():
    image, _ = fields()
    parts = segments(image, SuperpixelSettings())
    assert parts.of_pixel.shape == (40, 60) and parts.n == len(np.unique(parts.of_pixel))
    assert (parts.pairs[:, 0] < parts.pairs[:, 1]).all()
    assert len(np.unique(parts.pairs, axis=0)) == len(parts.pairs)
    red, pink, blue = (int(parts.of_pixel[5, column]) for column in (2, 30, 57))
    likeness = dict(zip(map(tuple, parts.pairs.tolist()), parts.likeness, strict=True))
    assert red != pink != blue
    assert all(0 <= value <= 1 for value in likeness.values())
