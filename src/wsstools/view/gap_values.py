"""What a study found, whole: as JSON values and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from wsstools.core.evaluation.bootstrap import Interval
from wsstools.core.evaluation.gap import BASELINE, GapRow, Slip
from wsstools.core.evaluation.study import Key, Part, Study, StudyRow, band_gaps, groups
from wsstools.core.labels import class_name


def study_csv(study: Study, per_class: bool = False) -> str:
    """One line per row, fractions with all their digits; columns only where there is something."""
    lines = [_csv_values(row, study, per_class) for row in study.rows]
    always = ("name", "miou", "gap", "reduction")
    columns = [
        column
        for column in dict.fromkeys(column for line in lines for column in line)
        if column in always or any(line.get(column) not in (None, "") for line in lines)
    ]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for line in lines:
        writer.writerow([_csv_cell(line.get(column)) for column in columns])
    return buffer.getvalue().rstrip("\n")


def study_json(study: Study, per_class: bool = True) -> str:
    """Everything as JSON, fractions; what is not finite is null. It always has the classes."""
    return json.dumps(_finite(study_values(study)), indent=2)


def study_values(study: Study) -> dict[str, Any]:
    """Everything as JSON values.

    Returns
    -------
    dict
        `full_gap` (of the first group), `groups`, `rows`, `differences`, and the facts.
    """
    gaps = {row.key.group: row.gap for row in study.rows if row.key.name == BASELINE}
    shown = groups(row.key for row in study.rows)
    gaps_in_bands = band_gaps(study.rows)
    return {
        "full_gap": next(iter(gaps.values()), None),
        "groups": [{"group": group, "full_gap": gaps.get(group)} for group in shown],
        "rows": [_row_values(row, study, gaps_in_bands) for row in study.rows],
        "differences": [
            {
                "group": one.key.group,
                "name": one.key.name,
                "against": {"group": one.against.group, "name": one.against.name},
                "difference": one.value,
                "interval": list(one.interval),
                "better_share": one.better,
            }
            for one in study.differences
        ],
        **study.facts,
    }


def slip_text(slip: Slip) -> str:
    """What is wrong with a printed gap reduction."""
    text = f"printed {share_text(slip.printed)}, recomputed {share_text(slip.computed)}"
    if slip.is_rounding:
        return f"{text} (mIoUs with more digits could give the printed number)"
    bounds = interval_text(Interval(slip.low, slip.high), " %")
    return f"{text} (rounded mIoUs allow {bounds} only)"


def share_text(value: float | None) -> str:
    """A share in percent, or nothing."""
    return "" if value is None else f"{100 * value:.1f} %"


def interval_text(interval: Interval | None, unit: str = "") -> str:
    """An interval of fractions, told in percent, or nothing."""
    if interval is None:
        return ""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]{unit}"


def _row_values(row: StudyRow, study: Study, gaps: dict[tuple[Key, int], GapRow]) -> dict[str, Any]:
    slip = row.slip
    return {
        "group": row.key.group,
        "name": row.key.name,
        "miou": row.val.mean_iou if row.val else None,
        "gap": row.gap,
        "reduction": row.reduction,
        "reduction_interval": _ends(row.reduction_interval),
        **{
            part: None if found is None else _part_values(found, study)
            for part, found in (("val", row.val), ("pfa", row.pfa), ("train", row.train))
        },
        "bands": {
            str(width): {
                **_part_values(part, study),
                "gap": gaps[row.key, width].gap,
                "reduction": gaps[row.key, width].reduction,
            }
            for width, part in row.bands.items()
        },
        "printed_reduction": row.printed_reduction,
        "slip": slip
        and {
            "computed": slip.computed,
            "possible": [slip.low, slip.high],
            "is_rounding": slip.is_rounding,
        },
        "published": bool(row.source),
        "source": row.source or None,
    }


def _part_values(part: Part, study: Study) -> dict[str, Any]:
    return {
        "miou": part.mean_iou,
        "std": part.std,
        "interval": _ends(part.interval),
        "iou": {class_name(study.class_names, c): iou for c, iou in part.iou.items()},
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _csv_values(row: StudyRow, study: Study, per_class: bool) -> dict[str, Any]:
    """The columns of a row, in their order, with None where there is nothing."""
    values: dict[str, Any] = {"group": row.key.group, "name": row.key.name}
    for name, part in (("pfa", row.pfa), ("train", row.train), ("miou", row.val)):
        values |= _csv_part(name, part)
    values |= {"gap": row.gap, "reduction": row.reduction}
    values |= _csv_ends("reduction", row.reduction_interval)
    one = next((one for one in study.differences if one.key == row.key), None)
    values |= {
        "against": None if one is None else str(one.against),
        "difference": None if one is None else one.value,
        **_csv_ends("difference", None if one is None else one.interval),
    }
    for width, part in row.bands.items():
        values |= _csv_part(f"band_{width}", part)
    if per_class and row.val is not None:
        values |= {f"iou_{class_name(study.class_names, c)}": v for c, v in row.val.iou.items()}
    return values | {
        "printed_reduction": row.printed_reduction,
        "slip": row.slip and slip_text(row.slip),
        "source": row.source,
    }


def _csv_part(name: str, part: Part | None) -> dict[str, Any]:
    return {
        name: None if part is None else part.mean_iou,
        f"{name}_std": None if part is None else part.std,
        **_csv_ends(name, None if part is None else part.interval),
    }


def _csv_ends(name: str, interval: Interval | None) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _csv_cell(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    """The value with null for every number that JSON cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value
