"""One colour scale for numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_VIRIDIS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float64
)
"""Five colours of viridis (S. van der Walt, N. Smith), dark to light."""


def scale_colours(fractions: ArrayLike) -> NDArray[np.uint8]:
    """Colours of numbers in 0..1, of their shape with RGB at the end; 0 is dark, 1 is light.

    Numbers beyond take the colour of the nearer end.
    """
    at = np.linspace(0, 1, len(_VIRIDIS))
    channels = [np.interp(np.asarray(fractions), at, channel) for channel in _VIRIDIS.T]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
