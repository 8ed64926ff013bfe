"""The folders of a study as CSV: a line per strategy."""

from __future__ import annotations

import csv
from pathlib import Path

from wsstools.core.study import Key
from wsstools.errors import DataError, UsageError
from wsstools.io.sources import STANDARD_INPUT

PARTS = ("val", "pfa", "train")
Folders = dict[Key, tuple[str, ...]]


def parse_entry(text: str) -> tuple[Key, tuple[str, ...]]:
    """`GROUP/NAME=DIR,...` as key and folders.

    Raises
    ------
    UsageError
        If it is another form.
    """
    name, _, folders = text.partition("=")
    if not (name and folders):
        raise UsageError(f"{text}: expected NAME=DIR or GROUP/NAME=DIR")
    group, _, name = name.rpartition("/")
    if not name:
        raise UsageError(f"{text}: expected a name after {group}/")
    return Key(group, name), split_folders(folders)


def split_folders(text: str, base: Path = Path()) -> tuple[str, ...]:
    """The folders in a list with commas between; a folder whose name has a comma is one."""
    parts = [text] if (base / text).exists() else [part for part in text.split(",") if part]
    return tuple(part if part == STANDARD_INPUT else str(base / part) for part in parts)


def read_study(path: str) -> dict[str, Folders]:
    """The folders of each part: `val`, `pfa` and `train`, by strategy.

    Columns: `name`, `val`; and, where there are, `group`, `pfa` and `train`. Paths are relative to
    the file; several folders (seeds) stand in quotes with commas between.

    Raises
    ------
    DataError
        If a column is missing or a name stands twice or is empty.
    """
    found: dict[str, Folders] = {part: {} for part in PARTS}
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    if not rows or not {"name", "val"} <= rows[0].keys():
        raise DataError(f"{path}: expected CSV with a first line that holds name,val")
    keys = set()
    for row in rows:
        key = Key((row.get("group") or "").strip(), (row["name"] or "").strip())
        if not key.name or key in keys:
            raise DataError(f"{path}: {key} stands twice" if key.name else f"{path}: no name")
        keys.add(key)
        for part in PARTS:
            text = (row.get(part) or "").strip()
            if text:
                found[part][key] = split_folders(text, Path(path).parent)
    return found
