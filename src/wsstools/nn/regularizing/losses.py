"""Regularizing losses by name: of a network's logits and of the crops that it was shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from wsstools.nn.models.resizing import bilinear as resized
from wsstools.nn.regularizing.affinities import (
    Affinities,
    Crops,
    Gaussians,
    Neighbours,
    half_window,
)
from wsstools.nn.regularizing.relaxations import (
    Agreement,
    bilinear,
    collision,
    entropy,
    kernel_cut,
    normalized_cut,
    quadratic,
    total_variation,
)
from wsstools.nn.regularizing.self_labels import self_label_loss
from wsstools.nn.regularizing.settings import Constants
from wsstools.nn.regularizing.trees import Trees, tree_energy

_BESIDE = half_window(1)
_GATED = half_window(5)
_SMOOTHNESS = 20.0
"""Of soft labels: Zhang and Boykov's 6 of pairs over 0.3 of pixels."""


@dataclass(frozen=True)
class Regularizer:
    """A loss that is added to the cross entropy."""

    name: str
    constants: Constants
    weight: float
    begin: int = 0  # iterations before it counts; over as many again it grows to its weight

    def weight_at(self, iteration: int) -> float:
        """What it is multiplied by at an iteration, counted from 0."""
        if iteration < self.begin:
            return 0.0
        return self.weight * min(1.0, (iteration - self.begin + 1) / max(1, self.begin))

    def __call__(self, logits: Tensor, crops: Crops, stride: int) -> Tensor:
        """The loss of logits (N, C, h, w), which are `stride` pixels of the crops apart."""
        step = round(1 / self.constants.scale)
        crops = crops.every(step)
        size = crops.is_real.shape[1], crops.is_real.shape[2]
        logits = resized(logits.float(), size, scale=stride / step)
        probs = logits.softmax(dim=1) * crops.is_real.unsqueeze(1)
        return _LOSSES[self.name](probs, crops, self.constants)


def _gaussians(crops: Crops, constants: Constants) -> Affinities:
    return Gaussians(crops, constants.sigma_rgb or 0, constants.sigma_xy or 0)


def _beside(crops: Crops, constants: Constants) -> Neighbours:
    return Neighbours.of(crops, _BESIDE, constants.sigma_rgb or 0)


def _gated(crops: Crops, constants: Constants) -> Affinities:
    sigmas = constants.sigma_rgb or 0, constants.sigma_xy
    return Neighbours.of(crops, _GATED, *sigmas, is_gated=True)


_LOSSES: Mapping[str, Callable[[Tensor, Crops, Constants], Tensor]] = {
    "densecrf": lambda p, crops, of: bilinear(Agreement(p, _gaussians(crops, of))),
    "ncut": lambda p, crops, of: normalized_cut(Agreement(p, _gaussians(crops, of))),
    "kernelcut": lambda p, crops, of: kernel_cut(Agreement(p, _gaussians(crops, of))),
    "gated": lambda p, crops, of: bilinear(Agreement(p, _gated(crops, of))),
    "potts": lambda p, crops, of: quadratic(Agreement(p, _beside(crops, of))),
    "potts-collision": lambda p, crops, of: collision(p, _beside(crops, of)),
    "potts-soft": lambda p, crops, of: self_label_loss(p, crops, _beside(crops, of), _SMOOTHNESS),
    "tree": lambda p, crops, of: tree_energy(p, Trees(crops, of.sigma_rgb or 0), crops.is_open),
    "entropy": lambda p, crops, of: entropy(p),
    "tv": lambda p, crops, of: total_variation(p, crops.is_real),
}
