"""Affine views of images, labels and maps of probabilities, without the GIL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.jit import compiled
from wsstools.core.labels import IGNORE_LABEL


def warp_image(
    image: AnyArray, matrix: NDArray[np.float64], size: int, fill: Sequence[float]
) -> NDArray[np.float32]:
    """A square view of an image (H, W, 3) uint8 or float32, bilinear, (size, size, 3).

    `matrix` gives row and column in the image of a pixel (r, c) of the view, ``matrix @ (r, c,
    1)``; pixel centres are whole numbers. `fill` is the colour outside the image. ValueError if the
    image has another shape or another kind of values.
    """
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"image has shape {image.shape}, expected (H, W, 3)")
    kernels = {np.dtype(np.uint8): _warp_bytes, np.dtype(np.float32): _warp_floats}
    if image.dtype not in kernels:
        raise ValueError(f"image holds {image.dtype}, expected uint8 or float32")
    view = np.empty((size, size, 3), np.float32)
    kernel = kernels[image.dtype]
    kernel(np.ascontiguousarray(image), matrix, np.asarray(fill, np.float32), view)
    return view


def warp_labels(
    labels: NDArray[np.uint8], matrix: NDArray[np.float64], size: int
) -> NDArray[np.uint8]:
    """A view of (H, W) labels as of `warp_image`, of the nearest pixel; 255 outside the image."""
    view = np.empty((size, size), np.uint8)
    _warp_labels(np.ascontiguousarray(labels), matrix, view)
    return view


def warp_probs(
    probs: NDArray[np.float32], matrix: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    """A view of (K, H, W) probabilities as of `warp_image`, bilinear; 0 outside the image."""
    view = np.empty((len(probs), size, size), np.float32)
    _warp_probs(np.ascontiguousarray(probs), matrix, view)
    return view


@register_jitable
def _corner(matrix, row, column):
    """The pixel at the upper left of a point of the image, and how far the point is from it."""
    y = matrix[0, 0] * row + matrix[0, 1] * column + matrix[0, 2]
    x = matrix[1, 0] * row + matrix[1, 1] * column + matrix[1, 2]
    top, left = np.floor(y), np.floor(x)
    return int(top), int(left), np.float32(y - top), np.float32(x - left)


@register_jitable
def _warp(image, matrix, fill, view):
    height, width = image.shape[:2]
    for row in range(view.shape[0]):
        for column in range(view.shape[1]):
            i, j, dy, dx = _corner(matrix, row, column)
            is_inside = 0 <= i < height - 1 and 0 <= j < width - 1
            for c in range(3):
                if is_inside:
                    a, b = np.float32(image[i, j, c]), np.float32(image[i, j + 1, c])
                    d, e = np.float32(image[i + 1, j, c]), np.float32(image[i + 1, j + 1, c])
                else:
                    above, below = 0 <= i < height, -1 <= i < height - 1
                    before, behind = 0 <= j < width, -1 <= j < width - 1
                    a = np.float32(image[i, j, c]) if above and before else fill[c]
                    b = np.float32(image[i, j + 1, c]) if above and behind else fill[c]
                    d = np.float32(image[i + 1, j, c]) if below and before else fill[c]
                    e = np.float32(image[i + 1, j + 1, c]) if below and behind else fill[c]
                over, under = a + dx * (b - a), d + dx * (e - d)
                view[row, column, c] = over + dy * (under - over)


@compiled
def _warp_bytes(image, matrix, fill, view):
    _warp(image, matrix, fill, view)


@compiled
def _warp_floats(image, matrix, fill, view):
    _warp(image, matrix, fill, view)


@compiled
def _warp_labels(labels, matrix, view):
    height, width = labels.shape
    for row in range(view.shape[0]):
        for column in range(view.shape[1]):
            i, j, dy, dx = _corner(matrix, row, column)
            i += dy >= 0.5
            j += dx >= 0.5
            is_inside = 0 <= i < height and 0 <= j < width
            view[row, column] = labels[i, j] if is_inside else IGNORE_LABEL


@compiled
def _warp_probs(probs, matrix, view):
    n_classes, height, width = probs.shape
    for row in range(view.shape[1]):
        for column in range(view.shape[2]):
            i, j, dy, dx = _corner(matrix, row, column)
            above, below = 0 <= i < height, -1 <= i < height - 1
            before, behind = 0 <= j < width, -1 <= j < width - 1
            for c in range(n_classes):
                over = under = np.float32(0)
                if above and before:
                    over += (1 - dx) * probs[c, i, j]
                if above and behind:
                    over += dx * probs[c, i, j + 1]
                if below and before:
                    under += (1 - dx) * probs[c, i + 1, j]
                if below and behind:
                    under += dx * probs[c, i + 1, j + 1]
                view[c, row, column] = (1 - dy) * over + dy * under
