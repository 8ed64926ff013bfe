"""Potts regularization: smooth maps whose class borders follow the edges of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.core.compiled.elementary import exp, log
from wsstools.core.potts.iteration import Energies, Iteration
from wsstools.core.potts.levels import Problem
from wsstools.core.potts.planes import one_hot, padded
from wsstools.core.potts.primal_dual import PrimalDual, relative_gap
from wsstools.core.potts.settings import PottsSettings

_DEFAULT = PottsSettings()

P = TypeVar("P", bound=PrimalDual)
LEVELS = 4
_SMALLEST_SIDE = 8  # of the coarsest level
_COARSE_TOL = 1e-3  # coarse levels need not do better


@dataclass(frozen=True)
class PottsSolution:
    """A minimizer of the relaxed Potts energy, and how close to the minimum it is."""

    soft: NDArray[np.float32]  # (K, H, W), the soft map M; it sums to 1 over the classes
    primal: float  # its energy E(M)
    dual: float  # a lower bound of the energy of every soft or hard segmentation
    gap: float  # (primal - dual) / |primal|
    label_energy: float  # of the labels of largest M; at least `dual`
    iterations: tuple[int, ...]  # per level, coarsest first; empty if there was nothing to solve
    converged: bool  # whether the gap reached the tolerance
    # classes that were left out because no pixel needs them; their M is 0
    needless: tuple[int, ...]


def edge_weights(image: ArrayLike, *, eta: float) -> NDArray[np.float32]:
    """How cheap a class border is at each pixel of an image in 0..255, (H, W): towards 0 on edges.

    It is g = exp(-eta |grad I|), with forward differences, 0 beyond the last row and column, and
    the root mean square over the channels. A larger `eta`, the decay per grey level, lets weaker
    edges attract class borders; 0 ignores the image. ValueError if the shape is not (H, W, 3) or
    (H, W), a value is not finite or `eta` is negative.

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
    return exp(-np.float32(eta) * np.sqrt(squared))


def unary(probs: ArrayLike, *, floor: float = _DEFAULT.floor) -> NDArray[np.float32]:
    """The cost of each class at each pixel, U = -log max(P, floor), (K, H, W) float32.

    A larger `floor`, in (0, 1], lets improbable classes win more easily. ValueError if the shape is
    another, `floor` is out of range or a probability is not finite.
    """
    probs = np.asarray(probs, np.float32)
    if probs.ndim != 3 or 0 in probs.shape:
        raise ValueError(f"probs has shape {probs.shape}, expected (K, H, W)")
    if not 0 < floor <= 1:
        raise ValueError(f"floor is {floor:g}, expected a value in (0, 1]")
    if not np.isfinite(probs).all():
        raise ValueError("probs holds values that are not finite")
    costs = log(np.ascontiguousarray(np.maximum(probs, np.float32(floor))))
    np.negative(costs, out=costs)
    return costs


def potts_energy(
    soft: ArrayLike, unary: ArrayLike, weights: ArrayLike, *, isotropic: bool = True
) -> float:
    """The energy E(M) of a soft map; parameters and energy as in `solve_potts`."""
    soft, unary, weights = (np.asarray(a, np.float32) for a in (soft, unary, weights))
    if soft.shape != unary.shape:
        raise ValueError(f"soft has shape {soft.shape}, expected that of unary {unary.shape}")
    _check_problem(unary, weights)
    problem = Problem(padded(unary), padded(weights), weights.shape[1], 0.0, bool(isotropic))
    return Energies(problem).of(padded(soft))


def solve_potts(
    unary: ArrayLike,
    weights: ArrayLike,
    *,
    tol: float = _DEFAULT.tol,
    max_iterations: int = _DEFAULT.max_iterations,
    isotropic: bool = True,
    levels: int = LEVELS,
    start: Callable[[Problem, float], PrimalDual] = Iteration,
) -> PottsSolution:
    """The soft map of least Potts energy, to within a certified relative gap.

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
    start : callable
        Makes the iterations on the coarsest level from its problem and tolerance: compiled ones,
        or those of another device (`wsstools.nn.potts`).

    Returns
    -------
    PottsSolution
        The soft map, its energy, a lower bound and whether the gap reached `tol`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, a weight is negative or an option is out
        of range.

    Notes
    -----
    Minimizes over the simplex at each pixel i

        E(M) = sum_i <U_i, M_i> + sum_c sum_i w_i |grad M_c|_i

    with forward differences that are 0 beyond the last row and column. A field p with
    |p_c|_i <= w_i bounds it from below by the dual energy sum_i min_c (U_c - div p_c)_i. Steps
    tau = 1 / (b s sqrt(8)) and sigma = 1 / (8 tau), over-relaxed by 1.8, where s = max(w)
    unless w is so large that p stays below it, and b = 1 (0.2 to a small gap if anisotropic).

    What is iterated on and when it may stop were made cheaper than that, at the same certificate:
    iterations leave out classes in tiles where they change nothing; `dual` is the best of the dual
    energies and of `column_bound`, which finds the best vertical field for a horizontal one by
    dynamic programming; M is sharpened where that lowers its energy.

    References
    ----------
    A. Chambolle, T. Pock: A First-Order Primal-Dual Algorithm for Convex Problems with
    Applications to Imaging, JMIV 40 (2011), algorithm 1. L. Condat: A Primal-Dual Splitting
    Method, JOTA 158 (2013), for the relaxation. arXiv:1808.01625.
    """
    unary, weights = np.asarray(unary, np.float32), np.asarray(weights, np.float32)
    _check_problem(unary, weights)
    if not tol > 0:
        raise ValueError(f"tol is {tol:g}, expected more than 0")
    for name, count in (("max_iterations", max_iterations), ("levels", levels)):
        if count < 1:
            raise ValueError(f"{name} is {count}, expected 1 or more")
    kept = needed_classes(unary)
    problem = Problem.of(unary[kept], weights, isotropic=bool(isotropic))
    soft = np.zeros(unary.shape, np.float32)
    if problem.unary.any() and weights.any():
        pyramid = halves(problem, levels)
        level, iterations = coarse_to_fine(pyramid, tol, max_iterations, start)
        soft[kept], primal, dual = level.soft(), level.primal, level.dual
    else:
        soft[kept] = problem.cheapest()[:, :, : problem.width]
        primal = dual = problem.offset
        iterations = ()
    labels = np.zeros_like(problem.unary)
    one_hot(soft[kept].argmax(axis=0), labels[:, :, : problem.width])
    return PottsSolution(
        soft,
        primal=primal,
        dual=dual,
        gap=relative_gap(primal, dual),
        label_energy=Energies(problem).of(labels),
        iterations=iterations,
        converged=relative_gap(primal, dual) <= tol,
        needless=tuple(sorted(set(range(len(unary))) - set(kept))),
    )


def halves(problem: Problem, levels: int = LEVELS) -> list[Problem]:
    """The problem and its halves, finest first."""
    pyramid = [problem]
    while len(pyramid) < levels and max(pyramid[-1].shape) >= 2 * _SMALLEST_SIDE:
        pyramid.append(pyramid[-1].halved())
    return pyramid


def coarse_to_fine(
    pyramid: list[Problem], tol: float, max_iterations: int, start: Callable[[Problem, float], P]
) -> tuple[P, tuple[int, ...]]:
    """The iterations on the finest level, done, and how many there were by level."""
    tols = [tol] + [max(3 * tol, _COARSE_TOL)] * (len(pyramid) - 1)
    level = start(pyramid[-1], tols[-1])
    level.run(max_iterations)
    done = [level.done]
    for problem, finer_tol in zip(pyramid[-2::-1], tols[-2::-1], strict=True):
        level = cast(P, level.finer(problem, finer_tol))
        level.run(max_iterations)
        done.append(level.done)
    return level, tuple(done)


def needed_classes(unary: NDArray[np.float32]) -> list[int]:
    """The classes that a map of least energy can need, ascending, by the unary costs (K, H, W)."""
    return sorted(set(leading_classes(unary)))


def leading_classes(unary: NDArray[np.float32]) -> list[int]:
    """For each class itself or, if no map of least energy needs it, one that is never worse.

    Notes
    -----
    Class c is left out if there is a class k with U_c >= U_k at every pixel. M_k + M_c in the
    place of M_k costs no more: sum (U_k - U_c) M_c <= 0 and TV(M_k + M_c) <= TV(M_k) + TV(M_c).
    Nor does the dual bound change: with p_c = p_k, U_c - div p_c is nowhere the least alone.
    So classes that are everywhere at the floor of the probabilities cost no time.
    """
    order = np.argsort(unary.mean(axis=(1, 2)), kind="stable").tolist()
    leading: dict[int, int] = {}
    for c in order:
        kept = (k for k, leader in leading.items() if k == leader)
        leading[c] = next((k for k in kept if (unary[c] >= unary[k]).all()), c)
    return [leading[c] for c in range(len(unary))]


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
