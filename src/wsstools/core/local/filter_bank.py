"""Filter banks: what is computed at each pixel of an image for a classifier to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

"""Smoothed responses vary slowly: every fourth pixel holds all of them."""


@dataclass(frozen=True)
class FilterLayer:
    """Filters of one size, acting on RGB in 0..255.

    Attributes
    ----------
    weights : (F, 3, k, k) float32
        Correlation kernels over the three planes that `colours` makes; k is odd.
    biases : (F,) float32
        Added to the responses (they matter only with `is_rectified`).
    stride : int
        Responses are taken at every `stride`-th pixel of rows and columns, from the first, and
        interpolated bilinearly between them, so that pixel centres stay where they are.
    is_rectified : bool
        Negative responses become 0 before the interpolation, as in the network's next layer.
    is_energy : bool
        Filters 2i and 2i + 1 are the even and odd part of one complex filter, whose response is
        the modulus: how much of a grating there is, wherever its phase stands.
    colours : (3, 3) float32 or None
        Planes as combinations of RGB (rows); None keeps RGB.
    scale : int
        The filters act on the image reduced by this factor (means of squares of pixels).
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    stride: int = 1
    is_rectified: bool = False
    is_energy: bool = False
    colours: NDArray[np.float32] | None = None
    scale: int = 1

    def __len__(self) -> int:
        """Number of responses."""
        return len(self.weights) // 2 if self.is_energy else len(self.weights)

    @property
    def is_linear(self) -> bool:
        """Whether a response is a plain weighted sum of the planes."""
        return not (self.is_energy or self.is_rectified)

    @property
    def step(self) -> int:
        """Distance between neighbouring samples of the responses, in pixels of the image."""
        return self.stride * self.scale

    @property
    def origin(self) -> float:
        """Row and column of the first sample, in pixels of the image."""
        return (self.scale - 1) / 2

    def subset(self, chosen: NDArray[np.int64]) -> FilterLayer:
        """The layer with these responses only."""
        kept = np.ravel([2 * chosen, 2 * chosen + 1], order="F") if self.is_energy else chosen
        return replace(
            self, weights=np.ascontiguousarray(self.weights[kept]), biases=self.biases[kept]
        )

    def finish(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Responses, (len(self), ...), from the values of the linear filters, (F, ...)."""
        if self.is_energy:
            even, odd = values[0::2], values[1::2]
            values = np.sqrt(even * even + odd * odd)
        if self.is_rectified:
            np.maximum(values, 0, out=values)
        return values


@dataclass(frozen=True)
class PositionLayer:
    """Where a pixel lies: its row and column, as shares of the image's height and width.

    Attributes
    ----------
    axes : (n,) int64
        0 for the row, 1 for the column.
    """

    axes: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of responses."""
        return len(self.axes)

    def subset(self, chosen: NDArray[np.int64]) -> PositionLayer:
        """The layer with these responses only."""
        return PositionLayer(self.axes[chosen])


@dataclass(frozen=True)
class FilterBank:
    """Layers whose responses stand one after the other.

    Attributes
    ----------
    name : str
        What the record of a map calls it.
    layers : tuple of FilterLayer or PositionLayer
        At least one response in all.
    """

    name: str
    layers: tuple[FilterLayer | PositionLayer, ...]

    def __len__(self) -> int:
        return sum(len(layer) for layer in self.layers)

    @property
    def filters(self) -> list[FilterLayer]:
        """The layers that are filters."""
        return [layer for layer in self.layers if isinstance(layer, FilterLayer)]

    def subset(self, chosen: NDArray[np.int64]) -> FilterBank:
        """The bank with these responses only, in ascending order of their number."""
        layers, start = [], 0
        for layer in self.layers:
            inside = chosen[(chosen >= start) & (chosen < start + len(layer))] - start
            if len(inside):
                layers.append(layer.subset(np.sort(inside)))
            start += len(layer)
        return FilterBank(self.name, tuple(layers))


def extended(
    bank: FilterBank,
    *,
    scales: Sequence[int] = (1,),
    position: bool = False,
) -> FilterBank:
    """The bank with further responses behind its own.

    Parameters
    ----------
    bank : FilterBank
        Filters at scale 1.
    scales : sequence of int
        Every filter at each of these reductions of the image; 1 is the image itself.
    position : bool
        Row and column as two more responses.
    """
    layers: list[FilterLayer | PositionLayer] = [
        replace(layer, scale=scale) for scale in scales for layer in bank.filters
    ]
    if position:
        layers.append(PositionLayer(np.arange(2)))
    return FilterBank(bank.name, tuple(layers))
