"""Structs in MATLAB's files of level 5, read without trusting what they claim."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Literal

import numpy as np

from wsstools.core.arrays import AnyArray
from wsstools.files.limits import LARGEST_PICTURE

MAGIC = b"MATLAB 5.0 MAT-file"
_HEAD = 128
_ORDERS = {b"IM": "<", b"MI": ">"}
_LARGEST = 2 * LARGEST_PICTURE
"""Bytes that a compressed variable may unpack to."""

# Types of elements, and classes of arrays, as the format numbers them.
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"
}  # fmt: skip
_MATRIX, _COMPRESSED = 14, 15
_STRUCT = 2
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"
}  # fmt: skip

Element = tuple[int, memoryview]


def read_field(data: bytes, variable: str, field: str) -> AnyArray | None:
    """The array in a field of a variable that is a single struct, in a file of MATLAB 5 to 7.2.

    It is of the class that it has in MATLAB; None if there is no such field, or no numbers in it.
    ValueError if the file is damaged or unpacks to too much.

    References
    ----------
    MathWorks, MAT-File Format, "Level 5 MAT-File Format".
    """
    order = _ORDERS.get(data[_HEAD - 2 : _HEAD])
    if order is None or not data.startswith(MAGIC):
        raise ValueError("no file of level 5")
    for kind, content in _elements(memoryview(data)[_HEAD:], order):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_unpacked(content), order), (0, content))
        if kind == _MATRIX:
            parts = list(_elements(content, order))
            if len(parts) > 2 and bytes(parts[2][1]).decode("latin1") == variable:
                return _field(parts, field, order)
    return None


def _elements(data: memoryview, order: str) -> Iterator[Element]:
    """Type and content of the elements in a piece of a file."""
    position = 0
    while position < len(data):
        tag = np.frombuffer(data[position : position + 8], f"{order}u4")
        if len(tag) < 2:
            raise ValueError("an element has no head")
        kind, size = int(tag[0]), int(tag[1])
        start = position + 8
        if kind >> 16:  # up to four bytes are in the head
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
        if size > len(data) - start or (start == position + 4 and size > 4):
            raise ValueError("an element ends beyond the file")
        yield kind, data[start : start + size]
        position = position + 8 if start == position + 4 else start + size
        if kind != _COMPRESSED:
            position += -position % 8


def _unpacked(content: memoryview) -> memoryview:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(content, _LARGEST)
    except zlib.error as error:
        raise ValueError(f"a variable cannot be unpacked: {error}") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError("a variable is cut short, or unpacks to too much")
    return memoryview(found)


def _field(parts: list[Element], field: str, order: str) -> AnyArray | None:
    """The array in a field of a struct, whose parts are flags, shape, name, fields, contents."""
    if _array_class(parts, order) != _STRUCT or len(parts) < 5 or _shape(parts, order) != (1, 1):
        return None
    length = int.from_bytes(parts[3][1], _byte_order(order))
    names = bytes(parts[4][1])
    if not 0 < length <= len(names):
        raise ValueError("a struct has no names of its fields")
    starts = range(0, len(names), length)
    fields = [names[k : k + length].partition(b"\0")[0].decode("latin1") for k in starts]
    if field not in fields:
        return None
    place = 5 + fields.index(field)
    if place >= len(parts) or parts[place][0] != _MATRIX:
        raise ValueError(f"the struct has no content for {field}")
    return _numbers(list(_elements(parts[place][1], order)), order)


def _numbers(parts: list[Element], order: str) -> AnyArray | None:
    if len(parts) < 4:
        return None
    held, stored = _CLASSES.get(_array_class(parts, order)), _NUMBERS.get(parts[3][0])
    if held is None or stored is None:
        return None
    values = np.frombuffer(parts[3][1], f"{order}{stored}")
    shape = _shape(parts, order)
    if min(shape, default=0) < 0 or values.size != np.prod(shape, dtype=object):
        raise ValueError(f"an array of shape {shape} has {values.size} values")
    return values.astype(held).reshape(shape, order="F")


def _array_class(parts: list[Element], order: str) -> int:
    return int.from_bytes(parts[0][1][:4], _byte_order(order)) & 0xFF if parts else 0


def _byte_order(order: str) -> Literal["little", "big"]:
    return "little" if order == "<" else "big"


def _shape(parts: list[Element], order: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(parts[1][1], f"{order}i4").tolist())
