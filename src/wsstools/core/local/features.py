"""What a local model learns from at each pixel: responses of filters, features of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.responses import interpolate_points, interpolate_rows

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
    """Features of a network at one resolution; the first is on the first pixel of the image."""

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
        places = np.arange(len(rows))
        start = 0
        for level in map(_with_neighbours, self.levels):
            end = start + len(level.values)
            y, v = _between(rows, level.step, level.values.shape[1])
            x, u = _between(columns, level.step, level.values.shape[2])
            interpolate_points(level.values, y, v, x, u, places, out[start:end])
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

    def standardized(self) -> NetworkFeatures:
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


def _with_neighbours(level: Level) -> Level:
    """The level; where it has one row or column only, that is there twice."""
    margins = [(0, int(side == 1)) for side in level.values.shape[1:]]
    if margins == [(0, 0), (0, 0)]:
        return level
    return Level(np.pad(level.values, [(0, 0), *margins], mode="edge"), level.step)


def _fill_rows(level: Level, first: int, width: int, out: NDArray[np.float32]) -> None:
    """Fill (C, n, W) with the values of n rows of pixels from `first`."""
    level = _with_neighbours(level)
    y, v = _between(np.arange(first, first + out.shape[1]), level.step, level.values.shape[1])
    x, u = _between(np.arange(width), level.step, level.values.shape[2])
    interpolate_rows(level.values, y, v, x, u, out)


def _between(
    pixels: NDArray[np.int64], step: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The value before each row or column, and how far on to the next one it is (0..1)."""
    before = np.minimum(pixels // step, count - 2)
    return before, ((pixels - before * step) / step).astype(np.float32)
