"""Which images belong together: the name of an image and that of its cluster on each line."""

from __future__ import annotations

import csv
from pathlib import Path

from wsstools.errors import DataError
from wsstools.files.limits import read_file
from wsstools.files.names import NameRule, is_heading
from wsstools.files.text import decode_text


def read_clusters(path: str, rule: NameRule = NameRule()) -> dict[str, str]:
    """The cluster of each image, by all names that a line may mean.

    Two columns, with a comma or blanks between; empty lines, those that start with `#` and a
    heading do not count. DataError if a line has no two columns, or an image two clusters.
    """
    lines = [line.strip() for line in decode_text(read_file(Path(path)), path).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    clusters: dict[str, str] = {}
    for line in lines[1:] if lines and is_heading(lines[0]) else lines:
        name, cluster = _columns(line, path)
        if clusters.setdefault(name, cluster) != cluster:
            raise DataError(f"{path}: {name} is in two clusters: {clusters[name]} and {cluster}")
    if not clusters:
        raise DataError(f"{path}: no image in it (expected lines such as NAME,CLUSTER)")
    meant: dict[str, str] = {}
    for name, cluster in clusters.items():
        for other in rule.listed_names(name):
            meant.setdefault(other, cluster)
    return {**meant, **clusters}


def _columns(line: str, path: str) -> tuple[str, str]:
    try:
        parts = next(csv.reader([line], skipinitialspace=True)) if "," in line else line.split()
    except csv.Error as error:
        raise DataError(f"{path}: not CSV: {error}") from error
    columns = [part.strip() for part in parts]
    if len(columns) != 2 or not all(columns):
        raise DataError(f"{path}: {line!r}: expected a name and its cluster (NAME,CLUSTER)")
    return columns[0], columns[1]
