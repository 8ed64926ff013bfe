"""Pictures for the eye: PNG in colours, with their record."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsstools.files.png import encode_png
from wsstools.files.provenance import Meta
from wsstools.formats.label_files import read_meta

__all__ = ["KIND", "SUFFIX", "encode_picture", "read_meta"]

KIND: Final = "picture"
SUFFIX = ".png"


def encode_picture(image: NDArray[np.uint8], meta: Meta) -> bytes:
    """The bytes of a PNG of an (H, W, 3) uint8 image, with its record in a text chunk."""
    return encode_png(Image.fromarray(np.ascontiguousarray(image, np.uint8)), meta)
