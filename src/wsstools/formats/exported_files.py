"""What a network that `export` wrote says of itself: texts by name in an ONNX or PT2 file.

They are read without the packages that run such files. An ONNX file is a message of Protocol
Buffers, whose fields follow each other, each with its number and, where it has any, its length;
those that are not wanted are skipped. A PT2 file is a ZIP archive.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.limits import LARGEST_RECORD, open_file
from wsstools.files.provenance import Meta, parse_record

ONNX, PT2 = ".onnx", ".pt2"
SUFFIXES = (ONNX, PT2)
KIND = "network"
"""Of the record."""
RECORD, CLASSES, COLOURS = "record", "classes", "colors"
"""Names of texts: how the file was made, names of the classes and their colours, one a line."""
_ENTRIES = "/extra/"
"""Where torch.export puts texts into an archive, behind the name of the latter."""
_METADATA, _KEY, _VALUE = 14, 1, 2
"""Numbers of fields: ModelProto.metadata_props, StringStringEntryProto.key and .value."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10


def read_texts(path: Path) -> dict[str, str]:
    """The texts in a file, by name; DataError if it is damaged or of another kind."""
    with open_file(path) as file, reading(path, "not a readable network: "):
        if path.suffix.lower() == PT2:
            return dict(_zip_texts(file))
        return dict(_onnx_texts(file))


def read_meta(path: Path) -> Meta | None:
    """The record in a file of ours, or None if it carries none that can be read."""
    try:
        return parse_record(read_texts(path).get(RECORD, ""))
    except (OSError, DataError):
        return None


def texts(
    record: str, names: list[str], colours: list[str], facts: Mapping[str, str]
) -> dict[str, str]:
    """What a file is to say of itself, for `read_texts`."""
    return {**facts, RECORD: record, CLASSES: "\n".join(names), COLOURS: "\n".join(colours)}


def _zip_texts(file: BinaryIO) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            _, mark, name = entry.filename.partition(_ENTRIES)
            if mark:
                if entry.file_size > LARGEST_RECORD:
                    raise ValueError(f"{entry.filename} is too large")
                yield name, archive.read(entry).decode()


def _onnx_texts(file: BinaryIO) -> Iterator[tuple[str, str]]:
    for number, length in _fields(file, _length(file)):
        if number == _METADATA:
            yield _entry(file, length)
        else:
            file.seek(length, 1)


def _entry(file: BinaryIO, length: int) -> tuple[str, str]:
    """The name and the text of one entry."""
    if length > LARGEST_RECORD:
        raise ValueError("a text is too large")
    found = {number: file.read(n).decode() for number, n in _fields(file, file.tell() + length)}
    return found[_KEY], found[_VALUE]


def _fields(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Number and length of each field up to a place in the file, which is at its content then."""
    while (place := file.tell()) < end:
        key = _varint(file)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _varint(file)
            continue
        length = _varint(file) if kind == _BYTES else _SIZES.get(kind)
        if length is None or file.tell() + length > end:
            raise ValueError(f"no field begins at byte {place}")
        yield number, length


def _varint(file: BinaryIO) -> int:
    """A whole number of seven bits a byte, the lowest first; the last byte is below 128."""
    value = 0
    for place in range(_LONGEST_VARINT):
        (byte,) = file.read(1)
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value
    raise ValueError("a number has no end")


def _length(file: BinaryIO) -> int:
    end = file.seek(0, 2)
    file.seek(0)
    return end
