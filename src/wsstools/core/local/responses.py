"""The responses of a filter bank on one image, at image size and where they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.jit import compiled
from wsstools.core.local.filter_bank import FilterBank, FilterLayer, PositionLayer

Places: TypeAlias = "NDArray[np.int64]"

_SAMPLES_AT_ONCE = 1 << 15
"""Bounds the memory of a layer's samples while they are made for single pixels."""
_POINTS_AT_ONCE, _ROWS_AT_ONCE = 1 << 15, 256
"""Bound that of the windows around single pixels."""
_SMALL = 1 << 24
"""Pixels of an image whose planes, of 200 MB, are kept."""


class Responses:
    """The responses of a bank on one image, (H, W, 3) in 0..255, computed where they are asked for.

    Beyond its border the image goes on with its outermost pixels.
    """

    def __init__(self, image: AnyArray | Planes, bank: FilterBank) -> None:
        self._planes = image if isinstance(image, Planes) else Planes(image)
        self._bank = bank
        self.height, self.width = self._planes.size
        self.n_features = len(bank)

    def subset(self, chosen: NDArray[np.int64]) -> Responses:
        """These responses only, in ascending order of their number."""
        return Responses(self._planes, self._bank.subset(chosen))

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Responses at n pixels, (n, F) float32."""
        out = np.empty((self.n_features, len(rows)), np.float32)
        for layer, part in self._parts(out):
            if isinstance(layer, PositionLayer):
                self._fill_positions(layer, rows, columns, part)
            elif layer.step == 1:
                part[:] = layer.finish(_point_values(layer, self._planes, rows, columns))
            else:
                self._interpolate_at(layer, rows, columns, part)
        return out.T

    def of_rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Responses at all pixels of rows first..last-1, (F, last - first, W) float32."""
        out = np.empty((self.n_features, last - first, self.width), np.float32)
        for layer, part in self._parts(out):
            if isinstance(layer, PositionLayer):
                rows, columns = np.arange(first, last)[:, None], np.arange(self.width)[None]
                self._fill_positions(layer, rows, columns, part)
            elif layer.step == 1 and layer.is_linear:
                _fill_values(layer, self._planes, first, part)
            elif layer.step == 1:
                part[:] = self._samples(layer, first, last - first, self.width)
            else:
                y, v = self._between(layer, np.arange(first, last))
                x, u = self._between(layer, np.arange(self.width))
                samples = self._samples(layer, y[0], y[-1] - y[0] + 2, x[-1] + 2)
                interpolate_rows(samples, y - y[0], v, x, u, part)
        return out

    def _parts(
        self, out: NDArray[np.float32]
    ) -> Iterator[tuple[FilterLayer | PositionLayer, NDArray[np.float32]]]:
        """The layers, each with its own part of the responses of all."""
        ends = np.cumsum([len(layer) for layer in self._bank.layers])
        return zip(self._bank.layers, np.split(out, ends)[:-1], strict=True)

    def _fill_positions(
        self, layer: PositionLayer, rows: Places, columns: Places, out: NDArray[np.float32]
    ) -> None:
        shares = (rows + 0.5) / self.height, (columns + 0.5) / self.width
        for plane, axis in zip(out, layer.axes, strict=True):
            plane[...] = shares[axis]

    def _interpolate_at(
        self, layer: FilterLayer, rows: Places, columns: Places, out: NDArray[np.float32]
    ) -> None:
        y, v = self._between(layer, rows)
        x, u = self._between(layer, columns)
        n_columns = int(self._between(layer, np.array([self.width - 1]))[0][0]) + 2
        n_rows = min(max(8, _SAMPLES_AT_ONCE // n_columns), int(y.max()) + 1)
        for first in range(0, int(y.max()) + 1, n_rows):
            here = np.nonzero((y >= first) & (y < first + n_rows))[0]
            if len(here):
                samples = self._samples(layer, first, n_rows + 1, n_columns)
                interpolate_points(samples, y[here] - first, v[here], x[here], u[here], here, out)

    @staticmethod
    def _between(layer: FilterLayer, pixels: Places) -> tuple[Places, NDArray[np.float32]]:
        """The sample before each row or column, and how far on to the next one it is (0..1)."""
        places = np.maximum(pixels - layer.origin, 0) / layer.step
        before = places.astype(np.int64)
        return before, (places - before).astype(np.float32)

    def _samples(
        self, layer: FilterLayer, first: int, n_rows: int, n_columns: int
    ) -> NDArray[np.float32]:
        """Responses at samples, (len(layer), n_rows, n_columns), of sample rows from `first`."""
        values = np.empty((len(layer.weights), n_rows, n_columns), np.float32)
        _fill_values(layer, self._planes, int(first), values)
        return np.ascontiguousarray(layer.finish(values))


class Planes:
    """The planes that filters act on: colours mixed and reduced, made when needed.

    Those of a small image are made once, those of a large one for the rows that are asked for.
    """

    def __init__(self, image: AnyArray) -> None:
        self._image = image
        self.size = image.shape[:2]
        self._is_small = self.size[0] * self.size[1] <= _SMALL
        self._made: dict[tuple[bytes | None, int], NDArray[np.float32]] = {}

    def size_for(self, layer: FilterLayer) -> tuple[int, int]:
        """Height and width, (h, w), of the planes for a layer."""
        return -(-self.size[0] // layer.scale), -(-self.size[1] // layer.scale)

    def rows(self, layer: FilterLayer, first: int, last: int) -> NDArray[np.float32]:
        """The planes for a layer in rows first..last-1, (3, last - first, w) float32."""
        if not self._is_small:
            return self._make(layer, first, last)
        colours = None if layer.colours is None else layer.colours.tobytes()
        key = (colours, layer.scale)
        if key not in self._made:
            self._made[key] = self._make(layer, 0, self.size_for(layer)[0])
        return self._made[key][:, first:last]

    def _make(self, layer: FilterLayer, first: int, last: int) -> NDArray[np.float32]:
        part = self._image[first * layer.scale : last * layer.scale]
        planes = _mixed(part, layer.colours)
        return _reduced(planes, layer.scale) if layer.scale > 1 else planes


def _mixed(image: AnyArray, colours: NDArray[np.float32] | None) -> NDArray[np.float32]:
    planes = np.moveaxis(image, 2, 0).astype(np.float32)
    if colours is None:
        return planes
    out = np.empty_like(planes)
    for plane, (red, green, blue) in zip(out, colours, strict=True):
        np.multiply(planes[0], red, out=plane)
        plane += green * planes[1]
        plane += blue * planes[2]
    return out


def _reduced(planes: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """Means over squares of scale x scale pixels; the last ones repeat the outermost pixels."""
    height, width = planes.shape[1:]
    margins = ((0, 0), (0, -height % scale), (0, -width % scale))
    padded = np.pad(planes, margins, mode="edge")
    n, h, w = padded.shape
    return padded.reshape(n, h // scale, scale, w // scale, scale).mean(axis=(2, 4))


def _fill_values(layer: FilterLayer, planes: Planes, first: int, out: NDArray[np.float32]) -> None:
    """Fill (F, n, m) with the linear filters' values at n sample rows from `first`."""
    stride, size = layer.stride, layer.weights.shape[2]
    n_rows, n_columns = out.shape[1:]
    # Rows and columns of each phase are together: neighbouring samples read neighbouring pixels.
    reach = (size - 1) // stride
    height, width = n_rows + reach, n_columns + reach
    n_source_rows, n_source_columns = planes.size_for(layer)
    rows = _clipped(np.arange(height * stride) + first * stride - size // 2, n_source_rows)
    columns = _clipped(np.arange(width * stride) - size // 2, n_source_columns)
    source = planes.rows(layer, rows[0], rows[-1] + 1)
    phases = np.empty((3, stride, stride, height, width), np.float32)
    for i in range(stride):
        taken = source[:, rows[i::stride] - rows[0]]
        for k in range(stride):
            phases[:, i, k] = taken[:, :, columns[k::stride]]
    channel, dy, dx = np.indices(layer.weights.shape[1:])
    offsets = np.ravel_multi_index(
        (channel, dy % stride, dx % stride, dy // stride, dx // stride), phases.shape
    )
    _correlate(phases.ravel(), width, *_taps(layer.weights, offsets), layer.biases, out)


def _point_values(
    layer: FilterLayer, planes: Planes, rows: Places, columns: Places
) -> NDArray[np.float32]:
    """(F, n) values of the linear filters at n pixels, with the arithmetic of `_fill_values`."""
    out = np.empty((len(layer.weights), len(rows)), np.float32)
    for here in _near_each_other(rows):
        out[:, here] = _values_at(layer, planes, rows[here], columns[here])
    return out


def _near_each_other(rows: Places) -> Iterator[Places]:
    """Which of n pixels are in some rows of the image, for those rows after each other."""
    order = np.argsort(rows, kind="stable")
    start = 0
    while start < len(order):
        end = int(np.searchsorted(rows[order], rows[order[start]] + _ROWS_AT_ONCE))
        end = min(end, start + _POINTS_AT_ONCE)
        yield order[start:end]
        start = end


def _values_at(
    layer: FilterLayer, planes: Planes, rows: Places, columns: Places
) -> NDArray[np.float32]:
    """(F, n) values of the linear filters at n pixels of neighbouring rows, ascending."""
    reach = np.arange(layer.weights.shape[2]) - layer.weights.shape[2] // 2
    height, width = planes.size_for(layer)
    first, last = _clipped(np.array([rows[0] + reach[0], rows[-1] + reach[-1]]), height)
    source = planes.rows(layer, first, last + 1)
    windows = np.empty((*layer.weights.shape[1:], len(rows)), np.float32)
    for i, dy in enumerate(reach):
        y = _clipped(rows + dy, height) - first
        for k, dx in enumerate(reach):
            windows[:, i, k] = source[:, y, _clipped(columns + dx, width)]
    offsets = np.arange(windows[..., 0].size).reshape(windows.shape[:-1]) * len(rows)
    out = np.empty((len(layer.weights), 1, len(rows)), np.float32)
    _correlate(windows.ravel(), 0, *_taps(layer.weights, offsets), layer.biases, out)
    return out[:, 0]


def _clipped(places: Places, size: int) -> Places:
    return np.clip(places, 0, size - 1)


def _taps(
    weights: NDArray[np.float32], offsets: Places
) -> tuple[Places, Places, NDArray[np.float32]]:
    """Per filter the weights that are not 0: where they start, their offsets, and they."""
    flat = weights.reshape(len(weights), -1)
    filters, taps = np.nonzero(flat)
    starts = np.searchsorted(filters, np.arange(len(weights) + 1))
    return starts, offsets.ravel()[taps], flat[filters, taps]


@compiled
def _correlate(source, pitch, starts, offsets, weights, biases, out):
    """out[f, y, x] = bias + sum over the taps of weight * source[y * pitch + x + offset]."""
    n_filters, n_rows, n_columns = out.shape
    for y in range(n_rows):
        for f in range(n_filters):
            row = out[f, y]
            row[:] = biases[f]
            t = starts[f]
            last = starts[f + 1]
            while t + 4 <= last:
                a = source[y * pitch + offsets[t] :]
                b = source[y * pitch + offsets[t + 1] :]
                c = source[y * pitch + offsets[t + 2] :]
                d = source[y * pitch + offsets[t + 3] :]
                u, v, w, z = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
                for x in range(n_columns):
                    row[x] += (u * a[x] + v * b[x]) + (w * c[x] + z * d[x])
                t += 4
            while t < last:
                a = source[y * pitch + offsets[t] :]
                u = weights[t]
                for x in range(n_columns):
                    row[x] += u * a[x]
                t += 1


@compiled
def interpolate_points(samples, y, v, x, u, places, out):
    """out[f, places[i]]: bilinearly between the samples around (y[i] + v[i], x[i] + u[i])."""
    for f in range(samples.shape[0]):
        plane = samples[f]
        for i in range(len(y)):
            j, k = y[i], x[i]
            left = plane[j, k] + v[i] * (plane[j + 1, k] - plane[j, k])
            right = plane[j, k + 1] + v[i] * (plane[j + 1, k + 1] - plane[j, k + 1])
            out[f, places[i]] = left + u[i] * (right - left)


@compiled
def interpolate_rows(samples, y, v, x, u, out):
    """out[f, i, k]: bilinearly between the samples around (y[i] + v[i], x[k] + u[k])."""
    n_filters, n_rows, n_columns = out.shape
    row = np.empty(samples.shape[2], np.float32)
    for f in range(n_filters):
        for i in range(n_rows):
            above, below = samples[f, y[i]], samples[f, y[i] + 1]
            for k in range(len(row)):
                row[k] = above[k] + v[i] * (below[k] - above[k])
            for k in range(n_columns):
                left = row[x[k]]
                out[f, i, k] = left + u[k] * (row[x[k] + 1] - left)
