"""Colour scales: numbers in 0..1 as colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scale = tuple[tuple[int, int, int], ...]
"""Colours at equal distances from 0 to 1, RGB; colours between them are mixed."""
INFERNO: Scale = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""Five colours of the scale of that name (S. van der Walt, N. Smith), dark to light."""


def scale_colours(values: ArrayLike, scale: Scale = INFERNO) -> NDArray[np.uint8]:
    """The colour of each number, (..., 3) uint8; those outside 0..1 have that of the nearer end."""
    at = np.linspace(0, 1, len(scale))
    values = np.asarray(values, np.float64)
    channels = [np.interp(values, at, channel) for channel in np.transpose(scale)]
    colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return colours
