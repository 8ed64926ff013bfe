"""The Potts solver through torch against the compiled one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import best_labelling, random_problem, reference_energy

from wsstools.core.potts.bounds import column_bound
from wsstools.core.potts.iteration import Iteration
from wsstools.core.potts.levels import Problem
from wsstools.core.potts.planes import Fields
from wsstools.core.potts.solver import PottsSolution, solve_potts
from wsstools.errors import UsageError, WssError
from wsstools.nn.potts import DeviceIteration, solve_potts_on_device


def regions(rng: np.random.Generator, shape: tuple[int, int], n_classes: int) -> np.ndarray:
    """Noisy costs of blobs, one class each, as a photo has them."""
    rows, columns = np.indices(shape)
    centres = rng.uniform(0, 1, (n_classes, 2)) * shape
    distances = np.hypot(
        rows - centres[:, :1, np.newaxis], columns - centres[:, 1:, np.newaxis]
    )  # (K, H, W)
    costs = 2.0 * (distances > distances.min(axis=0)) + rng.exponential(1, distances.shape)
    return costs.astype(np.float32)


def assert_same(ours: PottsSolution, compiled: PottsSolution, tol: float) -> None:
    """Both reached the tolerance, and their bounds hold for each other's energy."""
    assert ours.converged and compiled.converged
    slack = 1e-6 * abs(compiled.primal)  # rounding
    assert ours.dual <= compiled.primal + slack and compiled.dual <= ours.primal + slack
    np.testing.assert_allclose(ours.primal, compiled.primal, rtol=tol)
    np.testing.assert_allclose(ours.dual, compiled.dual, rtol=tol)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize(
    ("n_classes", "shape"), [(2, (61, 90)), (3, (64, 64)), (5, (77, 50)), (9, (35, 41))]
)
def test_result_is_that_of_the_compiled_solver(n_classes, shape, isotropic):
    rng = np.random.default_rng(n_classes)
    costs = regions(rng, shape, n_classes)
    weights = rng.uniform(0.5, 1.5, shape).astype(np.float32)
    for tol in (1e-3, 1e-5):
        compiled = solve_potts(costs, weights, tol=tol, isotropic=isotropic)
        ours = solve_potts_on_device(costs, weights, tol=tol, isotropic=isotropic, device="cpu")
        assert_same(ours, compiled, tol)
    assert len(ours.iterations) == len(compiled.iterations)
    assert (ours.soft.argmax(axis=0) == compiled.soft.argmax(axis=0)).mean() > 0.998
    assert np.abs(ours.soft - compiled.soft).mean() < 1e-3
    assert ours.soft.dtype == np.float32 and ours.soft.min() >= 0
    np.testing.assert_allclose(ours.soft.sum(axis=0), 1, atol=1e-5)
    energy = reference_energy(ours.soft, costs, weights, isotropic)
    np.testing.assert_allclose(ours.primal, energy, rtol=1e-6)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_iterates_are_those_of_the_kernels(n_classes, isotropic):
    rng = np.random.default_rng(n_classes)
    costs, weights = random_problem(rng, (37, 71), n_classes)
    weights[5:9, 20:30] = 0
    problem = Problem.of(costs, weights, isotropic=isotropic)
    compiled, ours = Iteration(problem, 1e-9), DeviceIteration(problem, 1e-9, "cpu")
    assert_same_iterates(ours, compiled, iterations=20)
    # So are those on the next finer level, whose sides are odd.
    costs, weights = random_problem(rng, (73, 141), n_classes)
    problem = Problem.of(costs, weights, isotropic=isotropic)
    ours, compiled = ours.finer(problem, 1e-9), compiled.finer(problem, 1e-9)
    assert_same_iterates(ours, compiled, iterations=1)
    np.testing.assert_allclose(ours.soft(), compiled.soft(), atol=1e-4)


def assert_same_iterates(ours: DeviceIteration, compiled: Iteration, *, iterations: int) -> None:
    for level in (ours, compiled):
        level.run(iterations)
    np.testing.assert_allclose(ours.primal, compiled.primal, rtol=1e-6)
    np.testing.assert_allclose(ours._dual_energy(), compiled._dual_energy(), rtol=1e-6)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_iterations_never_wait_for_the_device(monkeypatch, n_classes, isotropic):
    # Tensors of the device "meta" have no values to wait for, and do not mix with those of the CPU.
    costs, weights = random_problem(np.random.default_rng(3), (40, 9), n_classes)
    problem = Problem.of(costs, weights, isotropic=isotropic)
    level = DeviceIteration(problem, 1e-3, "meta")
    level._iterate(3)
    with pytest.raises(RuntimeError, match="meta"):
        level._dual_energy()
    totals = []
    monkeypatch.setattr(DeviceIteration, "_total", lambda self, of_pixels: totals.append(of_pixels))
    level._dual_energy(), level._energy(0.0), level._energy(0.1), level._column_bound()
    assert [(total.device.type, total.shape[-1]) for total in totals] == [("meta", 9)] * 4
    level.finer(problem, 1e-3)._iterate(1)


@pytest.mark.parametrize("isotropic", [True, False])
def test_column_bound_is_between_the_dual_energy_and_that_of_whole_columns(isotropic):
    rng = np.random.default_rng(4)
    for height in (1, 20, 32, 33, 70):  # pieces of columns have 32 rows
        costs, weights = random_problem(rng, (height, 9), 4)
        problem = Problem.of(costs, weights, isotropic=isotropic)
        level = DeviceIteration(problem, 1e-3, "cpu")
        level._iterate(15)
        fields = Fields(problem.cheapest())
        fields.px[:, :, :9] = level._field[0].numpy()
        whole = column_bound(fields.px, fields.left, problem.unary, problem.weights, 9, isotropic)
        whole += problem.offset
        plain, bound = level._dual_energy(), level._column_bound()
        slack = 1e-6 * abs(whole)
        assert plain - slack <= bound <= whole + slack
        if height == 70:
            assert plain + slack < bound
        if height <= 32:
            np.testing.assert_allclose(bound, whole, rtol=1e-6)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_bound_holds_for_the_best_labelling(seed, isotropic):
    rng = np.random.default_rng(seed)
    costs, weights = random_problem(rng, (3, 3), 3, smoothness=0.5)
    best = best_labelling(costs, weights, isotropic)
    for iterations in (1, 5, 5000):
        solution = solve_potts_on_device(
            costs, weights, tol=1e-5, max_iterations=iterations, isotropic=isotropic, device="cpu"
        )
        assert solution.dual <= best * (1 + 1e-6) <= solution.label_energy * (1 + 2e-6)
    assert solution.converged


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (1, 40), (33, 5)])
@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_images_of_any_size(shape, n_classes):
    costs, weights = random_problem(np.random.default_rng(12), shape, n_classes)
    ours = solve_potts_on_device(costs, weights, device="cpu")
    compiled = solve_potts(costs, weights)
    assert ours.soft.shape == costs.shape
    assert_same(ours, compiled, 1e-3)
    energy = reference_energy(ours.soft, costs, weights)
    np.testing.assert_allclose(ours.primal, energy, rtol=1e-5, atol=1e-6)


def test_weights_of_zero_leave_pixels_free():
    costs, weights = random_problem(np.random.default_rng(14), (20, 30), 3, smoothness=5.0)
    weights[:, 14:] = 0
    ours = solve_potts_on_device(costs, weights, tol=1e-5, device="cpu")
    assert np.isfinite(ours.soft).all()
    assert_same(ours, solve_potts(costs, weights, tol=1e-5), 1e-5)
    nowhere = solve_potts_on_device(costs, 0 * weights, device="cpu")
    assert nowhere.iterations == () and nowhere.converged
    assert (nowhere.soft.argmax(axis=0) == costs.argmin(axis=0)).all()


def test_needless_classes_are_left_out():
    costs, weights = random_problem(np.random.default_rng(15), (30, 33), 3)
    costlier = costs[1:2] + 0.5
    plain = solve_potts_on_device(costs, weights, device="cpu")
    wide = solve_potts_on_device(np.concatenate([costlier, costs]), weights, device="cpu")
    assert plain.needless == () and wide.needless == (0,)
    assert (wide.soft[1:] == plain.soft).all() and not wide.soft[0].any()
    assert (wide.primal, wide.dual) == (plain.primal, plain.dual)


def test_too_few_iterations_are_reported():
    costs, weights = random_problem(np.random.default_rng(11), (40, 40), 3, smoothness=3.0)
    solution = solve_potts_on_device(costs, weights, max_iterations=1, device="cpu")
    assert not solution.converged and solution.gap > 1e-3
    assert solution.iterations == (1, 1, 1)
    assert solution.dual <= solution.primal
    np.testing.assert_allclose(solution.soft.sum(axis=0), 1, atol=1e-5)


def test_runs_repeat_bit_by_bit():
    costs, weights = random_problem(np.random.default_rng(16), (40, 50), 4)
    first, second = (solve_potts_on_device(costs, weights, device="cpu") for _ in range(2))
    assert (first.soft == second.soft).all() and first.dual == second.dual


def test_wrong_calls_are_named(monkeypatch):
    costs, weights = np.zeros((2, 3, 4), np.float32), np.ones((3, 4), np.float32)
    with pytest.raises(ValueError, match="weights has shape"):
        solve_potts_on_device(costs, weights.T, device="cpu")
    with pytest.raises(UsageError, match="--device abacus"):
        solve_potts_on_device(costs, weights, device="abacus")

    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    costs, weights = random_problem(np.random.default_rng(17), (9, 9), 3)
    monkeypatch.setattr(DeviceIteration, "_iterate", full)
    with pytest.raises(WssError, match=r"^device cpu: no memory for 3 x 9 x 9 costs") as caught:
        solve_potts_on_device(costs, weights, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.gpu
@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("n_classes", [2, 5, 21])
def test_a_gpu_gives_the_result_of_the_compiled_solver(n_classes, isotropic):
    rng = np.random.default_rng(n_classes)
    costs = regions(rng, (150, 201), n_classes)
    weights = rng.uniform(0.5, 1.5, costs.shape[1:]).astype(np.float32)
    for tol in (1e-3, 1e-5):
        compiled = solve_potts(costs, weights, tol=tol, isotropic=isotropic)
        ours = solve_potts_on_device(costs, weights, tol=tol, isotropic=isotropic, device="cuda")
        assert_same(ours, compiled, tol)
    assert (ours.soft.argmax(axis=0) == compiled.soft.argmax(axis=0)).mean() > 0.998
    again = solve_potts_on_device(costs, weights, tol=tol, isotropic=isotropic, device="cuda")
    assert (again.soft == ours.soft).all()
