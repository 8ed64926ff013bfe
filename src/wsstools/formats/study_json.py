"""Studies as `wss eval-gap --json` writes them, read back."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from wsstools.core.evaluation.bootstrap import Interval
from wsstools.core.evaluation.gap import BASELINE, FULL, Slip
from wsstools.core.evaluation.study import Difference, Key, Part, Study, StudyRow
from wsstools.errors import DataError
from wsstools.files.provenance import parse_record

_FACTS = ("images", "bootstrap", "bands", "classes", "labels")
_PARTS = ("val", "pfa", "train")
_OPTIONAL = ("differences", "labels")
_NUMBER = re.compile(r"[0-9]{1,9}")
_Value = TypeVar("_Value")


def decode_study(data: bytes, name: str) -> Study:
    """The study in what `wss eval-gap --json` printed.

    Null stands for the infinite end of an interval.

    Raises
    ------
    DataError
        If it is no such JSON; the message tells the first value that is not as expected.
    """
    try:
        values = json.loads(data)
        json.dumps(values, ensure_ascii=False).encode()  # texts with half a character cannot
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not JSON: {error}") from error
    try:
        return _study(_object(values, "the whole"))
    except (_UnexpectedError, RecursionError) as error:
        raise DataError(f"{name}: not what wss eval-gap --json prints: {error}") from error


class _UnexpectedError(ValueError):
    """A value is not as expected."""


def _study(values: Mapping[str, Any]) -> Study:
    names = _optional(values.get("classes"), "classes", _texts)
    rows = [_row(entry, where, names) for entry, where in _entries(values, "rows", "")]
    for key, count in Counter(row.key for row in rows).items():
        if count > 1:
            raise _UnexpectedError(f"the row {key} stands twice")
    _check_bands(rows)
    found = [_difference(entry, where) for entry, where in _entries(values, "differences", "")]
    facts = {key: values[key] for key in _FACTS if key in values}
    _check_facts(facts)
    return Study(rows, found, names, facts)


def _check_bands(rows: Sequence[StudyRow]) -> None:
    """Raise if rows have different bands, or those of a group lack their frame."""
    banded = [row for row in rows if row.bands]
    keys = {row.key for row in banded}
    for row in banded:
        if row.bands.keys() != banded[0].bands.keys():
            raise _UnexpectedError(f"{row.key} has other bands than {banded[0].key}")
        if not {Key(row.key.group, FULL), Key(row.key.group, BASELINE)} <= keys:
            raise _UnexpectedError(f"{row.key} has bands, {FULL} or {BASELINE} has none")


def _row(values: Mapping[str, Any], where: str, names: Sequence[str] | None) -> StudyRow:
    def part(name: str) -> Part | None:
        return _optional(
            values.get(name), f"{where}.{name}", lambda one, told: _part(one, told, names)
        )

    def number(name: str) -> float | None:
        return _optional(values.get(name), f"{where}.{name}", _number)

    bands = _object(values.get("bands") or {}, f"{where}.bands")
    printed = number("printed_reduction")
    return StudyRow(
        _key(values, where),
        part("val"),
        number("gap"),
        number("reduction"),
        _interval(values.get("reduction_interval"), f"{where}.reduction_interval"),
        part("pfa"),
        part("train"),
        {
            _width(width, f"{where}.bands"): _part(one, f"{where}.bands.{width}", names)
            for width, one in bands.items()
        },
        printed,
        _slip(values.get("slip"), f"{where}.slip", printed),
        _optional(values.get("source"), f"{where}.source", _text) or "",
    )


def _part(values: Any, where: str, names: Sequence[str] | None) -> Part:
    values = _object(values, where)
    ids = {name: position for position, name in enumerate(names or ())}
    iou = {}
    for name, value in _object(values.get("iou") or {}, f"{where}.iou").items():
        if name not in ids and not _NUMBER.fullmatch(name):
            raise _UnexpectedError(f"{where}.iou: {name!r} is no class")
        iou[ids[name] if name in ids else int(name)] = _share(value, f"{where}.iou.{name}")
    miou = _optional(values.get("miou"), f"{where}.miou", _share)
    return Part(
        math.nan if miou is None else miou,
        _optional(values.get("std"), f"{where}.std", _number),
        _interval(values.get("interval"), f"{where}.interval"),
        iou,
    )


def _difference(values: Mapping[str, Any], where: str) -> Difference:
    interval = _interval(values.get("interval"), f"{where}.interval")
    if interval is None:
        raise _UnexpectedError(f"{where}.interval is missing")
    return Difference(
        _key(values, where),
        _key(_object(values.get("against"), f"{where}.against"), f"{where}.against"),
        _number(values.get("difference"), f"{where}.difference"),
        interval,
        _share(values.get("better_share"), f"{where}.better_share"),
    )


def _slip(values: Any, where: str, printed: float | None) -> Slip | None:
    if values is None:
        return None
    values = _object(values, where)
    possible = _interval(values.get("possible"), f"{where}.possible")
    if printed is None or possible is None:
        raise _UnexpectedError(f"{where} without printed_reduction or possible")
    return Slip(printed, _number(values.get("computed"), f"{where}.computed"), *possible)


def _interval(values: Any, where: str) -> Interval | None:
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != 2:
        raise _UnexpectedError(f"{where} is {_short(values)}, expected two numbers")
    low, high = (_optional(value, where, _number) for value in values)
    return Interval(-math.inf if low is None else low, math.inf if high is None else high)


def _key(values: Mapping[str, Any], where: str) -> Key:
    return Key(
        _text(values.get("group"), f"{where}.group"), _text(values.get("name"), f"{where}.name")
    )


def _check_facts(facts: Mapping[str, Any]) -> None:
    """Raise if a fact is of another form than `wss eval-gap` gives it."""
    images = _object(facts.get("images") or {}, "images")
    for part, stems in images.items():
        _texts(stems, f"images.{part}")
    if facts.get("bootstrap") is not None:
        for key in ("resamples", "seed", "level"):
            _number(_object(facts["bootstrap"], "bootstrap").get(key), f"bootstrap.{key}")
    if "bands" in facts:
        widths = _object(facts["bands"], "bands").get("widths")
        if not isinstance(widths, list):
            raise _UnexpectedError(f"bands.widths is {_short(widths)}, expected a list")
    for entry, where in _entries(facts, "labels", ""):
        _key(entry, where)
        for part in _PARTS:
            for folder, told in _entries(entry, part, f"{where}."):
                _check_folder(folder, told)


def _check_folder(values: Mapping[str, Any], where: str) -> None:
    _text(values.get("folder"), f"{where}.folder")
    for stem, scores in _object(values.get("images"), f"{where}.images").items():
        told = f"{where}.images.{stem}"
        for key in ("miou", "pixel_accuracy"):
            if key not in _object(scores, told):
                raise _UnexpectedError(f"{told}.{key} is missing")
            _optional(scores[key], f"{told}.{key}", _share)
    first = values.get("first")
    if first is None:
        return
    for key in ("file", "what"):
        _text(_object(first, f"{where}.first").get(key), f"{where}.first.{key}")
    _object(first.get("facts"), f"{where}.first.facts")
    meta = first.get("meta")
    if meta is not None and parse_record(json.dumps(meta)) is None:
        raise _UnexpectedError(f"{where}.first.meta is no record of how a file was made")


def _entries(
    values: Mapping[str, Any], key: str, before: str
) -> list[tuple[Mapping[str, Any], str]]:
    """The objects in a list, each with its place."""
    found = values.get(key, [] if key in _OPTIONAL else None)
    if not isinstance(found, list):
        raise _UnexpectedError(f"{before}{key} is {_short(found)}, expected a list")
    return [
        (_object(entry, f"{before}{key}[{position}]"), f"{before}{key}[{position}]")
        for position, entry in enumerate(found)
    ]


def _optional(value: Any, where: str, read: Callable[[Any, str], _Value]) -> _Value | None:
    return None if value is None else read(value, where)


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _UnexpectedError(f"{where} is {_short(value)}, expected an object")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _UnexpectedError(f"{where} is {_short(value)}, expected a text")
    return value


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list):
        raise _UnexpectedError(f"{where} is {_short(value)}, expected a list")
    return [_text(one, where) for one in value]


def _number(value: Any, where: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) < 1e300:
        raise _UnexpectedError(f"{where} is {_short(value)}, expected a number")
    return float(value)


def _share(value: Any, where: str) -> float:
    if not 0 <= _number(value, where) <= 1:
        raise _UnexpectedError(f"{where} is {_short(value)}, expected a share in 0..1")
    return float(value)


def _width(text: str, where: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _UnexpectedError(f"{where}: {text!r} is no width in pixels")
    return int(text)


def _short(value: Any) -> str:
    told = json.dumps(value)
    return "missing" if value is None else told if len(told) <= 40 else f"{told[:37]}..."
