"""Soft labels that a network's probabilities suggest, made to agree with their neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wsstools.nn.regularizing.affinities import Crops, Neighbours
from wsstools.nn.regularizing.relaxations import collisions

STEPS = 5
_LEAST = 1e-12


def self_label_loss(
    probs: Tensor, crops: Crops, neighbours: Neighbours, smoothness: float
) -> Tensor:
    """Collision cross entropy ``- log p_i y_i`` with soft labels y, in mean over the open pixels.

    Unsure labels teach nothing: of even ones it is a constant.

    References
    ----------
    Zhang and Boykov, CVPR 2025.
    """
    labels = self_labels(probs.detach(), crops, neighbours, smoothness)
    losses = _cross_entropies(probs, labels) * crops.is_open
    return (losses.sum(dim=(1, 2)) / crops.is_open.sum(dim=(1, 2)).clamp(min=1)).mean()


def self_labels(
    probs: Tensor, crops: Crops, neighbours: Neighbours, smoothness: float, steps: int = STEPS
) -> Tensor:
    """Labels y (N, C, H, W): they lessen ``sum - log p_i y_i + smoothness sum w_ij CD(y_i, y_j)``.

    Sums are over the open pixels and over pairs, CD is the collision divergence. Labelled pixels
    have their class. It is a few steps of gradient descent from y = p, each pixel's as long as the
    curvature of its pairs allows.
    """
    fixed = F.one_hot(crops.labels.long().clamp(max=probs.shape[1] - 1), probs.shape[1])
    fixed = fixed.permute(0, 3, 1, 2).to(probs.dtype)
    is_fixed = crops.is_labelled.unsqueeze(1)
    real = crops.is_real.unsqueeze(1)
    degrees = neighbours.filtered(torch.ones_like(probs[:, :1]))
    step = 1 / (1 + smoothness * degrees)

    def labels_of(values: Tensor) -> Tensor:
        return torch.where(is_fixed, fixed, values.softmax(dim=1)) * real

    values = probs.clamp(min=_LEAST).log()
    with torch.enable_grad():
        for _ in range(steps):
            values = values.detach().requires_grad_()
            energy = self_label_energy(labels_of(values), probs, crops, neighbours, smoothness)
            (gradient,) = torch.autograd.grad(energy, values)
            values = values - step * gradient
    return labels_of(values.detach())


def self_label_energy(
    labels: Tensor, probs: Tensor, crops: Crops, neighbours: Neighbours, smoothness: float
) -> Tensor:
    """What `self_labels` lessens, summed over the crops."""
    unlike = (_cross_entropies(probs, labels) * crops.is_open).sum()
    return unlike + smoothness * collisions(labels, neighbours).sum()


def _cross_entropies(probs: Tensor, labels: Tensor) -> Tensor:
    """-log p_i y_i, (N, H, W)."""
    return -(probs * labels).sum(dim=1).clamp(min=_LEAST).log()
