"""Maps with fewer classes: sums stay 1, order and ratios stay, bounds hold."""

import numpy as np
import pytest

from wsstools.core.map_operations import restricted, without_improbable
from wsstools.core.maps import ProbabilityMap
from wsstools.formats.map_files import as_stored


def a_map(seed: int = 0, k: int = 6) -> ProbabilityMap:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(k, 0.3), (5, 7)).astype(np.float32)
    return ProbabilityMap(np.moveaxis(probs, -1, 0).copy(), np.arange(k) * 2, 2 * k)


def test_kept_classes_keep_their_ratios():
    whole = a_map()
    part = restricted(whole, [2, 8, 3, 99])
    assert part.classes.tolist() == [2, 8]
    assert part.n_classes == 12
    np.testing.assert_allclose(part.probs.sum(0), 1, atol=1e-6)
    np.testing.assert_allclose(
        part.probs[0] * whole.probs[4], part.probs[1] * whole.probs[1], atol=1e-6
    )


def test_nothing_left_at_a_pixel_is_shared_evenly():
    probs = np.zeros((3, 1, 2), np.float32)
    probs[0], probs[1, 0, 1], probs[0, 0, 1] = 1, 0.25, 0.75
    part = restricted(ProbabilityMap(probs, np.arange(3), 3), [1, 2])
    assert part.probs[:, 0, 0].tolist() == [0.5, 0.5]
    assert part.probs[:, 0, 1].tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"holds the classes \[0, 1, 2\], none"):
        restricted(ProbabilityMap(probs, np.arange(3), 5), [4])


@pytest.mark.parametrize("floor", [0.0, 1e-3, 0.02, 0.3])
def test_no_probability_changes_by_more_than_what_was_left_out(floor):
    probs = a_map(k=8).probs * np.array([1, 1, 1, 0.01, 0.001, 0.02, 1e-4, 1])[:, None, None]
    probs = (probs / probs.sum(0)).astype(np.float32)
    whole = ProbabilityMap(probs, np.arange(8), 8)
    part = without_improbable(whole, floor)
    left_out = 8 - len(part.classes)
    wins = np.isin(np.arange(8), probs.argmax(axis=0))
    assert left_out == ((probs.max(axis=(1, 2)) < floor) & ~wins).sum()
    assert np.abs(part.dense() - whole.dense()).max() <= left_out * floor + 1e-6
    np.testing.assert_allclose(part.probs.sum(0), 1, atol=1e-6)


def test_the_most_probable_class_stays():
    flat = ProbabilityMap(np.full((4, 2, 2), 0.25, np.float32), np.arange(4), 4)
    assert without_improbable(flat, 0.4).classes.tolist() == [0]


@pytest.mark.parametrize("floor", [0.1, 0.3, 0.5, 0.9])
def test_no_floor_changes_a_label(floor):
    """Nearly flat maps, with one class that is certain at one pixel and absent elsewhere."""
    rng = np.random.default_rng(2)
    probs = rng.uniform(0.9, 1.1, (5, 6, 7)).astype(np.float32)
    probs[0] = 0
    probs[:, 3, 3] = [1, 0, 0, 0, 0]
    whole = ProbabilityMap(probs / probs.sum(0), np.arange(5), 5)
    part = without_improbable(whole, floor)
    np.testing.assert_array_equal(part.dense().argmax(0), whole.probs.argmax(0))
    np.testing.assert_allclose(part.probs.sum(0), 1, atol=1e-6)


def test_below_the_default_floor_a_file_shows_nothing():
    probs = a_map(k=4).probs.copy()
    probs[2] = 9e-5
    probs[[0, 1, 3]] *= (1 - 9e-5) / probs[[0, 1, 3]].sum(0)
    whole = ProbabilityMap(probs, np.arange(4), 4)
    narrow = without_improbable(whole, 1e-4)
    assert narrow.classes.tolist() == as_stored(whole).classes.tolist() == [0, 1, 3]
    assert np.abs(as_stored(narrow).probs - as_stored(whole).probs).max() <= 1 / 1024 + 1e-6
