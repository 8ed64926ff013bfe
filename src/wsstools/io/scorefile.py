"""Given mIoUs: CSV with the columns `name` and `miou`."""

from __future__ import annotations

import csv
from pathlib import Path

from wsstools.errors import DataError


def read_scores(path: str) -> dict[str, float]:
    """mIoU per strategy as fractions, in the order of the file.

    If any number in the file is above 1, all are percent.

    Raises
    ------
    DataError
        If a column or the row `full` or `baseline` is missing, a name stands twice, or a number
        is none.
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    if not rows or not {"name", "miou"} <= rows[0].keys():
        raise DataError(f"{path}: expected CSV with a first line that holds name,miou")
    found: dict[str, float] = {}
    for row in rows:
        name = (row["name"] or "").strip()
        try:
            value = float(row["miou"] or "")
        except ValueError:
            value = float("nan")
        if not 0 <= value <= 100:
            raise DataError(f"{path}: {name}: miou {row['miou']!r} is no number in 0..100")
        if name in found:
            raise DataError(f"{path}: {name} stands twice")
        found[name] = value
    missing = [name for name in ("full", "baseline") if name not in found]
    if missing:
        raise DataError(f"{path}: no row {missing[0]!r}")
    unit = 100 if max(found.values()) > 1 else 1
    return {name: value / unit for name, value in found.items()}
