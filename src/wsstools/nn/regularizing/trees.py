"""Affinities along the minimum spanning tree of a picture, and the loss that they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from wsstools.core.compiled.spanning import filter_tree, spanning_tree
from wsstools.nn.cpu.arrays import share_images
from wsstools.nn.regularizing.affinities import Affinities, Crops

_LEAST = 1e-12


class Trees:
    """w_ij is the product of exp(-|rgb_k - rgb_l|^2 / 2 sigma_rgb^2) over the path from i to j.

    The path is that in the minimum spanning tree of a crop's grid, whose edges are pixels beside
    and below each other; it does not cross what is not real. Found on the CPU.
    """

    def __init__(self, crops: Crops, sigma_rgb: float) -> None:
        n, height, width = crops.is_real.shape
        self._order, self._parents = (np.empty((n, height * width), np.int32) for _ in range(2))
        self._weights = np.empty((n, height * width), np.float32)
        rgb, real = crops.rgb.cpu().contiguous().numpy(), crops.is_real.cpu().numpy()
        factor = np.float32(0.5 / sigma_rgb**2)

        def work(first: int, last: int) -> None:
            for k in range(first, last):
                tree = self._order[k], self._parents[k], self._weights[k]
                spanning_tree(rgb[k], real[k], factor, *tree)

        share_images(work, n)

    def filtered(self, values: Tensor) -> Tensor:
        """See `Affinities`."""
        rows = values.detach().float().cpu().flatten(2).transpose(1, 2).contiguous().numpy()
        sums = np.empty_like(rows)

        def work(first: int, last: int) -> None:
            for k in range(first, last):
                tree = self._order[k], self._parents[k], self._weights[k]
                filter_tree(*tree, rows[k], sums[k])

        share_images(work, len(rows))
        return torch.from_numpy(sums).transpose(1, 2).reshape(values.shape).to(values.device)


def tree_energy(probs: Tensor, trees: Affinities, is_open: Tensor) -> Tensor:
    """Half of ``|p_i - sum_j w_ij p_j / sum_j w_ij|_1``, in mean over the open pixels of crops.

    References
    ----------
    Liang et al., CVPR 2022, equation 6, without the tree of features.
    """
    degrees = trees.filtered(torch.ones_like(probs[:, :1]))
    apply: Callable[[Tensor, Affinities], Tensor] = _Filtered.apply
    smooth = apply(probs, trees) / degrees.clamp(min=_LEAST)
    distances = 0.5 * (probs - smooth).abs().sum(dim=1) * is_open
    return (distances.sum(dim=(1, 2)) / is_open.sum(dim=(1, 2)).clamp(min=1)).mean()


class _Context(FunctionCtx):
    affinities: Affinities


class _Filtered(torch.autograd.Function):
    """A symmetric filter: gradients pass it as values do."""

    @staticmethod
    def forward(context: _Context, values: Tensor, affinities: Affinities) -> Tensor:
        context.affinities = affinities
        return affinities.filtered(values)

    @staticmethod
    def backward(context: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return context.affinities.filtered(gradients[0]), None
