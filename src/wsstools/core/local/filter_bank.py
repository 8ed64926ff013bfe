"""Filter banks: what is computed at each pixel of an image for a classifier to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_LARGEST_REDUCTION = 64
_ROUNDING = 0.02
"""Share by which 1 divided by a size may be off a whole number, as 0.33 is."""


@dataclass(frozen=True)
class FilterLayer:
    """Filters of one size, acting on RGB in 0..255.

    Responses are taken at every `stride`-th pixel of rows and columns, from the first, and
    interpolated bilinearly between them, so that pixel centres stay where they are. With
    `is_rectified`, negative ones become 0 before that, as in the network's next layer. With
    `is_energy`, filters 2i and 2i + 1 are the even and odd part of one complex filter, whose
    response is the modulus: how much of a grating there is, whatever its phase.
    """

    weights: NDArray[np.float32]  # (F, 3, k, k), correlation kernels over the planes; k is odd
    # (F,), added to the responses (they matter only with `is_rectified`)
    biases: NDArray[np.float32]
    stride: int = 1
    is_rectified: bool = False
    is_energy: bool = False
    colours: NDArray[np.float32] | None = None  # (3, 3), planes as combinations of RGB (rows)
    scale: int = 1  # they act on the image reduced by it (means of squares of pixels)

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
    """Where a pixel is: its row and column, as shares of the image's height and width."""

    axes: NDArray[np.int64]  # (n,), 0 for the row, 1 for the column

    def __len__(self) -> int:
        """Number of responses."""
        return len(self.axes)

    def subset(self, chosen: NDArray[np.int64]) -> PositionLayer:
        """The layer with these responses only."""
        return PositionLayer(self.axes[chosen])


@dataclass(frozen=True)
class FilterBank:
    """Layers whose responses are one after the other; at least one response in all."""

    name: str  # what the record of a map calls it
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


def reductions(scales: Iterable[float]) -> list[int]:
    """By what an image is reduced to have these sizes, ascending: 1, 2, 4 for 1, 0.5, 0.25.

    A size that is 1/n to two digits or more counts as 1/n. Whole numbers above 1 are reductions
    themselves, as version 0.1.0 had them.

    Raises
    ------
    ValueError
        If a size is not 1 divided by a whole number up to 64.

    Examples
    --------
    >>> reductions([1, 0.5, 0.33]), reductions([4, 1])
    ([1, 2, 3], [1, 4])
    """
    found = set()
    for size in scales:
        reduction = size if size > 1 or size <= 0 else 1 / size
        whole = round(min(max(reduction, 0), _LARGEST_REDUCTION + 1))
        tolerance = 0 if size > 1 else _ROUNDING * whole
        is_good = 0 < whole <= _LARGEST_REDUCTION and abs(reduction - whole) <= tolerance
        if not is_good:
            raise ValueError(
                f"scale {size:g}: expected 1, or 1 divided by a whole number up to "
                f"{_LARGEST_REDUCTION}, such as 0.5 or 0.25"
            )
        found.add(whole)
    return sorted(found)


def extended(
    bank: FilterBank, *, scales: Sequence[int] = (1,), position: bool = False
) -> FilterBank:
    """The filters at each of these reductions of the image, 1 is itself, and the position."""
    layers: list[FilterLayer | PositionLayer] = [
        replace(layer, scale=scale) for scale in scales for layer in bank.filters
    ]
    if position:
        layers.append(PositionLayer(np.arange(2)))
    return FilterBank(bank.name, tuple(layers))
