"""The colours of the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_COLOURS = 256


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
