"""What a local model learns from at each pixel: responses of filters, features of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wsstools.core.compiled.jit import compiled

_ROUNDING = 1e-5
"""A feature whose deviation is a smaller share of its values is constant but for rounding."""


class Features(Protocol):
    """F numbers of each pixel of one image, computed where they are asked for."""

    height: int
    width: int
    n_features: int

    def subset(self, chosen: NDArray[np.int64]) -> Features:
        """These features only, in ascending order of their number."""

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of n pixels, (n, F) float32."""

    def of_rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Features of all pixels of rows first..last-1, (F, last - first, W) float32."""


@dataclass(frozen=True)
class Level:
    """Features of a network at one resolution; the first lies on the first pixel of the image."""

    values: NDArray[np.float32]  # (C, h, w); they reach to the last pixel of the image, or beyond
    step: int  # pixels of the image from one to the next


class NetworkFeatures:
    """The levels of a network's features on one image of H x W pixels, bilinear in between."""

    def __init__(self, levels: Sequence[Level], height: int, width: int) -> None:
        self.levels = tuple(levels)
        self.height, self.width = height, width
        self.n_features = sum(len(level.values) for level in levels)

    def subset(self, chosen: NDArray[np.int64]) -> NetworkFeatures:
        """These features only, in ascending order of their number."""
        levels, start = [], 0
        for level in self.levels:
            end = start + len(level.values)
            inside = np.sort(chosen[(chosen >= start) & (chosen < end)]) - start
            if len(inside):
                levels.append(Level(level.values[inside], level.step))
            start = end
        return NetworkFeatures(levels, self.height, self.width)

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of n pixels, (n, F) float32."""
        out = np.empty((self.n_features, len(rows)), np.float32)
        start = 0
        for level in self.levels:
            end = start + len(level.values)
            y, v = _between(rows, level.step, level.values.shape[1])
            x, u = _between(columns, level.step, level.values.shape[2])
            _interpolate_points(level.values, y, v, x, u, out[start:end])
            start = end
        return np.ascontiguousarray(out.T)

    def of_rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Features of all pixels of rows first..last-1, (F, last - first, W) float32."""
        out = np.empty((self.n_features, last - first, self.width), np.float32)
        start = 0
        for level in self.levels:
            end = start + len(level.values)
            _fill_rows(level, first, self.width, out[start:end])
            start = end
        return out

    def standardised(self) -> NetworkFeatures:
        """The same features with mean 0 and variance 1 over their level; constant ones are 0."""
        levels = []
        for level in self.levels:
            centred = level.values - level.values.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
            deviations = np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True))
            size = np.abs(level.values).max(axis=(1, 2), keepdims=True)
            is_constant = deviations <= _ROUNDING * size
            scales = 1 / np.where(is_constant, np.inf, deviations)
            levels.append(Level((centred * scales).astype(np.float32), level.step))
        return NetworkFeatures(levels, self.height, self.width)

    def weighted_sums(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """weights (K, F) @ features of each pixel, (K, H, W) float32.

        Sums are taken before they are interpolated: both are linear, and K is small beside F.
        """
        total = np.zeros((len(weights), self.height, self.width), np.float32)
        part = np.empty_like(total)
        start = 0
        for level in self.levels:
            count, h, w = level.values.shape
            sums = weights[:, start : start + count] @ level.values.reshape(count, -1)
            _fill_rows(Level(sums.reshape(-1, h, w), level.step), 0, self.width, part)
            total += part
            start += count
        return total


class JoinedFeatures:
    """Several sources of features of one image, one after the other."""

    def __init__(self, parts: Sequence[Features]) -> None:
        self.parts = tuple(parts)
        self.height, self.width = parts[0].height, parts[0].width
        self.n_features = sum(part.n_features for part in parts)

    def subset(self, chosen: NDArray[np.int64]) -> JoinedFeatures:
        """These features only, in ascending order of their number."""
        kept, start = [], 0
        for part in self.parts:
            end = start + part.n_features
            inside = chosen[(chosen >= start) & (chosen < end)] - start
            if len(inside):
                kept.append(part.subset(inside))
            start = end
        return JoinedFeatures(kept)

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of n pixels, (n, F) float32."""
        return np.concatenate([part.at(rows, columns) for part in self.parts], axis=1)

    def of_rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Features of all pixels of rows first..last-1, (F, last - first, W) float32."""
        return np.concatenate([part.of_rows(first, last) for part in self.parts])


def _fill_rows(level: Level, first: int, width: int, out: NDArray[np.float32]) -> None:
    """Fill (C, n, W) with the values of n rows of pixels from `first`."""
    y, v = _between(np.arange(first, first + out.shape[1]), level.step, level.values.shape[1])
    x, u = _between(np.arange(width), level.step, level.values.shape[2])
    _interpolate_rows(level.values, y, v, x, u, out)


def _between(
    pixels: NDArray[np.int64], step: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The value before each row or column, and how far on to the next one it is (0..1)."""
    before = np.minimum(pixels // step, max(count - 2, 0))
    return before, ((pixels - before * step) / step).astype(np.float32)


@compiled
def _interpolate_points(values, y, v, x, u, out):
    """out[c, i]: bilinearly between the values around (y[i] + v[i], x[i] + u[i])."""
    last_y, last_x = values.shape[1] - 1, values.shape[2] - 1
    for c in range(values.shape[0]):
        plane = values[c]
        for i in range(len(y)):
            j, k = y[i], x[i]
            below, right = min(j + 1, last_y), min(k + 1, last_x)
            a = plane[j, k] + v[i] * (plane[below, k] - plane[j, k])
            b = plane[j, right] + v[i] * (plane[below, right] - plane[j, right])
            out[c, i] = a + u[i] * (b - a)


@compiled
def _interpolate_rows(values, y, v, x, u, out):
    """out[c, i, k]: bilinearly between the values around (y[i] + v[i], x[k] + u[k])."""
    last_y, last_x = values.shape[1] - 1, values.shape[2] - 1
    row = np.empty(values.shape[2], np.float32)
    for c in range(out.shape[0]):
        for i in range(out.shape[1]):
            above, below = values[c, y[i]], values[c, min(y[i] + 1, last_y)]
            for k in range(len(row)):
                row[k] = above[k] + v[i] * (below[k] - above[k])
            for k in range(out.shape[2]):
                left = row[x[k]]
                out[c, i, k] = left + u[k] * (row[min(x[k] + 1, last_x)] - left)
