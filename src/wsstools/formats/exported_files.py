"""What a network that `export` wrote says of itself: texts by name in an ONNX or PT2 file.

They are read without the packages that run such files. An ONNX file is a message of Protocol
Buffers, a PT2 file a ZIP archive.
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
from wsstools.formats.protobuf import Field, mapped, parse_message

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


def read_texts(path: Path) -> dict[str, str]:
    """The texts in a file, by name; DataError if it is damaged or of another kind."""
    is_archive = path.suffix.lower() == PT2
    with open_file(path) as file, reading(path, "not a readable network: "):
        return dict(_zip_texts(file) if is_archive else _onnx_texts(file))


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
    for entry in parse_message(mapped(file))[_METADATA]:
        fields = parse_message(entry)
        yield _text(fields[_KEY]), _text(fields[_VALUE])


def _text(values: list[Field]) -> str:
    """The last of these values, which is a text in UTF-8."""
    if not values or isinstance(values[-1], int):
        raise ValueError("a text is missing")
    if len(values[-1]) > LARGEST_RECORD:
        raise ValueError("a text is too large")
    return bytes(values[-1]).decode()
