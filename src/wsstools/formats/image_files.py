"""Images of any common format, as RGB in 0..255."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsstools.core.arrays import AnyArray
from wsstools.errors import DataError
from wsstools.files import tiff
from wsstools.files.damage import reading
from wsstools.files.pillow import first_of, frame_count, opened, orientation_of, upright
from wsstools.files.provenance import Decoded

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm", ".pgm", ".gif")
_WIDE_WHITE = 65535
_CAMERA_BITS = (8, 10, 12)
_MOST_NARROW = 2 ** _CAMERA_BITS[-1] - 1
"""Values up to here in 16 bits are those of a camera or scanner of fewer bits."""
_FLOAT_TOLERANCE = 1e-4
_RANGE_HINT = "wss slices IMAGES --window {low},{high} -o DIR states what is black and white"
_WIDE_GREY = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of grey pictures that 8 bits do not hold."""
_WIDE_PNG = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
"""Pillow's names of how a PNG of 16 bits stores colours or alpha, and what gives lower bytes."""


def decode_image(data: bytes, name: str) -> Decoded[AnyArray]:
    """The RGB image in a file, (H, W, 3), turned as its EXIF record says; grey is repeated.

    It is uint8 for files of up to 8 bits; float32 in 0..255 for 16-bit files, whose full range
    0..65535 is scaled (divided by 257), and for floats in 0..1. Of several pictures in a file the
    first of full size is taken, with a note; so are 16 bits of which the upper ones are not used.
    Alpha is dropped, CMYK converted. DataError if the file is no picture, too large or damaged.
    """
    with reading(name, "not a readable image: "):
        if data.startswith(tiff.MAGIC):
            values, n_pictures = tiff.read_colours(data)
        else:
            values, n_pictures = _by_pillow(data)
    image = _rgb(values, name)
    notes = [note] if (note := first_of(n_pictures)) else []
    if values.dtype.kind in "iu" and values.dtype.itemsize > 1 and 0 < values.max() <= _MOST_NARROW:
        notes.append(_dark(int(values.max())))
    return Decoded(image, note="; ".join(notes) or None)


def read_stack(data: bytes) -> AnyArray:
    """All pictures of a TIFF, or the one of another file, as stored: (Z, H, W) or (Z, H, W, 3).

    ValueError, or what Pillow raises, if it is no picture, too large or damaged.
    """
    planes = tiff.read_stack(data) if data.startswith(tiff.MAGIC) else _by_pillow(data)[0][None]
    if planes.ndim == 4 and planes.shape[3] in (2, 4):  # with alpha
        planes = planes[..., : planes.shape[3] - 1]
    return planes[..., 0] if planes.ndim == 4 and planes.shape[3] == 1 else planes


def encode_image(image: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG of an (H, W, 3) uint8 image."""
    import imageio.v3 as iio  # noqa: PLC0415 - slow to import, and most steps write no pictures

    return iio.imwrite("<bytes>", image, extension=".png")


def encode_jpeg(image: NDArray[np.uint8], quality: int = 82) -> bytes:
    """The bytes of a JPEG of an (H, W, 3) uint8 image; its colours keep their full resolution.

    `quality` is in 1..95; larger is finer and takes more bytes.
    """
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


def _by_pillow(data: bytes) -> tuple[AnyArray, int]:
    """The pixels of a picture that is no TIFF, and how many frames it has."""
    with opened(data) as picture:
        n_frames = frame_count(picture)
        stored = str(picture.tile[0][3]) if picture.tile else ""
        orientation = orientation_of(picture)
        if stored in _WIDE_PNG:
            values = _wide_png(data, stored, np.asarray(picture))
        elif picture.mode in _WIDE_GREY:
            values = np.array(picture)
        else:
            picture.load()
            picture.info.pop("transparency", None)  # Pillow would warn that it is dropped
            values = np.array(picture.convert("RGB"))
    return upright(values, orientation), n_frames


def _wide_png(data: bytes, stored: str, upper: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """A PNG of 16 bits a value with several planes, of which Pillow gives the upper bytes alone.

    The bytes are the same whatever they are called: read once more as if the lower came first,
    they give the lower; grey with alpha reads as four planes of 8 bits.
    """
    with opened(data) as picture:
        picture.tile = [(*picture.tile[0][:3], _WIDE_PNG[stored])]  # type: ignore[list-item]
        lower = np.asarray(picture)
    if stored == "LA;16B":
        upper, lower = lower[:, :, :1], lower[:, :, 1:2]  # of grey; those of alpha follow
        upper, lower = (np.repeat(part, 3, axis=2) for part in (upper, lower))
    wide: NDArray[np.uint16] = upper.astype(np.uint16) << 8 | lower
    return wide


def _rgb(values: AnyArray, name: str) -> AnyArray:
    if values.ndim == 2:
        values = np.repeat(values[:, :, None], 3, axis=2)
    if values.ndim != 3 or values.shape[2] not in (2, 3, 4) or 0 in values.shape:
        raise DataError(f"{name}: image has shape {values.shape}, expected (H, W) or (H, W, 3)")
    if values.shape[2] == 2:  # grey and alpha
        values = np.repeat(values[:, :, :1], 3, axis=2)
    values = values[:, :, :3]
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == np.bool_:
        return np.where(values, 255, 0).astype(np.uint8)
    if values.dtype.kind == "f":
        return _from_floats(values, name)
    if values.dtype.kind not in "iu":
        raise DataError(f"{name}: pixels are {values.dtype}, expected 8 or 16 bits")
    if values.min() < 0 or values.max() > _WIDE_WHITE:
        raise DataError(
            f"{name}: pixels are {values.min()} to {values.max()}, expected 0 to {_WIDE_WHITE}"
        )
    scaled = np.ascontiguousarray(values, np.float32)
    scaled /= np.float32(_WIDE_WHITE / 255)
    return scaled


def _from_floats(values: AnyArray, name: str) -> NDArray[np.float32]:
    """0..1 as 0..255; DataError if the values are not finite, or others."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(values).all():
        raise DataError(f"{name}: pixels are {values.dtype}, of which some are not finite")
    if low < -_FLOAT_TOLERANCE or high > 1 + _FLOAT_TOLERANCE:
        raise DataError(
            f"{name}: pixels are {values.dtype} from {low:g} to {high:g}, expected 0 to 1 "
            f"({_RANGE_HINT.format(low=f'{min(low, 0.0):g}', high=f'{high:g}')})"
        )
    scaled = np.clip(np.ascontiguousarray(values, np.float32), 0, 1)
    scaled *= np.float32(255)
    return scaled


def _dark(brightest: int) -> str:
    """What is said of 16 bits whose brightest value 12 bits hold."""
    bits = next(bits for bits in _CAMERA_BITS if brightest < 2**bits)
    hint = _RANGE_HINT.format(low="0", high=2**bits - 1)
    return (
        f"its brightest value is {brightest} of {_WIDE_WHITE}, as in data of {bits} bits: nearly "
        f"black ({hint})"
    )
