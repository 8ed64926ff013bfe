"""Pictures of filter banks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.filter_bank import FilterBank, FilterLayer
from wsstools.view.settings import FILTER_WIDTH
from wsstools.view.sheet import BACKGROUND, HAIRLINE, contact_sheet

N_COLUMNS = 16
_GREY = 127.5


def filter_pictures(layer: FilterLayer) -> NDArray[np.uint8]:
    """Each filter of a layer as a picture, (n, k, k, 3) uint8.

    Grey is no weight, white the largest of the filter and black the same below zero; the colour
    of a pixel is its weights on red, green and blue. A filter is scaled by its own largest
    weight. Of a complex filter the even and the odd part are two pictures, one after the other.
    """
    weights = np.asarray(layer.weights, np.float64)  # (n, 3, k, k)
    if layer.colours is not None:
        weights = np.einsum("npyx,pc->ncyx", weights, np.asarray(layer.colours, np.float64))
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    signed = weights / np.where(largest > 0, largest, 1)
    pixels: NDArray[np.uint8] = np.rint(_GREY + _GREY * signed).astype(np.uint8)
    return np.moveaxis(pixels, 1, -1)


def filter_sheet(
    banks: Sequence[FilterBank], *, cell_width: int = FILTER_WIDTH
) -> NDArray[np.uint8]:
    """A sheet of all filters of some banks, a title above each layer, (H, W, 3) uint8.

    `cell_width` is that of a filter's picture with its frame, in pixels. Pixels are enlarged by a
    whole number: two more than a multiple of 33 leaves no margin around filters of 3x3 and 11x11.
    """
    rows, captions = [], []
    for bank in banks:
        for layer in bank.filters:
            pictures = [_framed(picture, cell_width) for picture in filter_pictures(layer)]
            for start in range(0, len(pictures), N_COLUMNS):
                rows.append(pictures[start : start + N_COLUMNS])
                captions.append("" if start else f"{bank.name}: {layer_title(layer)}")
    return contact_sheet(rows, captions=captions, cell_width=cell_width)


def layer_title(layer: FilterLayer) -> str:
    """What a layer is, in a few words: `64 filters of 3x3`."""
    size = layer.weights.shape[2]
    title = f"{len(layer)} filters of {size}x{size}"
    if layer.is_energy:
        title = f"{len(layer)} complex filters of {size}x{size}, even and odd part in turn"
    return f"{title}, stride {layer.stride}" if layer.stride > 1 else title


def _framed(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The picture enlarged by a whole number, in a hairline that parts white from the paper."""
    size = picture.shape[0]
    factor = max((width - 2) // size, 1)
    side = factor * size + 2
    outer = max(width, side)
    start = (outer - side) // 2
    cell = np.full((outer, outer, 3), BACKGROUND, np.uint8)
    cell[start : start + side, start : start + side] = HAIRLINE
    inside = slice(start + 1, start + side - 1)
    cell[inside, inside] = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    return cell
