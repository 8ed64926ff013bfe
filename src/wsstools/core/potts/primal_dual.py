"""The primal-dual method of the Potts problem: its steps, and when it may stop."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from wsstools.core.potts.levels import Problem

OVER_RELAXATION = 1.8
SHARPNESSES = (0.0, 0.1, 0.3, 0.999)

_TIGHT = 5e-4
_TIGHT_BALANCE = 0.2
"""Balance of the steps below that tolerance if anisotropic, else it is 1; measured. The labels
themselves come near the anisotropic optimum, so that steps may favour the dual field."""
_OPERATOR_NORM = float(np.sqrt(8.0))  # of the gradient by forward differences

_ITERATIONS_PER_LOOK = 20
_LATER_LOOKS = 0.05  # of the iterations done, if that is more
# Energies are not looked at each time as long as the gap is so many times the tolerance, and the
# column bound not before it is so near.
_FAR = 10
_NEAR = 20


class PrimalDual(ABC):
    """The iterations at one image size, on any device, until the relative gap is `tol`.

    Attributes
    ----------
    tau, sigma : the steps of M and of p
    primal, dual : the energy of M, sharpened, and the best lower bound so far
    sharpness : what `sharpen` is to take for that
    done : number of iterations
    """

    def __init__(self, problem: Problem, tol: float) -> None:
        self._problem, self._tol = problem, tol
        balance = _TIGHT_BALANCE if tol < _TIGHT and not problem.isotropic else 1.0
        balance *= problem.dual_scale()  # tau = 1 / (b s sqrt(8)), sigma = b s / sqrt(8)
        self.tau, self.sigma = 1 / (balance * _OPERATOR_NORM), balance / _OPERATOR_NORM
        self.primal, self.dual = np.inf, -np.inf
        self.sharpness = 0.1 if problem.isotropic else 0.999  # the likely best, to begin with
        self.done = 0

    def run(self, max_iterations: int) -> None:
        """Iterate until the relative gap is at most the tolerance, or as often as allowed."""
        looks = 0
        while True:
            n = max(_ITERATIONS_PER_LOOK, int(_LATER_LOOKS * self.done))
            n = min(n, max_iterations - self.done)
            self._iterate(n)
            self.done += n
            is_last = self.done >= max_iterations
            self._look(looks, thorough=is_last)
            if is_last or relative_gap(self.primal, self.dual) <= self._tol:
                return
            looks += 1

    def _look(self, looks: int, *, thorough: bool) -> None:
        """Energy and bounds of the iterates; the energy stays as it was while far from the end."""
        tol = self._tol
        self.dual = max(self.dual, self._dual_energy())
        if not thorough and looks % 3 and relative_gap(self.primal, self.dual) > _FAR * tol:
            return
        # The sharpness that was best and, in turn, one of the others.
        tried = set(SHARPNESSES) if thorough else {self.sharpness, SHARPNESSES[looks % 4]}
        primals = {s: self._energy(s) for s in sorted(tried)}
        self.sharpness = min(primals, key=primals.__getitem__)
        self.primal = primals[self.sharpness]
        if thorough or tol < relative_gap(self.primal, self.dual) < _NEAR * tol:
            self.dual = max(self.dual, self._column_bound())
        self.dual = min(self.dual, self.primal)  # rounding

    @abstractmethod
    def finer(self, problem: Problem, tol: float) -> PrimalDual:
        """The iterations on the next finer level, for its problem, from where these are."""

    @abstractmethod
    def soft(self) -> NDArray[np.float32]:
        """M, sharpened, (K, H, W); these iterations end with it."""

    @abstractmethod
    def _iterate(self, n: int) -> None:
        """Iterate n times, all but the last over-relaxed.

        An iteration that is not relaxed leaves M on the simplex and p in its bounds.
        """

    @abstractmethod
    def _dual_energy(self) -> float:
        """The dual energy of p."""

    @abstractmethod
    def _energy(self, sharpness: float) -> float:
        """The energy of M, sharpened."""

    @abstractmethod
    def _column_bound(self) -> float:
        """A better bound from the columns, which costs more."""


def relative_gap(primal: float, dual: float) -> float:
    """(primal - dual) / |primal|."""
    return (primal - dual) / max(abs(primal), sys.float_info.min)
