"""Potts regularisation: smooth maps whose class borders follow the edges of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.potts_kernels import energies, iterate, sorting_network
from wsstools.core.potts_levels import Fields, Problem, one_hot

# Probabilities below it are not told apart: maps on disk hold them to 5e-4.
MIN_PROB = 1e-3

# Measured on natural images: 3 to 5 times fewer iterations than tau = sigma without relaxation.
_STEP_BALANCE = 0.7
_OVER_RELAXATION = np.float32(1.8)
_OPERATOR_NORM = np.sqrt(8.0)  # of the gradient by forward differences
_ITERATIONS_PER_CHECK = 20
_SKEWED_ITERATIONS = 8
_SMALLEST_SIDE = 8  # of the coarsest level


@dataclass(frozen=True)
class PottsSolution:
    """A minimiser of the relaxed Potts energy, and how close to the minimum it is.

    Attributes
    ----------
    soft : (K, H, W) float32
        The soft segmentation M; it sums to 1 over the classes.
    primal : float
        Its energy E(M).
    dual : float
        A lower bound of the energy of every soft or hard segmentation.
    gap : float
        (primal - dual) / |primal|.
    label_energy : float
        Energy of the labels of largest M; at least `dual`.
    iterations : tuple of int
        Iterations per level, coarsest first; empty if there was nothing to solve.
    converged : bool
        Whether the gap reached the tolerance.
    """

    soft: NDArray[np.float32]
    primal: float
    dual: float
    gap: float
    label_energy: float
    iterations: tuple[int, ...]
    converged: bool


def edge_weights(image: NDArray, *, eta: float) -> NDArray[np.float32]:
    """How cheap a class border is at each pixel: 1 in flat regions, towards 0 on edges, (H, W).

    Parameters
    ----------
    image : (H, W, 3) or (H, W), uint8 or float
        The image in 0..255.
    eta : float
        Decay per grey level; larger lets weaker edges attract class borders, 0 ignores the image.

    Returns
    -------
    (H, W) float32
        g = exp(-eta |grad I|), with forward differences, 0 beyond the last row and column, and
        the root mean square over the channels.

    Raises
    ------
    ValueError
        If the shape is another, a value is not finite or `eta` is negative.

    References
    ----------
    arXiv:1808.01625 (eta = 0.01).
    """
    image = np.asarray(image)
    if image.ndim < 2 or image.shape[2:] not in ((), (3,)) or 0 in image.shape:
        raise ValueError(f"image has shape {image.shape}, expected (H, W, 3) or (H, W)")
    if not eta >= 0:
        raise ValueError(f"eta is {eta:g}, expected 0 or more")
    channels = np.atleast_3d(image).astype(np.float32)
    squared = np.zeros(image.shape[:2], np.float32)  # |grad I|^2
    squared[:, :-1] += np.square(np.diff(channels, axis=1)).mean(axis=2)
    squared[:-1] += np.square(np.diff(channels, axis=0)).mean(axis=2)
    if not np.isfinite(squared).all():
        raise ValueError("image holds values that are not finite")
    return np.exp(-np.float32(eta) * np.sqrt(squared))


def unary(probs: NDArray, *, floor: float = MIN_PROB) -> NDArray[np.float32]:
    """The cost of each class at each pixel, U = -log max(P, floor), (K, H, W) float32.

    Parameters
    ----------
    probs : (K, H, W) float
        Class probabilities P.
    floor : float
        In (0, 1]; larger lets improbable classes win more easily.

    Raises
    ------
    ValueError
        If the shape is another, `floor` is out of range or a probability is not finite.
    """
    probs = np.asarray(probs, np.float32)
    if probs.ndim != 3 or 0 in probs.shape:
        raise ValueError(f"probs has shape {probs.shape}, expected (K, H, W)")
    if not 0 < floor <= 1:
        raise ValueError(f"floor is {floor:g}, expected a value in (0, 1]")
    if not np.isfinite(probs).all():
        raise ValueError("probs holds values that are not finite")
    return -np.log(np.maximum(probs, np.float32(floor)))


def potts_energy(
    soft: NDArray, unary: NDArray, weights: NDArray, *, isotropic: bool = True
) -> float:
    """The energy E(M) of a soft segmentation; parameters and energy as in `solve_potts`."""
    soft, unary, weights = _own(soft), _own(unary), _own(weights)
    if soft.shape != unary.shape:
        raise ValueError(f"soft has shape {soft.shape}, expected that of unary {unary.shape}")
    _check_problem(unary, weights)
    return _energies(Problem(unary, weights, 0.0, bool(isotropic)), Fields.of(soft))[0]


def solve_potts(
    unary: NDArray,
    weights: NDArray,
    *,
    tol: float = 1e-3,
    max_iterations: int = 5000,
    isotropic: bool = True,
    levels: int = 4,
) -> PottsSolution:
    """The soft segmentation of least Potts energy, to within a certified relative gap.

    Parameters
    ----------
    unary : (K, H, W) float
        Cost U of each class at each pixel, for instance `unary(probs)`.
    weights : (H, W) float
        Price w of a class border at each pixel, 0 or more, for instance
        lambda * `edge_weights(image)`; larger is smoother.
    tol : float
        Relative duality gap to stop at; smaller is more exact and slower. Below 1e-4
        the rounding of float32 can keep it out of reach where weights are large.
    max_iterations : int
        Most iterations on each level; the solution says whether they were enough.
    isotropic : bool
        Length of the gradient: sqrt(dx^2 + dy^2), or |dx| + |dy|, for which class borders prefer
        the axes.
    levels : int
        Image sizes to solve at, coarse to fine, each half the next; 1 starts on the finest.
        A level whose sides would be below 8 pixels is left out.

    Returns
    -------
    PottsSolution
        The soft segmentation, its energy, a lower bound and whether the gap reached `tol`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, a weight is negative or an option is out
        of range.

    Notes
    -----
    Minimises over the simplex at each pixel i

        E(M) = sum_i <U_i, M_i> + sum_c sum_i w_i |grad M_c|_i

    with forward differences that are 0 beyond the last row and column. A field p with
    |p_c|_i <= w_i bounds it from below by the dual energy sum_i min_c (U_c - div p_c)_i. Steps
    tau = 1 / (0.7 s sqrt(8)) and sigma = 1 / (8 tau), over-relaxed by 1.8, where s = max(w)
    unless w is so large that p stays below it.

    References
    ----------
    A. Chambolle, T. Pock: A First-Order Primal-Dual Algorithm for Convex Problems with
    Applications to Imaging, JMIV 40 (2011), algorithm 1. L. Condat: A Primal-Dual Splitting
    Method, JOTA 158 (2013), for the relaxation. arXiv:1808.01625.
    """
    unary, weights = _own(unary), _own(weights)
    _check_problem(unary, weights)
    if not tol > 0:
        raise ValueError(f"tol is {tol:g}, expected more than 0")
    for name, count in (("max_iterations", max_iterations), ("levels", levels)):
        if count < 1:
            raise ValueError(f"{name} is {count}, expected 1 or more")
    problem = Problem(unary, weights, 0.0, bool(isotropic)).lowered()
    if not (problem.unary.any() and weights.any()):
        energy = problem.offset * weights.size
        return PottsSolution(problem.cheapest(), energy, energy, 0.0, energy, (), True)
    pyramid = [problem]
    while len(pyramid) < levels and max(pyramid[-1].shape) >= 2 * _SMALLEST_SIDE:
        pyramid.append(pyramid[-1].halved())
    fields = Fields.of(pyramid[-1].cheapest())
    iterations = []
    for problem in reversed(pyramid):
        if fields.shape != problem.shape:
            fields = fields.doubled(problem.shape)
        n, primal, dual = _solve_level(problem, fields, tol, max_iterations)
        iterations.append(n)
    gap = _relative_gap(primal, dual)
    label_energy = _energies(problem, Fields.of(one_hot(fields.soft.argmax(axis=0), len(unary))))[0]
    return PottsSolution(
        fields.soft, primal, dual, gap, label_energy, tuple(iterations), gap <= tol
    )


def _own(array: NDArray) -> NDArray[np.float32]:
    """A contiguous, writable copy: the kernels are compiled for one kind of array only."""
    return np.array(array, np.float32, order="C")


def _check_problem(unary: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
    if unary.ndim != 3 or 0 in unary.shape:
        raise ValueError(f"unary has shape {unary.shape}, expected (K, H, W)")
    if weights.shape != unary.shape[1:]:
        raise ValueError(f"weights has shape {weights.shape}, expected {unary.shape[1:]}")
    for name, values in (("unary", unary), ("weights", weights)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds values that are not finite")
    if weights.min() < 0:
        raise ValueError(f"weights are negative (minimum {weights.min():g})")


def _solve_level(
    problem: Problem, fields: Fields, tol: float, max_iterations: int
) -> tuple[int, float, float]:
    """Iterate on `fields` in place; the number of iterations, primal and best dual energy.

    The last iteration before each look at the energies is not relaxed: it leaves M on the simplex
    and p in its bounds.
    """
    n_classes, _, width = problem.unary.shape
    balance = _STEP_BALANCE * problem.dual_scale()
    tau = np.float32(1 / (balance * _OPERATOR_NORM))
    sigma = np.float32(balance / _OPERATOR_NORM)
    ahead = fields.soft.copy()
    network = sorting_network(n_classes)
    scratch = np.empty((2, n_classes + 1, width), np.float32)

    fixed = (problem.unary, problem.weights, network, scratch, tau, sigma)

    def run(n: int, rho: np.float32) -> None:
        changed = (fields.soft, ahead, fields.px, fields.py)
        iterate(*changed, *fixed, rho, problem.isotropic, n, _SKEWED_ITERATIONS)

    done = 0
    best_dual = -np.inf
    while True:
        n = min(_ITERATIONS_PER_CHECK, max_iterations - done)
        run(n - 1, _OVER_RELAXATION)
        run(1, np.float32(1))
        done += n
        primal, dual = _energies(problem, fields)
        best_dual = min(max(best_dual, dual), primal)
        if _relative_gap(primal, best_dual) <= tol or done >= max_iterations:
            return done, primal, best_dual


def _energies(problem: Problem, fields: Fields) -> tuple[float, float]:
    """Primal energy of M and dual energy of p, with what was taken off the unary costs."""
    n_classes, _, width = problem.unary.shape
    scratch = np.empty((2, n_classes + 1, width), np.float32)
    arrays = (fields.soft, fields.px, fields.py, problem.unary, problem.weights, scratch)
    primal, dual = energies(*arrays, problem.isotropic)
    offset = problem.offset * problem.weights.size
    return primal + offset, dual + offset


def _relative_gap(primal: float, dual: float) -> float:
    return (primal - dual) / max(abs(primal), np.finfo(np.float64).tiny)
