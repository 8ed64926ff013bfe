"""What a study found, as CSV, and numbers as text."""

from __future__ import annotations

from typing import Union

from wsstools.core.evaluation.bootstrap import Interval
from wsstools.core.evaluation.study import Part, Study, StudyRow, held_seeds
from wsstools.core.labels import class_name
from wsstools.view.tables import csv_text

Cell = Union[str, float, None]


def study_csv(study: Study, per_class: bool = False) -> str:
    """One line per row, fractions with all their digits; columns only where there is something."""
    lines = [_csv_values(row, study, per_class) for row in study.rows]
    always = ("name", "miou", "gap", "reduction")
    columns = [
        column
        for column in dict.fromkeys(column for line in lines for column in line)
        if column in always or any(line.get(column) not in (None, "") for line in lines)
    ]
    cells = ([line.get(column) for column in columns] for line in lines)
    return csv_text([columns, *cells]).rstrip("\n")


def share_text(value: float | None) -> str:
    """A share in percent, or nothing."""
    return "" if value is None else f"{100 * value:.1f} %"


def interval_text(interval: Interval | None, unit: str = "") -> str:
    """An interval of fractions, in percent, or nothing."""
    if interval is None:
        return ""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]{unit}"


def interval_basis(study: Study) -> str:
    """What the intervals on the validation images are over; empty without intervals.

    Such as: `30 clusters of 620 images, and 3 seeds`.
    """
    found, seeds = study.measurement, held_seeds(study)
    if found is None or found.bootstrap is None or not seeds:
        return ""
    clusters = found.bootstrap.val_clusters
    of = "" if clusters is None else f"{clusters} clusters of "
    images = f"{of}{len(found.val)} images"
    if seeds == [1]:
        return f"{images} only: another training run moves numbers too"
    if len(seeds) == 1:
        return f"{images}, and {seeds[0]} seeds"
    several = " or ".join(str(number) for number in seeds if number > 1)
    return (
        f"{images}, and {several} seeds where all rows that a number needs have so many; others "
        f"are over images only: another training run moves them too"
    )


def _csv_values(row: StudyRow, study: Study, per_class: bool) -> dict[str, Cell]:
    """The columns of a row, in their order, with None where there is nothing."""
    values: dict[str, Cell] = {"group": row.key.group, "name": row.key.name}
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
    return values | {"printed_reduction": row.printed_reduction, "source": row.source}


def _csv_part(name: str, part: Part | None) -> dict[str, Cell]:
    return {
        name: None if part is None else part.mean_iou,
        f"{name}_std": None if part is None else part.std,
        **_csv_ends(name, None if part is None else part.interval),
    }


def _csv_ends(name: str, interval: Interval | None) -> dict[str, Cell]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}
