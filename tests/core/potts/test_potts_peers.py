"""The Potts solver against solvers that others wrote for the same anisotropic energy."""

import numpy as np
import pytest
from potts_cuts import alpha_expansion, minimum_cut

from wsstools.core.potts.solver import edge_weights, potts_energy, solve_potts, unary

maxflow = pytest.importorskip("maxflow", reason="PyMaxflow is not installed")
gco = pytest.importorskip("gco", reason="gco-wrapper is not installed")


def problem(seed, n_classes, shape=(60, 90)):
    """A picture of blobs, and noisy probabilities that follow its colours."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    hills = gaussian_filter(rng.normal(size=(n_classes, *shape)), (0, 6, 6))
    image = (hills.argmax(axis=0) * (200 // n_classes)).astype(np.uint8)
    logits = 60 * hills + rng.normal(0, 1, hills.shape)
    probs = np.exp(logits - logits.max(axis=0))
    costs = unary(probs / probs.sum(axis=0))
    return costs, np.float32(3) * edge_weights(image, eta=0.01)


def energy(labels, costs, weights):
    one_hot = (labels == np.arange(len(costs))[:, None, None]).astype(np.float32)
    return potts_energy(one_hot, costs, weights, isotropic=False)


@pytest.mark.parametrize("seed", range(3))
def test_two_labels_reach_the_exact_minimum_cut(seed):
    costs, weights = problem(seed, 2)
    least = energy(minimum_cut(maxflow, costs, weights)(), costs, weights)
    assert least < 0.99 * energy(costs.argmin(axis=0), costs, weights)
    solution = solve_potts(costs, weights, tol=1e-5, isotropic=False)
    assert solution.converged and solution.dual <= least * (1 + 1e-6)
    np.testing.assert_allclose(solution.label_energy, least, rtol=2e-5)


@pytest.mark.parametrize("n_classes", [3, 6])
@pytest.mark.parametrize("seed", range(2))
def test_labels_cost_no_more_than_those_of_alpha_expansion(seed, n_classes):
    costs, weights = problem(seed, n_classes)
    found = energy(alpha_expansion(gco, costs, weights)(), costs, weights)
    solution = solve_potts(costs, weights, tol=1e-4, isotropic=False)
    assert solution.converged and solution.dual <= found
    assert solution.label_energy <= found * (1 + 1e-4)
