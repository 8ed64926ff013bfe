"""The stored numbers of a TIFF, not its colours."""

from __future__ import annotations

import io

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins: little and big endian, and the same for files above 4 GB."""


def read_values(data: bytes) -> NDArray:
    """The values of the first picture as they are stored, turned as its orientation says.

    They stay what they are where a palette or an inverted scale would show them otherwise.

    Returns
    -------
    numpy.ndarray
        (H, W), or with more axes where the file holds colours or a stack.

    Raises
    ------
    ValueError
        If they are compressed in a way that is not read.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.series[0].keyframe
        orientation = int(page.tags.valueof("Orientation", 1))
        try:
            values = file.series[0].asarray()
        except ValueError:  # a compression for which tifffile wants another package
            if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE or len(file.pages) > 1:
                raise
            with Image.open(io.BytesIO(data)) as picture:
                return np.asarray(picture)  # Pillow has turned it
    return upright(values, orientation) if values.ndim == 2 else values


def upright(values: NDArray, orientation: int) -> NDArray:
    """The picture turned as EXIF's orientation, 1..8, says."""
    if orientation >= 5:
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values
