"""The Potts solver: energies, bounds and optima against plain implementations."""

from itertools import pairwise, product

import numpy as np
import pytest
from builders import best_labelling, gradient, random_problem, reference_energy

from wsstools.core.potts.bounds import column_bound, sharpen
from wsstools.core.potts.iteration import Iteration
from wsstools.core.potts.kernels import sorting_network
from wsstools.core.potts.levels import Problem
from wsstools.core.potts.planes import Fields
from wsstools.core.potts.solver import (
    edge_weights,
    needed_classes,
    potts_energy,
    solve_potts,
    unary,
)
from wsstools.core.potts.tiles import Tiles


def divergence(px, py):
    div = px + py
    div[..., 1:] -= px[..., :-1]
    div[..., 1:, :] -= py[..., :-1, :]
    return div


def onto_simplex(planes):
    ordered = -np.sort(-planes, axis=0)
    count = np.arange(1, len(planes) + 1)[:, None, None]
    return np.maximum(planes - ((ordered.cumsum(axis=0) - 1) / count).max(axis=0), 0)


def reference_solution(costs, weights, n_iterations):
    """Chambolle and Pock's algorithm as printed, isotropic, in float64."""
    step = 1 / np.sqrt(8)
    soft = np.full_like(costs, 1 / len(costs))
    ahead, px, py = soft, np.zeros_like(costs), np.zeros_like(costs)
    for _ in range(n_iterations):
        dx, dy = gradient(ahead)
        px, py = px + step * dx, py + step * dy
        shrink = np.maximum(np.hypot(px, py) / weights, 1)
        px, py = px / shrink, py / shrink
        new = onto_simplex(soft - step * (costs - divergence(px, py)))
        soft, ahead = new, 2 * new - soft
    return soft


def test_edge_weights_of_a_step_in_colour():
    image = np.zeros((3, 3, 3), np.uint8)
    image[:, 2] = (30, 60, 60)
    image[2, 0] = 100
    g = edge_weights(image, eta=0.01)
    step = np.sqrt((30**2 + 60**2 + 60**2) / 3)
    length = [[0, step, 0], [100, step, 0], [100, step, 0]]
    np.testing.assert_allclose(g, np.exp(-0.01 * np.array(length)), rtol=1e-6)
    assert g.dtype == np.float32


def test_edge_weights_join_both_directions_and_read_grey_like_colour():
    grey = np.array([[10, 40], [50, 10]], np.uint8)
    g = edge_weights(grey, eta=0.1)
    np.testing.assert_allclose(g, np.exp([[-5, -3], [-4, 0]]), rtol=1e-6)
    colour = np.repeat(grey[:, :, None], 3, axis=2).astype(np.float64)
    np.testing.assert_allclose(edge_weights(colour, eta=0.1), g, rtol=1e-6)
    assert (edge_weights(grey, eta=0) == 1).all()


def test_edge_weights_refuse_what_is_no_image():
    for image in (np.zeros(3), np.zeros((2, 3, 4, 5)), np.zeros((0, 3)), np.zeros((4, 5, 2))):
        with pytest.raises(ValueError, match="image has shape"):
            edge_weights(image, eta=0.01)
    with pytest.raises(ValueError, match="not finite"):
        edge_weights(np.array([[1.0, np.nan]]), eta=0.01)
    with pytest.raises(ValueError, match="eta is -1"):
        edge_weights(np.zeros((2, 2)), eta=-1)


def test_unary_is_the_negative_logarithm_above_the_floor():
    costs = unary(np.array([1.0, 0.5, 0.0, 0.01]).reshape(4, 1, 1), floor=0.1)
    np.testing.assert_allclose(costs.ravel(), [0, np.log(2), np.log(10), np.log(10)], rtol=1e-6)
    assert costs.dtype == np.float32
    for probs, floor, message in (
        (np.ones((2, 2)), 0.1, "probs has shape"),
        (np.ones((2, 2, 2)), 0, "floor is 0"),
        (np.full((2, 2, 2), np.nan), 0.1, "not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            unary(probs, floor=floor)


@pytest.mark.parametrize("n", range(1, 13))
def test_sorting_network_sorts_all_zero_one_inputs(n):
    # A network that sorts every sequence of zeros and ones sorts every sequence.
    values = np.array(list(product((0, 1), repeat=n)))
    for i, j in sorting_network(n):
        assert 0 <= i < j < n
        values[:, i], values[:, j] = values[:, [i, j]].max(axis=1), values[:, [i, j]].min(axis=1)
    assert (np.diff(values, axis=1) <= 0).all()


def test_potts_energy_of_a_known_map():
    labels = np.array([[0, 0, 1], [0, 1, 1]])
    soft = (labels == np.arange(2)[:, None, None]).astype(np.float32)
    costs = np.stack([np.zeros((2, 3)), np.full((2, 3), 0.5)])
    weights = np.array([[1, 2, 3], [4, 5, 6]])
    # Borders: pixel (0, 1) to the right and below, pixel (1, 0) to the right; two classes each.
    np.testing.assert_allclose(potts_energy(soft, costs, weights), 1.5 + 2 * (2 * 2**0.5 + 4))
    anisotropic = potts_energy(soft, costs, weights, isotropic=False)
    np.testing.assert_allclose(anisotropic, 1.5 + 2 * (2 * 2 + 4))


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_relaxed_optimum_is_below_the_best_labelling(n_classes, isotropic, seed):
    rng = np.random.default_rng(seed)
    costs, weights = random_problem(rng, (3, 3), n_classes, smoothness=0.5)
    solution = solve_potts(costs, weights, tol=1e-5, isotropic=isotropic)
    best = best_labelling(costs, weights, isotropic)
    assert solution.converged
    assert solution.dual <= best * (1 + 1e-6)
    assert solution.primal <= best * (1 + 2e-5)
    assert solution.label_energy >= best * (1 - 1e-6)
    if n_classes == 2 and not isotropic:  # that relaxation is exact
        np.testing.assert_allclose(solution.primal, best, rtol=2e-5)
        np.testing.assert_allclose(solution.label_energy, best, rtol=2e-5)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 6, 12, 21])
def test_solution_is_certified_and_on_the_simplex(n_classes, isotropic):
    rng = np.random.default_rng(n_classes)
    for shape, smoothness in (((13, 22), 0.3), ((40, 33), 3.0)):
        costs, weights = random_problem(rng, shape, n_classes, smoothness)
        solution = solve_potts(costs, weights, isotropic=isotropic)
        assert solution.converged and solution.gap <= 1e-3
        assert solution.dual <= solution.primal <= solution.label_energy * (1 + 1e-3)
        assert solution.gap == (solution.primal - solution.dual) / abs(solution.primal)
        assert solution.soft.dtype == np.float32 and solution.soft.min() >= 0
        np.testing.assert_allclose(solution.soft.sum(axis=0), 1, atol=1e-5)
        energy = reference_energy(solution.soft, costs, weights, isotropic)
        np.testing.assert_allclose(solution.primal, energy, rtol=1e-5)
        labels = solution.soft.argmax(axis=0) == np.arange(n_classes)[:, None, None]
        energy = reference_energy(labels, costs, weights, isotropic)
        np.testing.assert_allclose(solution.label_energy, energy, rtol=1e-5)


def test_energy_agrees_with_a_plain_implementation():
    rng = np.random.default_rng(5)
    costs, weights = random_problem(rng, (17, 24), 4)
    solution = solve_potts(costs, weights, tol=1e-4)
    reference = reference_solution(costs.astype(np.float64), weights.astype(np.float64), 1500)
    energy = reference_energy(reference, costs, weights)
    np.testing.assert_allclose(solution.primal, energy, rtol=1e-3)
    assert solution.dual <= energy
    assert np.abs(solution.soft - reference).mean() < 0.02


def test_levels_change_the_way_and_not_the_result():
    rng = np.random.default_rng(6)
    costs, weights = random_problem(rng, (70, 61), 3, smoothness=2.0)
    coarse_to_fine = solve_potts(costs, weights, tol=1e-4)
    fine = solve_potts(costs, weights, tol=1e-4, levels=1)
    assert len(coarse_to_fine.iterations) == 4 and len(fine.iterations) == 1
    assert coarse_to_fine.dual <= fine.primal and fine.dual <= coarse_to_fine.primal
    np.testing.assert_allclose(coarse_to_fine.primal, fine.primal, rtol=2e-4)


def test_classes_can_be_permuted():
    rng = np.random.default_rng(7)
    costs, weights = random_problem(rng, (30, 41), 5)
    order = rng.permutation(5)
    solution = solve_potts(costs, weights)
    permuted = solve_potts(costs[order], weights)
    np.testing.assert_allclose(permuted.soft, solution.soft[order], atol=1e-3)
    np.testing.assert_allclose(permuted.primal, solution.primal, rtol=1e-6)


def test_without_smoothing_the_labels_are_the_most_probable():
    costs, weights = random_problem(np.random.default_rng(8), (9, 14), 4)
    for smoothness in (0, 1e-6):
        solution = solve_potts(costs, smoothness * weights)
        assert (solution.soft.argmax(axis=0) == costs.argmin(axis=0)).all()
        assert solution.converged
        np.testing.assert_allclose(solution.primal, costs.min(axis=0).sum(), rtol=1e-3)
        np.testing.assert_allclose(solution.soft.sum(axis=0), 1, atol=1e-5)


def test_much_smoothing_gives_one_label():
    costs, weights = random_problem(np.random.default_rng(9), (37, 52), 3)
    for smoothness in (1e2, 1e4):
        solution = solve_potts(costs, smoothness * weights)
        best = costs.sum(axis=(1, 2)).argmin()
        assert (solution.soft.argmax(axis=0) == best).all()
        assert solution.converged
        np.testing.assert_allclose(solution.label_energy, costs[best].sum(), rtol=1e-5)


def test_a_border_follows_the_edge_of_the_image():
    rng = np.random.default_rng(10)
    image = np.zeros((40, 50), np.uint8)
    image[:, 25:] = 200
    first = np.where(np.arange(50) < 25, 0.6, 0.4) + rng.normal(0, 0.15, (40, 50))
    probs = np.stack([first, 1 - first]).clip(0.01, 0.99)
    labels = solve_potts(unary(probs), 5 * edge_weights(image, eta=0.02)).soft.argmax(axis=0)
    assert (labels == (image > 0)).all()
    assert (probs.argmax(axis=0) != (image > 0)).mean() > 0.1


def test_pixels_without_weight_are_free():
    costs, weights = random_problem(np.random.default_rng(14), (20, 30), 3, smoothness=5.0)
    weights[:, 14:] = 0
    solution = solve_potts(costs, weights, tol=1e-5)
    assert solution.converged and np.isfinite(solution.soft).all()
    free = solution.soft[:, :, 15:].argmax(axis=0)
    assert (free == costs[:, :, 15:].argmin(axis=0)).mean() > 0.99
    assert len(np.unique(solution.soft[:, :, :14].argmax(axis=0))) == 1


def test_equal_costs_need_no_border():
    solution = solve_potts(np.full((3, 9, 9), 0.25), np.ones((9, 9)))
    assert solution.converged and solution.primal == solution.dual == 0.25 * 81
    assert len(np.unique(solution.soft.argmax(axis=0))) == 1


def test_classes_that_are_nowhere_cheaper_than_another_are_left_out():
    rng = np.random.default_rng(15)
    costs, weights = random_problem(rng, (30, 70), 4)
    ceiling = np.full((1, 30, 70), costs.max() + 0.1, np.float32)
    costlier = costs[2:3] + rng.uniform(0, 1, (1, 30, 70)).astype(np.float32)
    widened = np.concatenate([ceiling, costs[:3], costlier, costs[3:], costs[3:]])
    assert needed_classes(widened) == [1, 2, 3, 5]
    solution, wide = (solve_potts(c, weights, tol=1e-4) for c in (costs, widened))
    assert solution.needless == () and wide.needless == (0, 4, 6)
    assert (wide.soft[[1, 2, 3, 5]] == solution.soft).all() and not wide.soft[[0, 4, 6]].any()
    assert (wide.primal, wide.dual) == (solution.primal, solution.dual)
    # The full problem, solved with every class, has no lower energy.
    whole = Problem.of(widened, weights, isotropic=True)
    full = Iteration(whole, 1e-4)
    full.run(5000)
    assert wide.dual <= full.primal and full.dual <= wide.primal


@pytest.mark.parametrize("isotropic", [True, False])
def test_tiles_left_out_change_nothing(monkeypatch, isotropic):
    rng = np.random.default_rng(16)
    truth = np.zeros((90, 200), int)
    truth[:, 70:] = 1
    truth[50:, 120:] = 2
    probs = np.full((4, 90, 200), 0.1)
    np.put_along_axis(probs, truth[np.newaxis], 0.7, axis=0)
    costs = unary(probs + rng.normal(0, 0.15, probs.shape))
    weights = np.full((90, 200), 4.0, np.float32)
    shares = []
    choose = Tiles.choose
    monkeypatch.setattr(
        Tiles, "choose", lambda self, f: (choose(self, f), shares.append(self.active_share))
    )
    some = solve_potts(costs, weights, tol=1e-5, isotropic=isotropic, levels=1)
    assert min(shares) < 0.8
    monkeypatch.setattr(Tiles, "choose", lambda self, f: None)
    every = solve_potts(costs, weights, tol=1e-5, isotropic=isotropic, levels=1)
    assert some.iterations == every.iterations
    np.testing.assert_allclose(some.soft, every.soft, atol=1e-5)
    np.testing.assert_allclose([some.primal, some.dual], [every.primal, every.dual], rtol=1e-5)


@pytest.mark.parametrize("isotropic", [True, False])
def test_column_bound_is_the_best_over_the_vertical_field(isotropic):
    rng = np.random.default_rng(17)
    costs, weights = random_problem(rng, (3, 3), 3, smoothness=0.5)
    problem = Problem.of(costs, weights, isotropic=isotropic)
    fields = Fields(problem.cheapest())
    angle = rng.uniform(0, 2 * np.pi, costs.shape)
    length = weights * rng.uniform(0, 1, costs.shape)
    px, py = length * np.cos(angle), length * np.sin(angle)
    px[:, :, -1] = py[:, -1] = 0
    fields.px[:, :, :3] = px
    arrays = (fields.px, fields.left, problem.unary, problem.weights)
    bound = column_bound(*arrays, 3, isotropic) + problem.offset
    assert (costs - divergence(px, py)).min(axis=0).sum() <= bound + 1e-5
    assert bound <= best_labelling(costs, weights, isotropic) + 1e-5
    # Column by column it is the least cost of a labelling with what px leaves of the weights.
    left = np.sqrt(weights**2 - px**2) if isotropic else np.broadcast_to(weights, costs.shape)
    reduced = costs - divergence(px, np.zeros_like(px))
    expected = 0
    for x in range(3):
        totals = []
        for labels in product(range(3), repeat=3):
            total = sum(reduced[c, y, x] for y, c in enumerate(labels))
            for y, (c, d) in enumerate(pairwise(labels)):
                total += (c != d) * (left[c, y, x] + left[d, y, x])
            totals.append(total)
        expected += min(totals)
    np.testing.assert_allclose(bound, expected, rtol=1e-5)


def test_sharpening_leaves_the_larger_and_sums_to_one():
    soft = np.array([[0.6, 0.05], [0.35, 0.05], [0.05, 0.9]], np.float32).reshape(3, 1, 2)
    sharpen(soft, np.float32(0.1))
    expected = np.array([[0.54, 0], [0.29, 0], [0, 0.81]]) / [0.83, 0.81]
    np.testing.assert_allclose(soft.reshape(3, 2), expected, rtol=1e-5, atol=1e-7)


def test_too_few_iterations_are_reported():
    costs, weights = random_problem(np.random.default_rng(11), (40, 40), 3, smoothness=3.0)
    solution = solve_potts(costs, weights, max_iterations=1)
    assert not solution.converged
    assert solution.gap > 1e-3
    assert solution.iterations == (1, 1, 1)
    assert solution.dual <= solution.primal
    np.testing.assert_allclose(solution.soft.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (1, 40), (5, 3)])
def test_images_of_any_size(shape):
    costs, weights = random_problem(np.random.default_rng(12), shape, 3)
    solution = solve_potts(costs, weights)
    assert solution.converged and solution.soft.shape == costs.shape
    np.testing.assert_allclose(
        solution.primal, reference_energy(solution.soft, costs, weights), rtol=1e-5
    )
    if shape == (1, 1):
        np.testing.assert_allclose(solution.primal, costs.min(), rtol=1e-3)


def test_one_class_is_everywhere():
    costs = np.full((1, 3, 4), 2.0)
    solution = solve_potts(costs, np.ones((3, 4)))
    assert (solution.soft == 1).all()
    assert solution.primal == solution.dual == solution.label_energy == 24
    assert solution.converged and solution.iterations == ()


def test_inputs_stay_as_they_are_and_may_be_read_only():
    costs, weights = random_problem(np.random.default_rng(13), (20, 20), 3)
    copies = costs.copy(), weights.copy()
    costs.flags.writeable = weights.flags.writeable = False
    first = solve_potts(costs, weights)
    second = solve_potts(np.asfortranarray(costs, np.float64), weights.astype(np.float64))
    assert (costs == copies[0]).all() and (weights == copies[1]).all()
    assert (first.soft == second.soft).all()


def test_wrong_input_is_named():
    costs, weights = np.zeros((2, 3, 4), np.float32), np.ones((3, 4), np.float32)
    for bad in (np.nan, np.inf):
        broken = costs.copy()
        broken[1, 2, 3] = bad
        with pytest.raises(ValueError, match="unary holds values that are not finite"):
            solve_potts(broken, weights)
        with pytest.raises(ValueError, match="weights holds values that are not finite"):
            solve_potts(costs, bad * weights)
    for call, message in (
        (lambda: solve_potts(costs[0], weights), "unary has shape"),
        (lambda: solve_potts(costs, weights.T), "weights has shape"),
        (lambda: solve_potts(costs, -weights), "negative"),
        (lambda: solve_potts(costs, weights, tol=0), "tol is 0"),
        (lambda: solve_potts(costs, weights, max_iterations=0), "max_iterations is 0"),
        (lambda: solve_potts(costs, weights, levels=0), "levels is 0"),
        (lambda: potts_energy(costs[:1], costs, weights), "soft has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
