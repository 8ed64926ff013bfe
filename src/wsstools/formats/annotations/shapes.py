"""Shapes of annotation programs, whose coordinates start at the corner of the first pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.draw import polygon

from wsstools.core.scribbles.annotation import Area
from wsstools.core.scribbles.strokes import FARTHEST

HALF_PIXEL = 0.5
"""From coordinates whose (0, 0) is the corner of the upper left pixel to those of its centre."""


def centred(points: ArrayLike, what: str) -> NDArray[np.float64]:
    """Points, (N, 2) x y, in coordinates whose (0, 0) is the centre of the upper left pixel.

    ValueError if they are no finite (N, 2) with N above 0.
    """
    try:
        array = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what}: points are not numbers") from None
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(f"{what}: points have shape {array.shape}, expected (N, 2)")
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: points are not finite")
    if np.abs(array).max() > FARTHEST:
        raise ValueError(f"{what}: points reach {np.abs(array).max():g} pixels")
    return array - HALF_PIXEL


def filled(class_name: str, points: NDArray[np.float64], shape: tuple[int, int]) -> Area:
    """The pixels of an (H, W) image whose centres lie in a polygon."""
    limits = np.array(shape[::-1])  # x, y
    low = np.clip(np.floor(points.min(axis=0)), 0, limits).astype(int)
    high = np.clip(np.floor(points.max(axis=0)) + 1, low, limits).astype(int)
    left, top = low
    width, height = high - low
    mask = np.zeros((height, width), bool)
    mask[polygon(points[:, 1] - top, points[:, 0] - left, mask.shape)] = True
    return Area(class_name, (int(left), int(top)), mask)


def rectangle(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The four corners of the rectangle that two opposite corners give."""
    (left, top), (right, bottom) = points
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
