"""Potts regularization through torch, for a GPU."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from wsstools.core.arrays import AnyArray
from wsstools.core.potts.levels import Problem
from wsstools.core.potts.primal_dual import OVER_RELAXATION, PrimalDual
from wsstools.core.potts.solver import PottsSolution, solve_potts
from wsstools.errors import WssError
from wsstools.nn.device import chosen_device

_TINY = 1e-10  # keeps the length of a zero vector away from division by zero
_ROWS = 32  # of a piece of a column; more make the bound better and slower


@torch.inference_mode()
def solve_potts_on_device(
    unary: AnyArray,
    weights: AnyArray,
    *,
    tol: float = 1e-3,
    max_iterations: int = 5000,
    isotropic: bool = True,
    levels: int = 4,
    device: str = "auto",
) -> PottsSolution:
    """The soft map of least Potts energy, as `solve_potts`, computed on a device.

    Primal and dual bracket the same minimum as those of `solve_potts`, so that the energies of two
    converged solutions differ by at most the tolerance. `device` is a name that `chosen_device`
    knows. WssError if its memory does not suffice.

    Notes
    -----
    Iterates in float32 and sums in float64, on all pixels of all needed classes. The device holds
    about 14 planes (K, H, W) of float32; the pyramid of problems stays on the host. The number of
    threads of the CPU changes the last bits: a caller that wants the same bits from any number of
    processes fixes it with ``torch.set_num_threads(1)``.
    """
    name = chosen_device(device)
    try:
        return solve_potts(
            unary, weights, tol=tol, max_iterations=max_iterations, isotropic=isotropic,
            levels=levels, start=partial(DeviceIteration, device=name),
        )  # fmt: skip
    except torch.cuda.OutOfMemoryError as error:
        shape = " x ".join(map(str, np.shape(unary)))
        raise WssError(f"device {name}: no memory for {shape} costs; the CPU may do") from error


class DeviceIteration(PrimalDual):
    """The iterations in torch, on whole planes.

    They begin from `soft` (K, H, W) and the dual `field` (2, K, H, W) along rows and along columns;
    without them, at the cheapest class of each pixel and at 0.
    """

    def __init__(
        self,
        problem: Problem,
        tol: float,
        device: str,
        soft: Tensor | None = None,
        field: Tensor | None = None,
    ) -> None:
        super().__init__(problem, tol)
        columns = slice(problem.width)
        if soft is None:
            soft = torch.tensor(problem.cheapest()[..., columns], device=device)
        self._device = device
        self._unary = torch.tensor(problem.unary[..., columns], device=device)
        self._weights = torch.tensor(problem.weights[..., columns], device=device)
        self._soft, self._ahead = soft, soft.clone()
        self._field = soft.new_zeros((2, *soft.shape)) if field is None else field
        # No iteration touches the ends of the gradient, beyond which there is no neighbour.
        self._gradient = torch.zeros_like(self._field)
        self._moved, self._spare = torch.empty_like(soft), torch.empty_like(soft)
        self._order = torch.empty_like(soft, dtype=torch.int64)
        self._counts = torch.arange(1, len(soft) + 1, device=device).view(-1, 1, 1)

    def finer(self, problem: Problem, tol: float) -> DeviceIteration:
        """The iterations on the next finer level, for its problem, from where these are."""
        soft = _doubled(self._soft[None], problem.shape)[0]
        field = 2 * _doubled(self._field, problem.shape)  # the finer weights are twice the coarser
        field[0, :, :, -1] = 0
        field[1, :, -1] = 0
        return DeviceIteration(problem, tol, self._device, soft, field)

    def soft(self) -> NDArray[np.float32]:
        """M, sharpened, (K, H, W)."""
        return self._sharpened(self.sharpness).cpu().numpy()

    def _iterate(self, n: int) -> None:
        for relaxation in [OVER_RELAXATION] * (n - 1) + [1.0]:
            self._ascend(relaxation)
            self._descend(relaxation)

    def _ascend(self, relaxation: float) -> None:
        """p + relaxation (clip(p + sigma grad ahead) - p)."""
        _differences(self._ahead, out=self._gradient)
        p = torch.add(self._field, self._gradient, alpha=self.sigma, out=self._gradient)
        if self._problem.isotropic:
            length = torch.hypot(*p, out=self._spare).clamp_(min=_TINY)
            p.mul_(torch.div(self._weights, length, out=length).clamp_(max=1))
        else:
            p.clamp_(min=-self._weights, max=self._weights)
        self._field.lerp_(p, relaxation)

    def _descend(self, relaxation: float) -> None:
        """M + relaxation (onto_simplex(M - tau (U - div p)) - M) and its extrapolation."""
        moved = torch.sub(self._soft, self._unary, alpha=self.tau, out=self._moved)
        _add_divergence(moved, self._field[0], 2, self.tau)
        _add_divergence(moved, self._field[1], 1, self.tau)
        moved.sub_(self._simplex_threshold(moved)).clamp_(min=0)
        torch.lerp(self._soft, moved, 2, out=self._ahead)
        self._soft.lerp_(moved, relaxation)

    def _simplex_threshold(self, planes: Tensor) -> Tensor:
        """t with sum_c max(v_c - t, 0) = 1: max_k (sum of the k largest - 1) / k."""
        if len(planes) == 2:
            return torch.maximum(planes.amax(dim=0) - 1, (planes.sum(dim=0) - 1) / 2)
        largest, _ = torch.sort(planes, dim=0, descending=True, out=(self._spare, self._order))
        largest[0].sub_(1)
        return largest.cumsum_(dim=0).div_(self._counts).amax(dim=0)

    def _dual_energy(self) -> float:
        reduced = self._moved.copy_(self._unary)
        _add_divergence(reduced, self._field[0], 2, -1)
        _add_divergence(reduced, self._field[1], 1, -1)
        return self._total(reduced.amin(dim=0))

    def _energy(self, sharpness: float) -> float:
        soft = self._sharpened(sharpness)
        _differences(soft, out=self._gradient)
        if self._problem.isotropic:
            length = torch.hypot(*self._gradient, out=self._spare)
        else:
            length = torch.add(*self._gradient.abs_(), out=self._spare)
        borders = length.sum(dim=0).mul_(self._weights)
        costs = torch.mul(soft, self._unary, out=self._spare).sum(dim=0)
        return self._total(borders.add_(costs))

    def _column_bound(self) -> float:
        """The dual energy of p with the best vertical field there is inside pieces of columns.

        That is `core.potts.bounds.column_bound` with p as it is at the ends of the pieces, which
        then are independent: a GPU goes down all of them at once.
        """
        px, py = self._field
        reduced = self._moved.copy_(self._unary)
        _add_divergence(reduced, px, 2, -1)
        through = py[:, _ROWS - 1 : -1 : _ROWS]
        reduced[:, _ROWS - 1 : -1 : _ROWS] -= through
        reduced[:, _ROWS::_ROWS] += through
        price = self._spare.copy_(self._weights)
        if self._problem.isotropic:
            price.square_().addcmul_(px, px, value=-1).clamp_(min=0).sqrt_()
        cost = reduced[:, ::_ROWS].double()  # of the best labelling down to a row, by piece
        for row in range(1, min(_ROWS, reduced.shape[1])):
            added = reduced[:, row::_ROWS]
            n = added.shape[1]  # the last piece may have ended
            b, v = price[:, row - 1 :: _ROWS][:, :n], cost[:, :n]
            torch.minimum(v, (v + b).amin(dim=0) + b, out=v).add_(added)
        return self._total(cost.amin(dim=0))

    def _sharpened(self, sharpness: float) -> Tensor:
        if not sharpness:
            return self._soft
        cut = sharpness * self._soft.amax(dim=0)
        soft = torch.sub(self._soft, cut, out=self._moved).clamp_(min=0)
        return soft.div_(soft.sum(dim=0))

    def _total(self, of_pixels: Tensor) -> float:
        return of_pixels.sum(dtype=torch.float64).item() + self._problem.offset


def _differences(planes: Tensor, *, out: Tensor) -> None:
    """Forward differences of (K, H, W) along rows and columns; the ends of `out` stay."""
    torch.sub(planes[:, :, 1:], planes[:, :, :-1], out=out[0, :, :, :-1])
    torch.sub(planes[:, 1:], planes[:, :-1], out=out[1, :, :-1])


def _add_divergence(planes: Tensor, field: Tensor, axis: int, scale: float) -> None:
    """Add scale times the part of the divergence that the field along an axis makes."""
    n = planes.shape[axis] - 1
    planes.add_(field, alpha=scale)
    planes.narrow(axis, 1, n).sub_(field.narrow(axis, 0, n), alpha=scale)


def _doubled(planes: Tensor, shape: tuple[int, int]) -> Tensor:
    """The planes (N, K, H, W) at twice the size, cut to a shape."""
    fine = F.interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)
    return fine[..., : shape[0], : shape[1]].contiguous()
