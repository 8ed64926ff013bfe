"""What the affinities of pixels make of their probabilities: losses that agree where pixels do.

Probabilities are (N, C, H, W), 0 at pixels that are not real. Each loss is a mean over the crops of
what its weights sum up to 1 of, so that it does not depend on size, resolution or batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from wsstools.nn.regularizing.affinities import Affinities, Neighbours, overlap

_LEAST = 1e-12


@dataclass(frozen=True)
class Agreement:
    """How far the probabilities of pixels that belong together agree; see `relaxations`."""

    probs: Tensor
    affinities: Affinities

    @cached_property
    def degrees(self) -> Tensor:
        """``sum_j w_ij``, (N, 1, H, W)."""
        ones = torch.ones_like(self.probs[:, :1]).detach()
        return self.affinities.filtered(ones)

    @cached_property
    def within(self) -> Tensor:
        """``sum_ij w_ij p_i p_j`` of each class, (N, C)."""
        apply: Callable[[Tensor, Affinities], Tensor] = _Within.apply
        return apply(self.probs, self.affinities)

    @cached_property
    def all(self) -> Tensor:
        """``sum_ij w_ij p_i`` of each class, (N, C)."""
        return (self.degrees * self.probs).sum(dim=(2, 3))

    @cached_property
    def total(self) -> Tensor:
        """``sum_ij w_ij``, (N,)."""
        return self.degrees.sum(dim=(1, 2, 3)).clamp(min=_LEAST)


def bilinear(of: Agreement) -> Tensor:
    """``sum_k p_k' W (1 - p_k) / sum W``: the relaxed Potts model of the CRF.

    References
    ----------
    Tang et al., ECCV 2018, equation 5; Obukhov et al., 2019.
    """
    return ((of.all - of.within).sum(dim=1) / of.total).mean()


def quadratic(of: Agreement) -> Tensor:
    """``sum_ij w_ij |p_i - p_j|^2 / 2 sum W``.

    References
    ----------
    Zhang and Boykov, CVPR 2025.
    """
    squares = (of.degrees * of.probs.square()).sum(dim=(1, 2, 3))
    return ((squares - of.within.sum(dim=1)) / of.total).mean()


def normalized_cut(of: Agreement) -> Tensor:
    """``sum_k p_k' W (1 - p_k) / p_k' W 1``, over the number of classes.

    References
    ----------
    Tang et al., CVPR 2018, equation 7.
    """
    return ((of.all - of.within) / of.all.clamp(min=_LEAST)).mean()


def kernel_cut(of: Agreement) -> Tensor:
    """`bilinear` and `normalized_cut` together (Tang et al., ECCV 2018, section 3)."""
    return bilinear(of) + normalized_cut(of)


def collision(probs: Tensor, neighbours: Neighbours) -> Tensor:
    """``- sum_ij w_ij log(p_i p_j / |p_i| |p_j|) / sum W``, pairs at the offsets.

    References
    ----------
    Zhang and Boykov, CVPR 2025: collision divergence.
    """
    total = neighbours.weights.sum(dim=(1, 2, 3)).clamp(min=_LEAST)
    return (collisions(probs, neighbours) / total).mean()


def collisions(probs: Tensor, neighbours: Neighbours) -> Tensor:
    """``- sum w_ij log(p_i p_j / |p_i| |p_j|)`` over the pairs of each crop, (N,)."""
    units = probs / probs.square().sum(dim=1, keepdim=True).clamp(min=_LEAST).sqrt()
    losses = probs.new_zeros(len(probs))
    for number, (down, right) in enumerate(neighbours.offsets):
        here, there = overlap(probs, down, right)
        weights = neighbours.weights[:, number][here]
        cosines = (units[here] * units[there]).sum(dim=1)
        logs = cosines.clamp(min=_LEAST).log()
        losses = losses - torch.where(weights > 0, weights * logs, 0).sum(dim=(1, 2))
    return losses


def entropy(probs: Tensor) -> Tensor:
    """Mean over the real pixels of ``- sum_k p_k log p_k / log C``."""
    n_real = probs.sum(dim=(1, 2, 3)).clamp(min=_LEAST)
    uncertain = -(probs * probs.clamp(min=_LEAST).log()).sum(dim=(1, 2, 3))
    return (uncertain / n_real).mean() / max(float(torch.tensor(probs.shape[1]).log()), _LEAST)


def total_variation(probs: Tensor, is_real: Tensor) -> Tensor:
    """``|p_i - p_j|_1 / 2``, in mean over the pairs of real pixels beside and below each other."""
    real = is_real.unsqueeze(1).float()
    losses, pairs = probs.new_zeros(len(probs)), probs.new_zeros(len(probs))
    for down, right in ((0, 1), (1, 0)):
        here, there = overlap(probs, down, right)
        both = real[here] * real[there]
        steps = (probs[here] - probs[there]).abs()
        losses = losses + 0.5 * (steps * both).sum(dim=(1, 2, 3))
        pairs = pairs + both.sum(dim=(1, 2, 3))
    return (losses / pairs.clamp(min=_LEAST)).mean()


class _Context(FunctionCtx):
    saved_tensors: tuple[Tensor]


class _Within(torch.autograd.Function):
    """Quadratic forms of symmetric affinities: the same filtered values are their gradient."""

    @staticmethod
    def forward(context: _Context, probs: Tensor, affinities: Affinities) -> Tensor:
        filtered = affinities.filtered(probs.detach())
        context.save_for_backward(filtered)
        return (probs * filtered).sum(dim=(2, 3))

    @staticmethod
    def backward(context: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (filtered,) = context.saved_tensors
        return 2 * filtered * gradients[0][:, :, None, None], None
