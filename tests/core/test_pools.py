"""Pools of maps, and how they are fitted to ground truth."""

import numpy as np
import pytest

from wsstools.core.evaluation.pool_fitting import (
    KINDS,
    MEAN,
    PER_CLASS,
    Sample,
    equal_pool,
    fitted_pool,
)
from wsstools.core.map_operations import fuse_maps
from wsstools.core.maps import ProbabilityMap
from wsstools.core.pools import LEAST_PROB, LINEAR, LOG_LINEAR, Pool, pool_maps, tempered


def random_map(rng, classes, n_classes=5, size=(7, 6)):
    probs = rng.dirichlet(np.ones(len(classes)), size).transpose(2, 0, 1)
    return ProbabilityMap(probs.astype(np.float32), np.array(classes), n_classes)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    return [random_map(rng, [0, 2, 4]), random_map(rng, [0, 1, 4])]


def test_equal_weights_and_no_temperature_are_the_plain_mean(maps):
    found = pool_maps(maps, equal_pool(2, 5))
    expected = fuse_maps(maps, [1, 1])
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_allclose(found.probs, expected.probs, atol=1e-6)


def test_the_linear_pool_is_the_mean_of_tempered_probabilities(maps):
    weights = np.array([[0.25] * 5, [0.75] * 5])
    pool = Pool(LINEAR, weights, np.array([2.0, 0.5]), np.zeros(5))
    expected = np.zeros((5, 7, 6))
    for entry, weight, temperature in zip(maps, (0.25, 0.75), (2.0, 0.5), strict=True):
        held = fuse_maps(maps, [1, 1]).classes
        powers = np.maximum(entry.dense()[held], LEAST_PROB) ** (1 / temperature)
        expected[held] += weight * powers / powers.sum(axis=0)
    np.testing.assert_allclose(pool_maps(maps, pool).dense(), expected, rtol=1e-4, atol=1e-6)


def test_the_log_linear_pool_is_a_weighted_product_over_the_classes_that_are_held(maps):
    weights = np.array([[1, 2, 0.5, 9, 0.3], [0.1, 1, 2, 9, 0]])
    offsets = np.array([0.5, -1, 0, 9, 1])
    pool = Pool(LOG_LINEAR, weights, np.ones(2), offsets)
    held = [0, 1, 2, 4]
    logs = [np.log(np.maximum(entry.dense(), LEAST_PROB))[held] for entry in maps]
    scores = sum(w[held, None, None] * one for w, one in zip(weights, logs, strict=True))
    powers = np.exp(scores + offsets[held, None, None])
    found = pool_maps(maps, pool)
    assert found.classes.tolist() == held
    np.testing.assert_allclose(found.probs, powers / powers.sum(axis=0), rtol=1e-4, atol=1e-6)


def test_maps_that_do_not_fit_are_refused(maps):
    pool = equal_pool(2, 5)
    with pytest.raises(ValueError, match="1 maps, the parameters are of 2"):
        pool_maps(maps[:1], pool)
    with pytest.raises(ValueError, match="5 classes, the parameters 6"):
        pool_maps(maps, equal_pool(2, 6))
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match=r"shapes \(7, 6\) and \(6, 7\)"):
        pool_maps([maps[0], random_map(rng, [0, 1], size=(6, 7))], pool)
    with pytest.raises(ValueError, match="5 and 3 classes"):
        pool_maps([maps[0], random_map(rng, [0, 1], n_classes=3)], pool)


def test_a_temperature_of_one_changes_nothing_and_a_high_one_makes_alike():
    probs = np.array([[0.7], [0.2], [0.1]], np.float32)
    assert tempered(probs, 1.0) is probs
    np.testing.assert_allclose(tempered(probs, 1e6), 1 / 3, rtol=1e-4)
    assert tempered(probs, 0.2)[0, 0] > 0.99


def drawn(pool, n=6000, n_classes=4, seed=0):
    """Pixels whose class follows the probabilities that a pool gives of random maps."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(n_classes), (len(pool.weights), n)).transpose(0, 2, 1)
    probs = np.maximum(probs, 2 * LEAST_PROB)
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)
    maps = [ProbabilityMap(one[:, None], np.arange(n_classes), n_classes) for one in probs]
    true = pool_maps(maps, pool).probs[:, 0].astype(float).cumsum(axis=0)
    labels = (rng.random(n) > true / true[-1]).sum(axis=0)
    return Sample(probs, np.ones((n_classes, n), bool), labels)


def test_what_is_fitted_is_what_the_classes_were_drawn_from():
    true = Pool(LINEAR, np.array([[0.8] * 4, [0.2] * 4]), np.array([0.5, 2.0]), np.zeros(4))
    found = fitted_pool(LINEAR, drawn(true, 20000))
    np.testing.assert_allclose(found.weights[:, 0], [0.8, 0.2], atol=0.06)
    assert found.temperatures[0] == pytest.approx(0.5, rel=0.15)
    true = Pool(LOG_LINEAR, np.array([[1.5] * 4, [0.3] * 4]), np.ones(2), np.zeros(4))
    found = fitted_pool(LOG_LINEAR, drawn(true))
    np.testing.assert_allclose(found.weights, true.weights, atol=0.12)
    assert (found.offsets == 0).all() and np.ptp(found.weights, axis=1).max() == 0
    weights = np.array([[1.5, 0.2, 1, 1], [0.2, 1.5, 1, 1]])
    true = Pool(LOG_LINEAR, weights, np.ones(2), np.array([0, 0.5, 0, 0]))
    found = fitted_pool(PER_CLASS, drawn(true, 20000))
    np.testing.assert_allclose(found.weights, weights, atol=0.25)


def test_a_class_without_pixels_has_about_the_weights_of_all():
    true = Pool(LOG_LINEAR, np.array([[1.5] * 4, [0.3] * 4]), np.ones(2), np.zeros(4))
    sample = drawn(true)
    kept = sample.labels != 3
    sample = Sample(sample.probs[:, :, kept], sample.possible[:, kept], sample.labels[kept])
    possible = sample.possible.copy()
    possible[3] = False
    found = fitted_pool(PER_CLASS, Sample(sample.probs, possible, sample.labels))
    common = fitted_pool(LOG_LINEAR, Sample(sample.probs, possible, sample.labels))
    np.testing.assert_allclose(found.weights[:, 3], common.weights[:, 3], atol=0.15)
    assert found.offsets[3] == pytest.approx(0, abs=1e-3)


def test_every_kind_can_be_fitted_and_the_plain_mean_is_one():
    sample = drawn(equal_pool(3, 4), n=300)
    for kind in KINDS:
        pool = fitted_pool(kind, sample)
        assert pool.weights.shape == (3, 4)
        assert np.isfinite(pool.weights).all()
    np.testing.assert_allclose(fitted_pool(MEAN, sample).weights, 1 / 3)
