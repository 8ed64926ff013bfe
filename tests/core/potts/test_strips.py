"""The Potts model in strips: one certificate for the whole image."""

import numpy as np
import pytest
from builders import mosaic

from wsstools.core.api import potts
from wsstools.core.potts import strips
from wsstools.core.potts.settings import PottsSettings
from wsstools.core.potts.solver import edge_weights, potts_energy, unary
from wsstools.core.potts.strips import potts_in_strips
from wsstools.core.stored_maps import StoredMap


@pytest.fixture
def problem():
    image, dense = mosaic(6, 2)
    return image, StoredMap.of(dense)


@pytest.fixture(params=[12, 64])
def margin(request, monkeypatch):
    monkeypatch.setattr(strips, "_LEAST_MARGIN", request.param)
    monkeypatch.setattr(strips, "_MOST_MARGIN", request.param)
    return request.param


@pytest.mark.parametrize("lambda_", [2.0, 10.0])
def test_the_certificate_is_that_of_the_whole_image(problem, margin, lambda_):
    image, stored = problem
    settings = PottsSettings(lambda_=lambda_, tol=1e-3)
    found = potts_in_strips(stored, image, settings, side=64)
    exact = potts(stored.whole(), image, lambda_=lambda_, tol=1e-5)
    info = found.info
    assert info["strips"] > 2
    # the bound is below the least energy, and the energy is that of the map
    assert info["dual"] <= exact.info["primal"] * (1 + 1e-6)
    assert info["primal"] >= exact.info["dual"] * (1 - 1e-6)
    costs = unary(stored.whole().probs)
    weights = np.float32(lambda_) * edge_weights(image, eta=settings.eta)
    rounded = potts_energy(found.whole().probs, costs, weights)
    assert info["primal"] == pytest.approx(rounded, rel=2e-2)  # a file's numbers are rounded
    assert info["gap"] == pytest.approx((info["primal"] - info["dual"]) / info["primal"])
    assert info["label_energy"] >= info["dual"]
    labels = np.eye(3, dtype=np.float32)[found.values.argmax(axis=0)].transpose(2, 0, 1)
    assert info["label_energy"] == pytest.approx(potts_energy(labels, costs, weights), rel=1e-3)
    if margin == 64:
        assert info["converged"]
        wrong = found.values.argmax(axis=0) != exact.probs.argmax(axis=0)
        assert wrong.mean() < 5e-3


def test_strips_that_do_not_fit_say_so(problem, monkeypatch):
    monkeypatch.setattr(strips, "_LEAST_MARGIN", 0)
    monkeypatch.setattr(strips, "_MOST_MARGIN", 0)
    image, stored = problem
    found = potts_in_strips(stored, image, PottsSettings(lambda_=10.0, tol=1e-4), side=64)
    assert found.info["gap"] > 1e-3
    assert not found.info["converged"]


def test_classes_that_one_strip_needs_are_not_needless(problem):
    image, stored = problem
    values = np.concatenate([stored.values, np.zeros((1, *stored.shape), np.float16)])
    values[1, :100] = 0
    values[:, :100] /= values[:, :100].sum(axis=0)
    wide = StoredMap(values, np.array([0, 1, 3, 5]), 7)
    found = potts_in_strips(wide, image, PottsSettings(lambda_=2.0), side=64)
    assert found.info["needless"] == [5]
    assert not found.values[3].any()
    assert found.info["converged"]


def test_no_border_is_no_problem(problem):
    image, stored = problem
    certain = StoredMap.blank(stored.classes, stored.n_classes, stored.shape)
    certain.values[0] = 1
    found = potts_in_strips(certain, image, PottsSettings(), side=64)
    assert found.info["iterations"] == ()
    assert found.info["gap"] == pytest.approx(0)
    assert (found.values[0] == 1).all()
