"""Protocol buffers without their descriptions: the fields of a message by number."""

from __future__ import annotations

import mmap
import os
from collections import defaultdict
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from wsstools.core.arrays import AnyArray

Field = int | memoryview
Message = dict[int, list[Field]]

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MOST_BITS = 64


def mapped(file: BinaryIO) -> memoryview:
    """The bytes of a file, which may be closed then; only what is looked at is read."""
    if os.fstat(file.fileno()).st_size == 0:  # which is not mapped
        return memoryview(b"")
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def parse_message(data: Field) -> Message:
    """The values of a message's fields, in order, by number; ValueError if it is no message.

    A value is an int, or a view of the bytes of a number of fixed width, a text, packed numbers or
    a message. A field that does not occur has an empty list.

    References
    ----------
    Protocol Buffers, "Encoding": https://protobuf.dev/programming-guides/encoding
    """
    if isinstance(data, int):
        raise ValueError("a number is where a message should be")
    message: Message = defaultdict(list)
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        value: Field
        if kind == _VARINT:
            value, position = _varint(data, position)
        elif kind in (_FIXED_64, _BYTES, _FIXED_32) and number:
            length = {_FIXED_64: 8, _FIXED_32: 4}.get(kind)
            if length is None:
                length, position = _varint(data, position)
            value = data[position : position + length]
            position += length
            if position > len(data):
                raise ValueError("a field ends beyond its message")
        else:
            raise ValueError(f"no field has number {number} and wire type {kind}")
        message[number].append(value)
    return message


def text(values: Iterable[Field]) -> str:
    """The last of these values as text; empty if there is none."""
    last = next(reversed(list(values)), memoryview(b""))
    return "" if isinstance(last, int) else bytes(last).decode("utf-8", "replace")


def integers(values: Iterable[Field]) -> list[int]:
    """The values of a field that is repeated, packed or not."""
    found = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        position = 0
        while position < len(value):
            one, position = _varint(value, position)
            found.append(one)
    return found


def numbers(values: Iterable[Field], kind: str) -> AnyArray:
    """The values of a repeated field of floats (`<f4`) or doubles (`<f8`), packed or not."""
    return np.frombuffer(b"".join(v for v in values if not isinstance(v, int)), kind)


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the lowest first, and the position behind it."""
    value = shift = 0
    while shift < _MOST_BITS:
        if position >= len(data):
            raise ValueError("an integer ends beyond its message")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("an integer has more than 64 bits")
