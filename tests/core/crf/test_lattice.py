"""The permutohedral lattice: its geometry, and its filter against the Gaussian."""

import itertools

import numpy as np
import pytest

from wsstools.core.crf.lattice import Lattice


def points(rng, n_features, n):
    return rng.normal(0, 1.5, (n_features, n)).astype(np.float32)


def barycentric(lattice):
    """Weights without the normalization, which scales all weights of a point alike."""
    return lattice.weights / lattice.weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_features", [1, 2, 3, 5])
def test_points_lie_between_vertices_of_their_simplex(n_features):
    lattice = Lattice.of(points(np.random.default_rng(0), n_features, 203))
    weights = barycentric(lattice)
    assert weights.min() > -1e-5 and weights.max() < 1 + 1e-5
    assert all(len(set(vertices)) == n_features + 1 for vertices in lattice.offsets)
    assert lattice.offsets.min() == 0 and lattice.offsets.max() < lattice.n_vertices


def test_a_point_that_moves_into_a_vertex_has_all_its_weight_there():
    lattice = Lattice.of(np.zeros((5, 1), np.float32))  # the origin is a vertex
    np.testing.assert_allclose(np.sort(barycentric(lattice)[0]), [0, 0, 0, 0, 0, 1], atol=1e-6)


@pytest.mark.parametrize("n_features", [2, 5])
def test_each_axis_has_every_vertex_once(n_features):
    lattice = Lattice.of(points(np.random.default_rng(1), n_features, 300))
    for chain in lattice.chains:
        vertices = np.where(chain < 0, ~chain, chain)
        assert (np.sort(vertices[:-1]) == np.arange(lattice.n_vertices)).all()
        assert chain[-1] == chain[-2] < 0


def test_neighbours_of_a_full_grid_are_found():
    """Far from the border each vertex of a filled plane has two neighbours along each axis."""
    side = 40
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side))).reshape(2, -1)
    lattice = Lattice.of((grid / 3).astype(np.float32))
    n_ends = (lattice.chains[:, :-1] < 0).sum(axis=1)  # one for each line of vertices
    assert (n_ends < 3 * np.sqrt(lattice.n_vertices)).all()


@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_the_filter_is_close_to_the_gaussian(n_features):
    """In float64 by brute force; the lattice is known to be off by some per cent."""
    rng = np.random.default_rng(2)
    features = rng.uniform(0, 4, (n_features, 3000)).astype(np.float32)
    squared = ((features[:, :, None] - features[:, None]) ** 2).sum(axis=0)
    kernel = np.exp(-squared / 2)
    norms = 1 / np.sqrt(kernel.sum(axis=1))
    values = (features[0] > 2).astype(np.float32)
    expected = norms * (kernel @ (norms * values))
    assert np.abs(Lattice.of(features).filter(values) - expected).mean() < 0.03


def test_the_filter_is_linear_and_nearly_symmetric():
    rng = np.random.default_rng(3)
    lattice = Lattice.of(points(rng, 5, 400))
    a, b = rng.uniform(0, 1, (2, 400)).astype(np.float32)
    np.testing.assert_allclose(
        lattice.filter(2 * a + b), 2 * lattice.filter(a) + lattice.filter(b), rtol=1e-4
    )
    np.testing.assert_allclose(a @ lattice.filter(b), b @ lattice.filter(a), rtol=0.02)


def test_the_filter_does_not_depend_on_the_order_of_the_points():
    rng = np.random.default_rng(4)
    features, values = points(rng, 3, 500), rng.uniform(0, 1, 500).astype(np.float32)
    order = rng.permutation(500)
    found = Lattice.of(features[:, order]).filter(values[order])
    np.testing.assert_allclose(found, Lattice.of(features).filter(values)[order], rtol=1e-4)


def test_the_table_grows():
    """More vertices than the table begins with: those of a grid are numbered as before."""
    far_apart = np.array(list(itertools.product(range(0, 60, 6), repeat=3)), np.float32).T
    lattice = Lattice.of(far_apart)
    assert lattice.n_vertices > 3 * far_apart.shape[1]
    np.testing.assert_allclose(lattice.filter(np.ones(1000, np.float32)), 1, atol=0.02)


@pytest.mark.parametrize("reach", [1e5, np.inf, np.nan])
def test_points_too_far_away_are_refused(reach):
    features = np.zeros((5, 8), np.float32)
    features[3, 2] = reach
    with pytest.raises(ValueError, match="lattice steps, expected 32767 at most"):
        Lattice.of(features)


def test_points_spread_too_far_are_refused():
    features = np.random.default_rng(5).uniform(0, 3000, (5, 8)).astype(np.float32)
    with pytest.raises(ValueError, match="lattice cells"):
        Lattice.of(features)
