"""Filter banks: linear filters on an image's colours, and their responses at image size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled import compiled


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
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    stride: int = 1
    is_rectified: bool = False
    is_energy: bool = False
    colours: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Number of responses."""
        return len(self.weights) // 2 if self.is_energy else len(self.weights)

    def subset(self, chosen: NDArray[np.int64]) -> FilterLayer:
        """The layer with these responses only."""
        kept = np.ravel([2 * chosen, 2 * chosen + 1], order="F") if self.is_energy else chosen
        return replace(
            self, weights=np.ascontiguousarray(self.weights[kept]), biases=self.biases[kept]
        )

    def finish(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Responses, (len(self), ...), from the values of the linear filters, (F, ...)."""
        if self.is_energy:
            values = np.hypot(values[0::2], values[1::2])
        if self.is_rectified:
            np.maximum(values, 0, out=values)
        return values


@dataclass(frozen=True)
class FilterBank:
    """Layers of filters whose responses stand one after the other.

    Attributes
    ----------
    name : str
        What the record of a map calls it.
    layers : tuple of FilterLayer
        At least one filter in all.
    """

    name: str
    layers: tuple[FilterLayer, ...]

    def __len__(self) -> int:
        return sum(len(layer) for layer in self.layers)

    def subset(self, chosen: NDArray[np.int64]) -> FilterBank:
        """The bank with these filters only, in ascending order of their number."""
        layers, start = [], 0
        for layer in self.layers:
            inside = chosen[(chosen >= start) & (chosen < start + len(layer))] - start
            if len(inside):
                layers.append(layer.subset(np.sort(inside)))
            start += len(layer)
        return FilterBank(self.name, tuple(layers))


class Responses:
    """The responses of a bank on one image, computed where they are asked for.

    Beyond its border the image goes on with its outermost pixels.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32
        RGB in 0..255.
    bank : FilterBank
        The filters.
    """

    def __init__(self, image: NDArray, bank: FilterBank) -> None:
        self.height, self.width = image.shape[:2]
        self._layers = [_LayerResponses(image, layer) for layer in bank.layers]
        self.n_filters = len(bank)

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Responses at n pixels, (n, F) float32."""
        return np.concatenate([layer.at(rows, columns) for layer in self._layers], axis=1)

    def of_rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Responses at all pixels of rows first..last-1, (F, last - first, W) float32."""
        out = np.empty((self.n_filters, last - first, self.width), np.float32)
        start = 0
        for layer in self._layers:
            layer.fill_rows(first, out[start : start + layer.n_filters])
            start += layer.n_filters
        return out


class _LayerResponses:
    def __init__(self, image: NDArray, layer: FilterLayer) -> None:
        self._layer = layer
        self._image = image
        self.n_filters = len(layer)
        self._size = image.shape[:2]

    @cached_property
    def _planes(self) -> NDArray[np.float32]:
        """(3, H + margins, W + margins): the planes with their outermost pixels repeated."""
        pixels = self._image.astype(np.float32)
        if self._layer.colours is not None:
            pixels = pixels @ self._layer.colours.T
        before = self._layer.weights.shape[2] // 2
        after = before + self._layer.stride
        margins = ((0, 0), (before, after), (before, after))
        return np.pad(np.moveaxis(pixels, 2, 0), margins, mode="edge")

    @cached_property
    def _grid(self) -> NDArray[np.float32]:
        """Responses at every stride-th pixel, (n, h, w); one more row and column than inside."""
        layer = self._layer
        height, width = ((size - 1) // layer.stride + 2 for size in self._size)
        values = np.empty((len(layer.weights), height, width), np.float32)
        _correlate(self._planes, layer.weights, layer.biases, layer.stride, 0, values)
        return np.ascontiguousarray(layer.finish(values))

    def at(self, rows: NDArray, columns: NDArray) -> NDArray[np.float32]:
        """Responses at n pixels, (n, len(layer))."""
        layer = self._layer
        if layer.stride > 1:
            out = np.empty((len(rows), len(layer)), np.float32)
            _interpolate_points(self._grid, layer.stride, rows, columns, out)
            return out
        values = np.empty((len(layer.weights), len(rows)), np.float32)
        _correlate_points(self._planes, layer.weights, layer.biases, rows, columns, values)
        return layer.finish(values).T

    def fill_rows(self, first: int, out: NDArray[np.float32]) -> None:
        """Fill (len(layer), n, W) with the responses at n rows from `first`."""
        layer = self._layer
        if layer.stride > 1:
            _interpolate_rows(self._grid, layer.stride, first, out)
            return
        values = np.empty((len(layer.weights), *out.shape[1:]), np.float32)
        _correlate(self._planes, layer.weights, layer.biases, 1, first, values)
        out[:] = layer.finish(values)


@compiled
def _correlate(planes, weights, biases, stride, first, out):
    """out[f, y, x] = bias + sum of weights[f] * the window around (first + y, x) * stride."""
    n_filters, height, width = out.shape
    n_planes, size = weights.shape[1], weights.shape[2]
    for f in range(n_filters):
        for y in range(height):
            row = out[f, y]
            row[:] = biases[f]
            for c in range(n_planes):
                for dy in range(size):
                    source = planes[c, (first + y) * stride + dy]
                    for dx in range(size):
                        weight = weights[f, c, dy, dx]
                        if weight == 0:
                            continue
                        if stride == 1:
                            for x in range(width):
                                row[x] += weight * source[x + dx]
                        else:
                            for x in range(width):
                                row[x] += weight * source[x * stride + dx]


@compiled
def _correlate_points(planes, weights, biases, rows, columns, out):
    """out[f, i] = bias + sum of weights[f] * the window around (rows[i], columns[i])."""
    n_filters, n_planes, size = weights.shape[:3]
    for i in range(len(rows)):
        for f in range(n_filters):
            total = biases[f]
            for c in range(n_planes):
                for dy in range(size):
                    source = planes[c, rows[i] + dy]
                    for dx in range(size):
                        total += weights[f, c, dy, dx] * source[columns[i] + dx]
            out[f, i] = total


@compiled
def _interpolate_points(grid, stride, rows, columns, out):
    """out[i, f]: the grid of every stride-th pixel, bilinearly at (rows[i], columns[i])."""
    for i in range(len(rows)):
        y, x = rows[i] // stride, columns[i] // stride
        v = np.float32(rows[i] - y * stride) / np.float32(stride)
        u = np.float32(columns[i] - x * stride) / np.float32(stride)
        for f in range(grid.shape[0]):
            above = grid[f, y, x] + u * (grid[f, y, x + 1] - grid[f, y, x])
            below = grid[f, y + 1, x] + u * (grid[f, y + 1, x + 1] - grid[f, y + 1, x])
            out[i, f] = above + v * (below - above)


@compiled
def _interpolate_rows(grid, stride, first, out):
    """out[f, y, x]: the grid of every stride-th pixel, bilinearly at (first + y, x)."""
    n_filters, height, width = out.shape
    for f in range(n_filters):
        for y in range(height):
            j = (first + y) // stride
            v = np.float32(first + y - j * stride) / np.float32(stride)
            above, below = grid[f, j], grid[f, j + 1]
            for x in range(width):
                i = x // stride
                u = np.float32(x - i * stride) / np.float32(stride)
                a = above[i] + u * (above[i + 1] - above[i])
                b = below[i] + u * (below[i + 1] - below[i])
                out[f, y, x] = a + v * (b - a)
