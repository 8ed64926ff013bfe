"""Images of any common format, as RGB in 0..255."""

from __future__ import annotations

import io
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsstools.errors import DataError
from wsstools.io.provenance import Decoded

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm", ".pgm", ".gif")


def decode_image(data: bytes, name: str) -> Decoded:
    """The RGB image in a file, turned as its EXIF record says; grey is repeated three times.

    Returns
    -------
    Decoded
        `value` is (H, W, 3), uint8 for 8-bit files; float32 in 0..255 for 16-bit files, whose
        full range 0..65535 is scaled (divided by 257).

    Raises
    ------
    DataError
        If the file is no picture, or damaged.
    """
    try:
        if name.lower().endswith((".tif", ".tiff")):
            values = iio.imread(io.BytesIO(data), index=0, extension=".tif")
        else:
            with iio.imopen(io.BytesIO(data), "r", plugin="pillow") as file:
                is_wide = file.properties(index=0).dtype.itemsize > 1
                options: dict[str, Any] = {} if is_wide else {"mode": "RGB"}
                values = file.read(index=0, **options, rotate=True)  # type: ignore[call-arg]
    except Exception as error:  # the decoders raise whatever they like at damaged files
        raise DataError(f"{name}: not a readable image: {error}") from error
    return Decoded(_rgb(np.asarray(values), name))


def encode_image(image: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG of an (H, W, 3) uint8 image."""
    return iio.imwrite("<bytes>", image, extension=".png")


def encode_jpeg(image: NDArray[np.uint8], quality: int = 82) -> bytes:
    """The bytes of a JPEG of an (H, W, 3) uint8 image; its colours keep their full resolution.

    `quality` is in 1..95; larger is finer and takes more bytes.
    """
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


def _rgb(values: NDArray, name: str) -> NDArray:
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
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint16 or (values.dtype.kind == "i" and values.max() <= 65535):
        return np.ascontiguousarray(values, np.float32) / np.float32(257)
    raise DataError(f"{name}: pixels are {values.dtype}, expected 8 or 16 bits")
