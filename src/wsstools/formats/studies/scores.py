"""Given mIoUs: CSV with the columns `name` and `miou`, and those that a table may have besides."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Given, Key
from wsstools.errors import DataError
from wsstools.files.text import read_table

_SCORES = ("miou", "pfa", "train")
_PUBLISHED = Path(__file__).parents[2] / "data" / "published.csv"
Row = dict[str, str]


def read_scores(path: str) -> list[Given]:
    """The rows of a file of scores, as fractions, in its order.

    Columns: `name`, `miou`; and, where there are, `group`, `pfa`, `train`, `printed_reduction`
    (the gap reduction that a table prints, in percent) and `source`. If any score in the file is
    above 1, all are percent.

    DataError if a column or the row `full` or `baseline` of a group is missing, a name occurs
    twice, or a number is none.
    """
    given = _read(Path(path), path)
    names: dict[str, list[str]] = {}
    for row in given:
        names.setdefault(row.key.group, []).append(row.key.name)
        if row.miou is None:
            raise DataError(f"{path}: {row.key}: miou '' is no number in 0..100")
    for group, found in names.items():
        for name in (FULL, BASELINE):
            if name not in found:
                where = f" in the group {group!r}" if group else ""
                raise DataError(f"{path}: no row {name!r}{where}")
    return given


def read_published() -> list[Given]:
    """Published scores on PASCAL VOC 2012, each with its source; their groups say that they are."""
    return [
        replace(row, key=Key(f"{row.key.group} (published)", row.key.name))
        for row in _read(_PUBLISHED, _PUBLISHED.name)
    ]


def _read(path: Path, path_name: str) -> list[Given]:
    rows = read_table(path, ("name", "miou"))
    keys: dict[Key, Row] = {}
    for row in rows:
        key = Key(_text(row, "group"), _text(row, "name"))
        if key in keys:
            raise DataError(f"{path_name}: {key} occurs twice")
        keys[key] = row
    scores = [
        {name: _number(row, name, key, path_name) for name in _SCORES} for key, row in keys.items()
    ]
    unit = 100 if max((v for row in scores for v in row.values() if v), default=0) > 1 else 1
    given = []
    for (key, row), found in zip(keys.items(), scores, strict=True):
        printed = _number(row, "printed_reduction", key, path_name)
        given.append(
            Given(
                key,
                **{name: None if value is None else value / unit for name, value in found.items()},
                printed_reduction=None if printed is None else printed / 100,
                source=_text(row, "source"),
            )
        )
    return given


def _text(row: Row, column: str) -> str:
    return row.get(column, "").strip()


def _number(row: Row, column: str, key: Key, path_name: str) -> float | None:
    text = _text(row, column)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    low, high = (-float("inf"), 1000) if column == "printed_reduction" else (0, 100)
    if not (math.isfinite(value) and low <= value <= high):
        raise DataError(f"{path_name}: {key}: {column} {text!r} is no number in {low}..{high}")
    return value
