"""Pictures opened by Pillow: only the formats that are read, and no larger than can be."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from wsstools.core.arrays import AnyArray
from wsstools.files import png
from wsstools.files.limits import check_pixels

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF")
"""Others are not opened: some of Pillow's readers start programs (EPS), or are hardly used."""
_MOVING = ("GIF", "PNG", "WEBP")
_ORIENTATION = 0x0112
_OPENING = threading.Lock()


@contextmanager
def opened(data: bytes) -> Iterator[ImageFile.ImageFile]:
    """The picture in a file, whose pixels are not read yet.

    ValueError if it is none, too large, or a PNG whose checksums are wrong. At other damaged files
    Pillow raises whatever it likes.
    """
    if data.startswith(png.MAGIC):  # Pillow does not check the last of the pixels
        data = png.decodable(data)
    try:
        with _without_limit():
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        what = f"no {', '.join(_FORMATS)}" if data else "the file is empty"
        raise ValueError(what) from None
    with picture:
        if picture.mode == "1" and data.startswith(b"BM") and data[28:30] != b"\1\0":
            # of palettes of black and white Pillow unpacks bytes as bits
            raise ValueError("a BMP of several bits and two colours is not read; save it as PNG")
        check_pixels(picture.height, picture.width)
        yield picture


@contextmanager
def _without_limit() -> Iterator[None]:
    """Pillow without its limit of pixels, which warns of pictures that are fine here; ours refuses
    at the size at which Pillow's would."""
    with _OPENING:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def frame_count(picture: Image.Image) -> int:
    """How many frames a picture has; what cameras put beside one (MPO) does not count."""
    return getattr(picture, "n_frames", 1) if picture.format in _MOVING else 1


def first_of(n_pictures: int) -> str | None:
    """What is said of a file of several pictures, of which the first is taken."""
    return f"took the first of {n_pictures} pictures in the file" if n_pictures > 1 else None


def upright(values: AnyArray, orientation: int) -> AnyArray:
    """The picture, (H, W) or (H, W, C), turned as EXIF's orientation, 1..8, says."""
    if orientation >= 5:
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation of a picture, 1..8; 1, upright, where it states none."""
    found = picture.getexif().get(_ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1
