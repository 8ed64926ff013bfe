"""PGM and PPM: their stored numbers, whatever is said to be white."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from wsstools.files.limits import check_pixels

MAGIC = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")
"""How files of the family begin; the first and the fourth are bitmaps."""
_SAMPLES = {b"P2": 1, b"P3": 3, b"P5": 1, b"P6": 3}
_TEXT = (b"P2", b"P3")
_LONGEST_HEADER = 1 << 16
_HEADER = re.compile(rb"P[2356]" + rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})" * 3 + rb"(?:#[^\r\n]*)?\s")
_COMMENT = re.compile(rb"#[^\r\n]*")
_MOST_VALUE = 65535


def read_values(data: bytes) -> NDArray[np.uint16]:
    """The first picture in a PGM, (H, W), or a PPM, (H, W, 3), as it is stored.

    ValueError if it is a bitmap, is cut off, or holds a value above the one that is white.
    """
    n_samples = _SAMPLES.get(data[:2])
    if n_samples is None:
        raise ValueError("it is a bitmap (PBM), in which 1 is black; expected PGM")
    found = _HEADER.match(data[:_LONGEST_HEADER])
    if found is None:
        raise ValueError("no header of a PGM")
    width, height, white = (int(number) for number in found.groups())
    if not 0 < white <= _MOST_VALUE or not width or not height:
        raise ValueError(f"its header says {width} x {height} pixels up to {white}")
    check_pixels(height, width)
    count = height * width * n_samples
    if data[:2] in _TEXT:
        values = _text_values(data[found.end() :], count)
    else:
        values = np.frombuffer(data, ">u2" if white > 255 else "u1", offset=found.end())[:count]
    if values.size < count:
        raise ValueError(f"it holds {values.size} values, expected {count}")
    if values.max() > white:
        raise ValueError(f"it holds the value {values.max()}, its header says at most {white}")
    shape = (height, width) if n_samples == 1 else (height, width, n_samples)
    return values.astype(np.uint16).reshape(shape)


def _text_values(text: bytes, count: int) -> NDArray[np.int64]:
    words = _COMMENT.sub(b" ", text).split(maxsplit=count)[:count]
    if any(len(word) > 5 or not word.isdigit() for word in words):
        raise ValueError("its values are no whole numbers")
    return np.array(words, np.int64) if words else np.zeros(0, np.int64)
