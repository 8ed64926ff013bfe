"""The folders of a study as CSV: a line per strategy."""

from __future__ import annotations

import os
from pathlib import Path

from wsstools.core.evaluation.study import Key
from wsstools.errors import DataError, UsageError
from wsstools.files.text import read_table

_STANDARD_INPUT = "-"
PARTS = ("val", "pfa", "train")
Folders = dict[Key, tuple[str, ...]]


def parse_entry(text: str) -> tuple[Key, tuple[str, ...]]:
    """`GROUP/NAME=DIR,...` as key and folders; UsageError if it is another form."""
    name, _, folders = text.partition("=")
    if not (name and folders):
        raise UsageError(f"{text}: expected NAME=DIR or GROUP/NAME=DIR")
    group, _, name = name.rpartition("/")
    if not name:
        raise UsageError(f"{text}: expected a name after {group}/")
    return Key(group, name), split_folders(folders)


def split_folders(text: str, base: Path = Path()) -> tuple[str, ...]:
    """The folders in a list with commas between; a folder whose name has a comma is one."""
    is_one = os.path.exists(base / text)  # whatever the text; Path.exists raises at a long one
    parts = [text] if is_one else [part for part in text.split(",") if part]
    return tuple(part if part == _STANDARD_INPUT else str(base / part) for part in parts)


def read_study(path: str) -> dict[str, Folders]:
    """The folders of each part: `val`, `pfa` and `train`, by strategy.

    Columns: `name`, `val`; and, where there are, `group`, `pfa` and `train`. Paths are relative to
    the file; several folders (seeds) are in quotes with commas between.

    DataError if a column is missing or a name occurs twice or is empty.
    """
    found: dict[str, Folders] = {part: {} for part in PARTS}
    keys = set()
    for row in read_table(Path(path), ("name", "val")):
        key = Key(row.get("group", "").strip(), row["name"].strip())
        if not key.name or key in keys:
            raise DataError(f"{path}: {key} occurs twice" if key.name else f"{path}: no name")
        keys.add(key)
        for part in PARTS:
            text = row.get(part, "").strip()
            if text:
                found[part][key] = split_folders(text, Path(path).parent)
    return found
