"""Fusion, labels, class shares, and maps with fewer classes."""

import re

import numpy as np
import pytest

from wsstools.core.map_operations import (
    adjust_prior,
    argmax_labels,
    class_shares,
    fuse_maps,
    restricted,
    without_improbable,
)
from wsstools.core.maps import ProbabilityMap
from wsstools.core.stored_maps import checked_map
from wsstools.formats.map_files import as_stored


def random_map(seed: int = 0, k: int = 6) -> ProbabilityMap:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(k, 0.3), (5, 7)).astype(np.float32)
    return ProbabilityMap(np.moveaxis(probs, -1, 0).copy(), np.arange(k) * 2, 2 * k)


def test_kept_classes_keep_their_ratios():
    whole = random_map()
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
    probs = random_map(k=8).probs * np.array([1, 1, 1, 0.01, 0.001, 0.02, 1e-4, 1])[:, None, None]
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
    """Nearly flat maps, with one class that is certain at one pixel and absent at all others."""
    rng = np.random.default_rng(2)
    probs = rng.uniform(0.9, 1.1, (5, 6, 7)).astype(np.float32)
    probs[0] = 0
    probs[:, 3, 3] = [1, 0, 0, 0, 0]
    whole = ProbabilityMap(probs / probs.sum(0), np.arange(5), 5)
    part = without_improbable(whole, floor)
    np.testing.assert_array_equal(part.dense().argmax(0), whole.probs.argmax(0))
    np.testing.assert_allclose(part.probs.sum(0), 1, atol=1e-6)


def test_below_the_default_floor_a_file_shows_nothing():
    probs = random_map(k=4).probs.copy()
    probs[2] = 9e-5
    probs[[0, 1, 3]] *= (1 - 9e-5) / probs[[0, 1, 3]].sum(0)
    whole = ProbabilityMap(probs, np.arange(4), 4)
    narrow = without_improbable(whole, 1e-4)
    assert narrow.classes.tolist() == as_stored(whole).classes.tolist() == [0, 1, 3]
    assert (
        np.abs(as_stored(narrow).whole().probs - as_stored(whole).whole().probs).max()
        <= 1 / 1024 + 1e-6
    )


def pixel_map(probs, classes, n_classes=5):
    values = np.array(probs, np.float32).reshape(len(probs), 1, -1)
    return ProbabilityMap(values, np.array(classes), n_classes)


def test_fusing_takes_the_union_of_the_classes():
    fused = fuse_maps([pixel_map([0.8, 0.2], [0, 3]), pixel_map([0.5, 0.5], [1, 3])], [1, 1])
    assert fused.classes.tolist() == [0, 1, 3]
    np.testing.assert_allclose(fused.probs[:, 0, 0], [0.4, 0.25, 0.35], rtol=1e-6)


def test_only_the_ratio_of_the_weights_counts():
    maps = [pixel_map([0.8, 0.2], [0, 1]), pixel_map([0.2, 0.8], [0, 1])]
    np.testing.assert_allclose(fuse_maps(maps, [3, 1]).probs[:, 0, 0], [0.65, 0.35], rtol=1e-6)
    np.testing.assert_allclose(fuse_maps(maps, [6, 2]).probs, fuse_maps(maps, [3, 1]).probs)
    np.testing.assert_allclose(
        fuse_maps(maps, [1.5e308, 5e307]).probs, fuse_maps(maps, [3, 1]).probs
    )


def test_fusing_a_map_with_itself_gives_it():
    rng = np.random.default_rng(0)
    one = checked_map(rng.dirichlet(np.ones(3), (4, 5)).transpose(2, 0, 1), np.arange(3), 3)
    np.testing.assert_allclose(fuse_maps([one, one], [1, 2]).probs, one.probs, atol=1e-6)


def test_maps_that_do_not_fit_are_refused():
    one = pixel_map([0.8, 0.2], [0, 1])
    with pytest.raises(ValueError, match="shapes"):
        fuse_maps([one, ProbabilityMap(np.ones((1, 2, 2), np.float32), np.array([0]), 5)], [1, 1])
    with pytest.raises(ValueError, match="5 and 6 classes"):
        fuse_maps([one, pixel_map([0.8, 0.2], [0, 1], 6)], [1, 1])
    with pytest.raises(ValueError, match="positive"):
        fuse_maps([one, one], [1, 0])


def test_argmax_gives_class_ids_and_ties_to_the_lowest():
    labels = argmax_labels(pixel_map([[0.1, 0.5, 0.3], [0.9, 0.5, 0.7]], [2, 4]))
    assert labels.tolist() == [[4, 2, 4]]
    assert labels.dtype == np.uint8


def test_uncertain_pixels_are_left_open():
    labels = argmax_labels(pixel_map([[0.1, 0.5, 0.35], [0.9, 0.5, 0.65]], [0, 1]), min_prob=0.65)
    assert labels.tolist() == [[1, 255, 1]]


def test_a_class_id_of_255_does_not_fit():
    with pytest.raises(ValueError, match="255"):
        argmax_labels(pixel_map([1.0], [255], 256))


SHAPE = (40, 50)


def map_over(probs, n_classes=None):
    probs = np.asarray(probs, np.float32)
    return ProbabilityMap(probs, np.arange(len(probs)), n_classes or len(probs))


def test_a_model_of_balanced_classes_becomes_the_one_of_their_true_shares():
    """Two Gaussian classes: the posterior under even shares, adjusted, is that under 0.9, 0.1."""
    x = np.linspace(-4, 4, 200)
    likelihood = np.stack([np.exp(-((x + 1) ** 2) / 2), np.exp(-((x - 1) ** 2) / 2)])
    shares = np.array([0.9, 0.1])

    def posterior(prior):
        joint = likelihood * prior[:, None]
        return (joint / joint.sum(0))[:, None, :]

    even = np.array([0.5, 0.5])
    adjusted = adjust_prior(map_over(posterior(even)), even, shares)
    np.testing.assert_allclose(adjusted.probs, posterior(shares), atol=1e-6)
    half = adjust_prior(map_over(posterior(even)), even, shares, 0.5)
    twice = adjust_prior(half, even, shares, 0.5)
    np.testing.assert_allclose(twice.probs, adjusted.probs, atol=1e-6)
    same = adjust_prior(map_over(posterior(even)), even, shares, 0.0)
    np.testing.assert_allclose(same.probs, posterior(even), atol=1e-6)


def test_classes_keep_their_ids_and_the_sum_stays_one():
    rng = np.random.default_rng(0)
    probs = np.moveaxis(rng.dirichlet([1, 1, 1], SHAPE), -1, 0).astype(np.float32)
    found = ProbabilityMap(probs, np.array([1, 4, 6]), 8)
    learned, wanted = (
        class_shares(np.arange(1, 9)),
        class_shares(np.array([0, 9, 0, 1, 5, 0, 1, 0])),
    )
    adjusted = adjust_prior(found, learned, wanted)
    assert adjusted.classes.tolist() == [1, 4, 6]
    np.testing.assert_allclose(adjusted.probs.sum(0), 1, atol=1e-6)
    ratio = (wanted[4] / learned[4]) / (wanted[1] / learned[1])
    np.testing.assert_allclose(
        adjusted.probs[1] * probs[0], ratio * adjusted.probs[0] * probs[1], rtol=1e-5
    )


def test_a_class_of_almost_no_share_is_not_lost_where_it_is_alone():
    probs = np.zeros((2, 1, 2), np.float32)
    probs[1, 0, 0], probs[0, 0, 1] = 1, 1
    adjusted = adjust_prior(map_over(probs), class_shares(np.array([1, 9])), np.array([1, 1e-44]))
    assert adjusted.probs[:, 0, 0].tolist() == [0, 1]
    assert adjusted.probs[:, 0, 1].tolist() == [1, 0]


def test_shares_that_do_not_fit_are_refused():
    found = map_over(np.full((2, 1, 1), 0.5))
    even = np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="shares of 3 classes, the map has 2"):
        adjust_prior(found, even, np.ones(3) / 3)
    with pytest.raises(ValueError, match="not positive"):
        adjust_prior(found, np.array([1.0, 0.0]), even)
    with pytest.raises(ValueError, match="no pixel"):
        class_shares(np.zeros(3, int))


def test_scribbled_pixels_get_their_class():
    probs = np.array([[[0.9, 0.4, 0.1]], [[0.1, 0.6, 0.9]]], np.float32)
    found = ProbabilityMap(probs, np.array([0, 2]), 4)
    scribbles = np.array([[255, 0, 3]], np.uint8)
    assert argmax_labels(found, scribbles).tolist() == [[0, 0, 3]]
    assert argmax_labels(found, scribbles, min_prob=0.95).tolist() == [[255, 0, 3]]
    assert argmax_labels(found, np.full((1, 3), 255, np.uint8)).tolist() == [[0, 2, 2]]


@pytest.mark.parametrize(
    ("scribbles", "message"),
    [([[4, 255, 255]], "scribbles hold class 4, the map is of 4"), ([[0, 0]], "have shape (1, 2)")],
)
def test_scribbles_that_do_not_fit_a_map_are_refused(scribbles, message):
    found = ProbabilityMap(np.full((2, 1, 3), 0.5, np.float32), np.array([0, 2]), 4)
    with pytest.raises(ValueError, match=re.escape(message)):
        argmax_labels(found, np.array(scribbles, np.uint8))
