"""TIFF: its stored numbers, as labels need them, and its colours, as images do."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.files.limits import LARGEST_PICTURE
from wsstools.files.pillow import opened, upright

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins: little and big endian, and the same for files above 4 GB."""
_PLAIN = (
    tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB
)  # fmt: skip
_CLASSIC = MAGIC[:2]
_MOST_PLANES = 4
_VALUE_BYTES, _COLOUR_BYTES = 4, 6
"""Bytes that a pixel of the largest picture may take: labels of 32 bits, three colours of 16."""
_MOST_PICTURES = 1000


def read_values(data: bytes) -> AnyArray:
    """The values of the first picture as they are stored, (H, W), turned as its orientation says.

    They stay what they are where a palette or an inverted scale would show them otherwise; they
    have more axes where the file holds colours or a stack. ValueError if they are compressed in a
    way that is not read, or too many.
    """
    with _opened(data) as file:
        page = _first_page(file, _VALUE_BYTES)
        try:
            values = file.series[0].asarray()
        except ValueError:  # a compression for which tifffile wants another package
            if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE or len(file.pages) > 1:
                raise
            with opened(data) as picture:
                return np.asarray(picture)  # Pillow has turned it
        return upright(values, _orientation(page)) if values.ndim == 2 else values


def read_colours(data: bytes) -> AnyArray:
    """The first picture as it is shown: (H, W) or (H, W, C), grey or RGB, upright.

    It is bool, or integers whose full range is that of their type, and has more axes where the file
    holds a stack. ValueError if its colours or compression are not read, or it is too large.
    """
    with _opened(data) as file:
        page = _first_page(file, _COLOUR_BYTES)
        depth = page.bitspersample
        if page.photometric not in _PLAIN:
            return _converted(data, depth)
        try:
            values = file.series[0].asarray()
        except ValueError:  # a compression for which tifffile wants another package
            if len(file.pages) > 1:
                raise
            return _converted(data, depth)
        if file.series[0].axes.startswith("S"):  # planes one after the other
            values = np.moveaxis(values, 0, -1)
        if values.dtype.kind == "u" and depth < 16 and depth != 8:
            values = np.rint(values * (65535 / (2**depth - 1))).astype(np.uint16)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and values.dtype.kind in "bu":
            values = ~values
        return upright(values, _orientation(page))


def _opened(data: bytes) -> tifffile.TiffFile:
    _check_directories(data)
    return tifffile.TiffFile(io.BytesIO(data), is_ome=False)  # OME can name other files


def _check_directories(data: bytes) -> None:
    """Refuse a file whose list of pictures goes in circles, which tifffile follows for ever."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    # In files above 4 GB, places and numbers of entries take 8 bytes, and entries 20.
    count_size, entry_size, place_size, place = (
        (2, 12, 4, 4) if data[:4] in _CLASSIC else (8, 20, 8, 8)
    )
    seen: set[int] = set()
    while place_size <= len(data) - place:
        start = int.from_bytes(data[place : place + place_size], order)
        if not start:
            return
        seen.add(start)
        count = int.from_bytes(data[start : start + count_size], order)
        place = start + count_size + count * entry_size
        if int.from_bytes(data[place : place + place_size], order) in seen:
            raise ValueError("its list of pictures goes in circles")
        if len(seen) > _MOST_PICTURES:
            raise ValueError(f"it holds more than {_MOST_PICTURES} pictures")


def _first_page(file: tifffile.TiffFile, most_bytes: int) -> tifffile.TiffPage:
    """The first page of the first picture, which takes at most so many bytes for a pixel."""
    series = file.series[0]
    n_bytes = series.size * np.dtype(series.dtype).itemsize
    if series.size > _MOST_PLANES * LARGEST_PICTURE or n_bytes > most_bytes * LARGEST_PICTURE:
        raise ValueError(f"shape {series.shape} is more than {LARGEST_PICTURE:,} pixels")
    return series.keyframe


def _orientation(page: tifffile.TiffPage) -> int:
    return int(page.tags.valueof("Orientation", 1))


def _converted(data: bytes, depth: int) -> NDArray[np.uint8]:
    """The picture as Pillow makes RGB of it: palettes, CMYK, compressions of its own."""
    if depth > 8:
        raise ValueError(f"colours of {depth} bits of this kind are not read")
    with opened(data) as picture:
        turned = picture.convert("RGB") if picture.mode != "RGB" else picture
        return np.asarray(turned)  # Pillow has turned it
