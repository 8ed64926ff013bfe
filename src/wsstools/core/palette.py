"""The colours of the classes: VOC's, which files have, and some that differ more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
N_COLOURS = 256
_LEVELS = (0, 43, 85, 128, 170, 213, 255)
"""Values of red, green and blue from which distinct colours are chosen."""
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def colour_text(colour: Colour) -> str:
    """A colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def voc_palette() -> NDArray[np.uint8]:
    """The PASCAL VOC colour map, (256, 3) uint8: row i is the colour of class i.

    Notes
    -----
    The bits of i are dealt to red, green and blue in turn, the lowest three to the highest bit
    of each, and so on. Hence 0 is black, 1 is (128, 0, 0) and 255 is (224, 224, 192).

    References
    ----------
    Everingham et al., The PASCAL Visual Object Classes Challenge, development kit,
    `VOClabelcolormap`.
    """
    index = np.arange(N_COLOURS)
    palette = np.zeros((N_COLOURS, 3), np.uint8)
    for triple in range(8):
        for channel in range(3):
            bit = (index >> (3 * triple + channel)) & 1
            palette[:, channel] |= (bit << (7 - triple)).astype(np.uint8)
    return palette


def distinct_palette() -> NDArray[np.uint8]:
    """Colours that are far from each other, (256, 3) uint8: row i is the colour of class i.

    Notes
    -----
    0 is black and 255 that of `voc_palette`. Each of the others is the candidate whose distance
    in OKLab to the nearest one before it, and to white, is largest: the first of them differ most.

    References
    ----------
    B. Ottosson, A perceptual color space for image processing, 2020 (OKLab).
    """
    channels = np.meshgrid(_LEVELS, _LEVELS, _LEVELS, indexing="ij")
    candidates = np.stack(channels, axis=-1).reshape(-1, 3)
    places = oklab(candidates)
    chosen = [0]  # black
    nearest = _distance(places, places[0])
    nearest = np.minimum(nearest, _distance(places, places[-1]))  # white, the paper of a sheet
    while len(chosen) < N_COLOURS - 1:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distance(places, places[chosen[-1]]))
    colours = candidates[chosen].astype(np.uint8)
    return np.concatenate([colours, voc_palette()[-1:]])


def oklab(colours: NDArray[np.integer]) -> NDArray[np.float64]:
    """Colours of sRGB, (N, 3) in 0..255, as OKLab, (N, 3), in which distances are perceived."""
    values = np.asarray(colours) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    found: NDArray[np.float64] = np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_OKLAB.T
    return found


def _distance(places: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.linalg.norm(places - one, axis=1)
    return found


PALETTES = {"voc": voc_palette, "distinct": distinct_palette}
