"""How much pixels of a crop belong together: symmetric weights w_ij between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import EllipsisType
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsstools.core.compiled.elementary import exp
from wsstools.core.compiled.pairs import filter_pairs, pair_exponents
from wsstools.core.crf.lattice import Lattice
from wsstools.core.labels import IGNORE_LABEL
from wsstools.errors import UsageError
from wsstools.nn.cpu.arrays import share_images

Offsets = Sequence[tuple[int, int]]
Place = tuple[EllipsisType, slice, slice]


@dataclass(frozen=True)
class Crops:
    """Crops as regularizing losses see them."""

    rgb: Tensor  # (N, 3, H, W) float32 in 0..255
    is_real: Tensor  # (N, H, W) bool: not beyond the image
    labels: Tensor  # (N, H, W) uint8, 255 where nothing is known
    scale: Tensor  # (N,) float32, pixels of the crop to one of the image

    @property
    def is_labelled(self) -> Tensor:
        """(N, H, W) bool."""
        return self.labels != IGNORE_LABEL

    @property
    def is_open(self) -> Tensor:
        """(N, H, W) float32, 1 at real pixels of which nothing is known."""
        return (self.is_real & ~self.is_labelled).float()

    def every(self, step: int) -> Crops:
        """The pixels at every `step`-th place, with the mean colour of those up to the next."""
        if step == 1:
            return self
        rgb = F.avg_pool2d(self.rgb, step, ceil_mode=True, count_include_pad=False)
        real, labels = (part[:, ::step, ::step] for part in (self.is_real, self.labels))
        return Crops(rgb, real, labels, self.scale / step)


class Affinities(Protocol):
    """Symmetric weights w_ij >= 0 between the pixels of each crop."""

    def filtered(self, values: Tensor) -> Tensor:
        """``sum_j w_ij values_j`` for each pixel i, of (N, C, H, W) and of its shape."""


class Neighbours:
    """Weights of pairs of pixels at a few offsets."""

    def __init__(self, weights: Tensor, offsets: Offsets) -> None:
        """`weights` (N, O, H, W) are of the pairs (i, j), (i, j) + offset; rows go downwards.

        They are 0 where the second pixel is outside.
        """
        self.weights, self.offsets = weights, offsets

    @classmethod
    def of(
        cls,
        crops: Crops,
        offsets: Offsets,
        sigma_rgb: float,
        sigma_xy: float | None = None,
        *,
        is_gated: bool = False,
    ) -> Neighbours:
        """exp(-|rgb_i - rgb_j|^2 / 2 sigma_rgb^2) times a weight of the distance.

        That is 1 / distance, or exp(-distance^2 / 2 sigma_xy^2), `sigma_xy` in pixels of the image.
        Pairs with a pixel that is not real have none. With `is_gated`, pairs of two labelled
        pixels have none either, and those of one labelled pixel half.
        """
        distances = crops.scale.new_tensor([float(np.hypot(*offset)) for offset in offsets])
        if sigma_xy is None:
            logs = -distances.log().expand(len(crops.scale), -1)
        else:
            logs = -0.5 * (distances / (crops.scale * sigma_xy).unsqueeze(1)).square()
        is_open = (~crops.is_labelled if is_gated else torch.ones_like(crops.is_real)).float()
        exponents = cls._on_cpu if crops.rgb.device.type == "cpu" else cls._on_device
        return cls(exponents(crops, offsets, 0.5 / sigma_rgb**2, logs, is_open), offsets)

    @staticmethod
    def _on_cpu(
        crops: Crops, offsets: Offsets, factor: float, logs: Tensor, is_open: Tensor
    ) -> Tensor:
        n, height, width = crops.is_real.shape
        weights = np.empty((n, len(offsets), height, width), np.float32)
        given = (
            crops.rgb.contiguous().numpy(), crops.is_real.contiguous().numpy(), is_open.numpy(),
            np.float32(factor), logs.contiguous().numpy(), np.array(offsets, np.int64), weights,
        )  # fmt: skip

        def work(first: int, last: int) -> None:
            pair_exponents(first, last, *given)
            exp(weights[first:last])

        share_images(work, n)
        return torch.from_numpy(weights)

    @staticmethod
    def _on_device(
        crops: Crops, offsets: Offsets, factor: float, logs: Tensor, is_open: Tensor
    ) -> Tensor:
        n, height, width = crops.is_real.shape
        weights = crops.rgb.new_zeros(n, len(offsets), height, width)
        real = crops.is_real.float()
        for number, (down, right) in enumerate(offsets):
            here, there = overlap(real, down, right)
            squares = (crops.rgb[here] - crops.rgb[there]).square().sum(1)
            gates = 0.5 * (is_open[here] + is_open[there]) * real[here] * real[there]
            of_pairs = torch.exp(logs[:, number, None, None] - factor * squares)
            weights[:, number][here] = of_pairs * gates
        return weights

    def filtered(self, values: Tensor) -> Tensor:
        """See `Affinities`."""
        if values.device.type == "cpu":
            sums = torch.empty_like(values, memory_format=torch.contiguous_format)
            given = (
                values.detach().contiguous().numpy(), self.weights.numpy(),
                np.array(self.offsets, np.int64), sums.numpy(),
            )  # fmt: skip
            share_images(lambda first, last: filter_pairs(first, last, *given), len(values))
            return sums
        return self._filtered_on_device(values)

    def _filtered_on_device(self, values: Tensor) -> Tensor:
        sums = torch.zeros_like(values)
        for number, (down, right) in enumerate(self.offsets):
            here, there = overlap(values, down, right)
            weights = self.weights[:, number : number + 1][here]
            sums[here] += weights * values[there]
            sums[there] += weights * values[here]
        return sums


class Gaussians:
    """exp(-|f_i - f_j|^2 / 2) of all pairs of real pixels, f = (place / sigma_xy, rgb / sigma_rgb).

    `sigma_xy` is in pixels of the image. On a CPU by a permutohedral lattice, which approximates
    it, on other devices by the matrix of all pairs, which a few thousand pixels allow.
    """

    def __init__(self, crops: Crops, sigma_rgb: float, sigma_xy: float) -> None:
        self._is_real = crops.is_real
        self._features = _features(crops, sigma_rgb, sigma_xy)

    def filtered(self, values: Tensor) -> Tensor:
        """See `Affinities`."""
        return self._on_cpu(values) if values.device.type == "cpu" else self._on_device(values)

    def _on_device(self, values: Tensor) -> Tensor:
        flat = values.flatten(2) * self._is_real.flatten(1).unsqueeze(1)
        return (flat @ self._matrices).view_as(values)

    def _on_cpu(self, values: Tensor) -> Tensor:
        sums, lattices = torch.zeros_like(values), self._lattices

        def work(first: int, last: int) -> None:
            for image in range(first, last):
                real, lattice = self._is_real[image], lattices[image]
                if lattice is not None:
                    rows = values[image][:, real].detach().numpy()
                    filtered = np.stack([lattice.filter(row) for row in rows])
                    sums[image][:, real] = torch.from_numpy(filtered)

        share_images(work, len(values))
        return sums

    @cached_property
    def _lattices(self) -> list[Lattice | None]:
        """Those of the crops; None where no pixel is real."""
        found: dict[int, Lattice | None] = {}

        def work(first: int, last: int) -> None:
            for image in range(first, last):
                features = self._features[image][:, self._is_real[image].flatten()].numpy()
                found[image] = Lattice.of(features, is_normalized=False) if features.size else None

        try:
            share_images(work, len(self._features))
        except ValueError as error:
            why = "a larger --loss-sigma-xy or --loss-sigma-rgb is needed for crops of this size"
            raise UsageError(f"{error}: {why}") from error
        return [found[image] for image in range(len(self._features))]

    @cached_property
    def _matrices(self) -> Tensor:
        features = self._features.transpose(1, 2)
        real = self._is_real.flatten(1).float()
        weights = torch.exp(-0.5 * torch.cdist(features, features).square())
        return weights * real.unsqueeze(1) * real.unsqueeze(2)


def _features(crops: Crops, sigma_rgb: float, sigma_xy: float) -> Tensor:
    """(N, 5, H W) float32."""
    n, height, width = crops.is_real.shape
    places = torch.stack(
        torch.meshgrid(
            torch.arange(height, device=crops.rgb.device),
            torch.arange(width, device=crops.rgb.device),
            indexing="ij",
        )
    ).float()
    spread = (crops.scale * sigma_xy).view(-1, 1, 1, 1)
    together = torch.cat([places.expand(n, -1, -1, -1) / spread, crops.rgb / sigma_rgb], dim=1)
    return together.flatten(2)


def half_window(radius: int) -> Offsets:
    """The offsets of a square window of which each pair of pixels has one."""
    reach = range(-radius, radius + 1)
    return [(i, j) for i in reach for j in reach if (i, j) > (0, 0)]


def overlap(picture: Tensor, down: int, right: int) -> tuple[Place, Place]:
    """Where in (.., H, W) the first pixels of the pairs at an offset are, and where the second."""
    height, width = picture.shape[-2:]
    left, stop = max(0, -right), min(width, width - right)
    return (
        (..., slice(0, max(0, height - down)), slice(left, stop)),
        (..., slice(down, max(down, height)), slice(left + right, stop + right)),
    )
