"""Text files, and tables in them."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterable
from pathlib import Path

from wsstools.errors import DataError
from wsstools.files.limits import read_file


def decode_names(data: bytes, name: str) -> str:
    """The text in a list of names of files, which need not be UTF-8; DataError if it is no text."""
    _refuse_null_bytes(data, name)
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def decode_text(data: bytes, name: str) -> str:
    """The text in a file, UTF-8 with or without a mark; DataError if it is no such text."""
    _refuse_null_bytes(data, name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not a text file (UTF-8): {error.reason}") from error


def _refuse_null_bytes(data: bytes, name: str) -> None:
    if b"\0" in data:
        raise DataError(f"{name}: not a text file (it holds null bytes)")


def encode_list(names: Iterable[str]) -> bytes:
    """The bytes of a list of names, one a line."""
    return encode_text("".join(f"{name}\n" for name in names))


def encode_text(text: str) -> bytes:
    """The bytes of a text, in which names of files that are not UTF-8 are what they were."""
    return text.encode("utf-8", "surrogateescape")


def parse_table(lines: Iterable[str], name: str) -> list[dict[str, str]]:
    """The rows of CSV by the columns that its first line names, empty where a cell is missing.

    DataError if it is no CSV.
    """
    try:
        reader = csv.DictReader(lines, restkey="", restval="")
        columns = list(reader.fieldnames or ())
        for column in columns:
            if columns.count(column) > 1 and column:
                raise DataError(f"{name}: the column {column!r} occurs twice")
        return list(reader)
    except csv.Error as error:
        raise DataError(f"{name}: not CSV: {error}") from error


def read_table(path: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV file by the columns that its first line names, which must hold `columns`.

    Cells that are not there are empty; lines that start with `#` are skipped. DataError if it is no
    text, no CSV, or has no row or not these columns.
    """
    lines = io.StringIO(decode_text(read_file(path), str(path)), newline="")
    rows = parse_table((line for line in lines if not line.startswith("#")), str(path))
    if not rows or not set(columns) <= rows[0].keys():
        raise DataError(f"{path}: expected CSV with a first line that holds {','.join(columns)}")
    return rows
