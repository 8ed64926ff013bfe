"""The sections of tables: the gap, near borders, differences."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Study, StudyRow
from wsstools.view.figures.rows import DotRow, dot_rows
from wsstools.view.gap_tables import Table, band_tables, difference_table, main_table, table_notes
from wsstools.view.gap_values import interval_basis
from wsstools.view.report.sections import Figure, Section
from wsstools.view.report.summary import best_row, blocks, is_scored

_FRAME_SERIES = 7


@dataclass(frozen=True)
class Gap:
    """The gap table and the positions of its best rows, the numbers as figures, and notes."""

    table: Table
    best: Collection[int]
    figures: Sequence[Figure]
    notes: Sequence[str]


@dataclass(frozen=True)
class Differences:
    """The table of differences, and what their intervals are over."""

    table: Table
    basis: str


@dataclass(frozen=True)
class Borders:
    """The tables of the bands around borders, and whether unlabelled pixels are borders too."""

    tables: Sequence[Table]
    void_is_border: bool


def gap_section(study: Study) -> Section:
    """The gap table, its notes, and the numbers as a figure for each group."""
    best = {row.key for _, rows in blocks(study) if (row := best_row(rows)) and not row.source}
    content = Gap(
        main_table(study.rows),
        [k for k, row in enumerate(study.rows) if row.key in best],
        list(_dot_figures(study)),
        table_notes(study),
    )
    return Section("gap", "The gap", content)


def borders_section(study: Study) -> Section:
    """The mIoU near borders."""
    anchor, heading = "borders", "Near borders"
    tables = [replace(table, title=_capital(table.title)) for table in band_tables(study.rows)]
    if not tables:
        return Section(anchor, heading, missing=["no bands were measured (--band)."])
    is_border = study.measurement is not None and study.measurement.void_is_border
    return Section(anchor, heading, Borders(tables, is_border))


def differences_section(study: Study) -> Section:
    """Paired differences with their intervals."""
    if study.differences:
        content = Differences(difference_table(study.differences), interval_basis(study))
        return Section("differences", "Differences", content)
    why = "there are no resamples of the images (--bootstrap)."
    return Section("differences", "Differences", missing=[why])


def _dot_figures(study: Study) -> Iterator[Figure]:
    """Per group the mIoU of each row with its interval."""
    for group, rows in blocks(study):
        shown = [row for row in rows if is_scored(row)]
        if len(shown) < 2 or any(row.source for row in rows):
            continue
        named = {row.key.name: 100 * row.val.mean_iou for row in shown if row.val}
        lines = {name: named[name] for name in (BASELINE, FULL) if name in named}
        about = f"{group}: " if group else ""
        plot = dot_rows(
            [_dot_row(row) for row in shown],
            x_label="mIoU on the validation images (%)",
            references=lines,
            description=f"{about}mIoU of each row of the gap table",
        )
        has_intervals = any(row.val and row.val.interval for row in shown)
        caption = f"{about}mIoU of each strategy between baseline and full supervision"
        yield Figure(plot, caption + (", with 95 % intervals." if has_intervals else "."))


def _dot_row(row: StudyRow) -> DotRow:
    mean, interval = (row.val.mean_iou, row.val.interval) if row.val else (math.nan, None)
    ends = None if interval is None else (100 * interval.low, 100 * interval.high)
    return DotRow(row.key.name, 100 * mean, ends, _FRAME_SERIES if row.key.is_frame else 0)


def _capital(text: str) -> str:
    """The text with a capital first letter, unless it starts with a name such as mIoU."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]
