"""Studies as `wss eval-gap --json` writes them, and `wss report` reads them back."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Optional, TypeVar

import msgspec

from wsstools.core.description import Description
from wsstools.core.evaluation.bootstrap import Interval
from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import (
    Bootstrap,
    Difference,
    ImageScore,
    Key,
    LabelFolder,
    Measurement,
    Part,
    StrategyLabels,
    Study,
    StudyRow,
    band_gaps,
    groups,
    held_seeds,
)
from wsstools.core.labels import class_name
from wsstools.errors import DataError
from wsstools.files.provenance import Json, digest, parse_record

_NUMBER = re.compile(r"[0-9]{1,9}")
_V = TypeVar("_V")
_Number = Annotated[float, msgspec.Meta(gt=-1e300, lt=1e300)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Whole = Annotated[int, msgspec.Meta(ge=0, lt=10**9)]
_Seeds = Annotated[int, msgspec.Meta(ge=1, lt=10**9)]
_Ends = tuple[Optional[_Number], Optional[_Number]]  # null is the infinite end
Names = Optional[Sequence[str]]
_PARTS = ("val", "pfa", "train")
_DIGEST = "digest"


class _Name(msgspec.Struct):
    group: str
    name: str

    @property
    def key(self) -> Key:
        return Key(self.group, self.name)


class _Part(msgspec.Struct):
    miou: _Share | None = None
    std: _Number | None = None
    interval: _Ends | None = None
    interval_seeds: _Seeds | None = None
    iou: dict[str, _Share] = {}


class _Band(_Part):
    gap: _Number | None = None
    reduction: _Number | None = None


class _Row(_Name):
    miou: _Share | None = None
    gap: _Number | None = None
    reduction: _Number | None = None
    reduction_interval: _Ends | None = None
    reduction_seeds: _Seeds | None = None
    val: _Part | None = None
    pfa: _Part | None = None
    train: _Part | None = None
    bands: dict[str, _Band] = {}
    printed_reduction: _Number | None = None
    published: bool = False
    source: str | None = None


class _Difference(_Name):
    against: _Name
    difference: _Number
    interval: _Ends
    better_share: _Share
    interval_seeds: _Seeds = 1


class _Image(msgspec.Struct):
    miou: _Share | None
    pixel_accuracy: _Share | None


class _Folder(msgspec.Struct):
    folder: str
    first: Description | None = None
    images: dict[str, _Image] = {}


class _Labels(_Name):
    val: list[_Folder] = []
    pfa: list[_Folder] = []
    train: list[_Folder] = []


class _Images(msgspec.Struct):
    val: list[str] = []
    train: list[str] = []


class _Bootstrap(msgspec.Struct):
    resamples: _Whole
    seed: int
    level: _Share
    val_clusters: _Whole | None = None
    train_clusters: _Whole | None = None


class _Bands(msgspec.Struct):
    widths: list[_Whole] = []
    void_is_border: bool = False


class _Group(msgspec.Struct):
    group: str
    full_gap: _Number | None = None


class _Study(msgspec.Struct, omit_defaults=False):
    rows: list[_Row]
    full_gap: _Number | None = None
    groups: list[_Group] = []
    differences: list[_Difference] = []
    images: _Images | None = None
    bootstrap: _Bootstrap | None = None
    bands: _Bands | None = None
    classes: list[str] | None = None
    labels: list[_Labels] = []
    digest: str | None = None


def decode_study(data: bytes, name: str) -> Study:
    """The study that `wss eval-gap --json` printed; an error names the first unexpected value."""
    try:
        found = _parsed(data)
        if found.digest is not None and found.digest != _digest(json.loads(data)):
            raise _UnexpectedError(
                "its digest is that of another content: it is damaged or was edited (without "
                '"digest" it is read)'
            )
        return _decoded(found)
    except (msgspec.ValidationError, _UnexpectedError) as error:
        raise DataError(f"{name}: not what wss eval-gap --json prints: {error}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{name}: not JSON: {error}") from error


def _parsed(data: bytes) -> _Study:
    """The values in the JSON, in which names of files that are not UTF-8 may be."""
    try:
        return msgspec.json.decode(data, type=_Study)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(data), _Study)


def encode_study(study: Study) -> str:
    """Everything as JSON, fractions; what is not finite is null."""
    names, gaps = study.class_names, band_gaps(study.rows)
    full_gaps = {row.key.group: row.gap for row in study.rows if row.key.name == BASELINE}
    values: dict[str, Json] = {
        "full_gap": next(iter(full_gaps.values()), None),
        "groups": [
            {"group": group, "full_gap": full_gaps.get(group)}
            for group in groups(row.key for row in study.rows)
        ],
        "rows": [
            {
                **row.key._asdict(),
                "miou": row.val.mean_iou if row.val else None,
                "gap": row.gap,
                "reduction": row.reduction,
                "reduction_interval": row.reduction_interval,
                "reduction_seeds": row.reduction_seeds if row.reduction_interval else None,
                **{part: _part_values(getattr(row, part), names) for part in _PARTS},
                "bands": {
                    str(width): {
                        **(_part_values(part, names) or {}),
                        "gap": gaps[row.key, width].gap,
                        "reduction": gaps[row.key, width].reduction,
                    }
                    for width, part in row.bands.items()
                },
                "printed_reduction": row.printed_reduction,
                "published": bool(row.source),
                "source": row.source or None,
            }
            for row in study.rows
        ],
        "differences": [
            {
                **one.key._asdict(),
                "against": one.against._asdict(),
                "difference": one.value,
                "interval": one.interval,
                "better_share": one.better,
                "interval_seeds": one.seeds,
            }
            for one in study.differences
        ],
    }
    if (found := study.measurement) is not None:
        values |= {
            "images": {"val": found.val, "train": found.train},
            "bootstrap": None
            if found.bootstrap is None
            else {**msgspec.to_builtins(found.bootstrap), "seeds": held_seeds(study)},
            "bands": {"widths": found.widths, "void_is_border": found.void_is_border},
            "classes": names,
            "labels": [
                {
                    **one.key._asdict(),
                    **{part: _folder_values(getattr(one, part)) for part in _PARTS},
                }
                for one in found.labels
            ],
        }
    finite = {key: _finite(value) for key, value in values.items()}
    return json.dumps({**finite, _DIGEST: _digest(finite)}, indent=2)


def _digest(values: Mapping[str, Json]) -> str:
    """The digest of all values but itself, however they are indented and ordered."""
    content = {key: value for key, value in values.items() if key != _DIGEST}
    return digest(json.dumps(content, sort_keys=True).encode())


class _UnexpectedError(ValueError):
    """A value is not as expected."""


def _decoded(found: _Study) -> Study:
    rows = [_row(row, found.classes) for row in found.rows]
    for key, count in Counter(row.key for row in rows).items():
        if count > 1:
            raise _UnexpectedError(f"the row {key} occurs twice")
    _check_bands(rows)
    differences = [
        Difference(
            one.key,
            one.against.key,
            one.difference,
            _interval(one.interval),
            one.better_share,
            one.interval_seeds,
        )
        for one in found.differences
    ]
    return Study(rows, differences, found.classes, _measurement(found))


def _check_bands(rows: Sequence[StudyRow]) -> None:
    """Raise if rows have different bands, or those of a group lack their frame."""
    banded = [row for row in rows if row.bands]
    keys = {row.key for row in banded}
    for row in banded:
        if row.bands.keys() != banded[0].bands.keys():
            raise _UnexpectedError(f"{row.key} has other bands than {banded[0].key}")
        if not {Key(row.key.group, FULL), Key(row.key.group, BASELINE)} <= keys:
            raise _UnexpectedError(f"{row.key} has bands, {FULL} or {BASELINE} has none")


def _row(row: _Row, names: Names) -> StudyRow:
    val, pfa, train = (
        one if one is None else _part(one, names) for one in (row.val, row.pfa, row.train)
    )
    if not all(_NUMBER.fullmatch(width) for width in row.bands):
        raise _UnexpectedError(f"bands of {row.name}: a width is no number of pixels")
    return StudyRow(
        row.key,
        val,
        row.gap,
        row.reduction,
        row.reduction_interval and _interval(row.reduction_interval),
        row.reduction_seeds or 1,
        pfa,
        train,
        {int(width): _part(band, names) for width, band in row.bands.items()},
        row.printed_reduction,
        row.source or "",
    )


def _part(part: _Part, names: Names) -> Part:
    ids = {name: position for position, name in enumerate(names or ())}
    for name in part.iou:
        if name not in ids and not _NUMBER.fullmatch(name):
            raise _UnexpectedError(f"iou: {name!r} is no class")
    return Part(
        _number(part.miou),
        part.std,
        part.interval and _interval(part.interval),
        part.interval_seeds or 1,
        {ids[name] if name in ids else int(name): iou for name, iou in part.iou.items()},
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _interval(ends: _Ends) -> Interval:
    low, high = ends
    return Interval(-math.inf if low is None else low, math.inf if high is None else high)


def _measurement(found: _Study) -> Measurement | None:
    if found.images is None:
        return None
    bands, bootstrap = found.bands or _Bands(), found.bootstrap
    return Measurement(
        found.images.val,
        found.images.train,
        None if bootstrap is None else Bootstrap(**msgspec.structs.asdict(bootstrap)),
        bands.widths,
        bands.void_is_border,
        [
            StrategyLabels(one.key, *map(_folders, (one.val, one.pfa, one.train)))
            for one in found.labels
        ],
    )


def _folders(folders: Sequence[_Folder]) -> list[LabelFolder]:
    return [
        LabelFolder(
            one.folder,
            one.first and _checked(one.first),
            {
                stem: ImageScore(_number(score.miou), _number(score.pixel_accuracy))
                for stem, score in one.images.items()
            },
        )
        for one in folders
    ]


def _checked(file: Description) -> Description:
    if file.meta is not None and parse_record(json.dumps(file.meta)) is None:
        raise _UnexpectedError(f"the record of {file.file} does not say how it was made")
    return file


def _part_values(part: Part | None, names: Names) -> dict[str, Json] | None:
    if part is None:
        return None
    return {
        "miou": part.mean_iou,
        "std": part.std,
        "interval": part.interval,
        "interval_seeds": part.interval_seeds if part.interval else None,
        "iou": {class_name(names, c): iou for c, iou in part.iou.items()},
    }


def _folder_values(folders: Sequence[LabelFolder]) -> list[Json]:
    return [
        {
            "folder": one.folder,
            "first": msgspec.to_builtins(one.first),
            "images": {
                stem: {"miou": score.mean_iou, "pixel_accuracy": score.pixel_accuracy}
                for stem, score in one.images.items()
            },
        }
        for one in folders
    ]


def _finite(value: Json) -> Json:
    """The value with null for every number that JSON cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value
