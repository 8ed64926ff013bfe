"""The sections of tables: the gap, near borders, differences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Study, StudyRow
from wsstools.view.figures.rows import DotRow, dot_rows
from wsstools.view.gap_tables import band_tables, difference_table, main_table, table_notes
from wsstools.view.markup import Markup, element
from wsstools.view.report.parts import Section, beside_html, figure_html, figures_html, table_html
from wsstools.view.report.summary import best_row, blocks, is_scored

_FRAME_SERIES = 7
_HOW = (
    "full gap = mIoU(full) - mIoU(baseline); remaining gap = mIoU(full) - mIoU(strategy); gap "
    "reduction = (full gap - remaining gap) / full gap. All in percent."
)


def gap_section(study: Study) -> Section:
    """The gap table, its notes, and the numbers as a picture."""
    best = {row.key for _, rows in blocks(study) if (row := best_row(rows)) and not row.source}
    table = table_html(
        main_table(study.rows),
        "The gap table; the best strategy stands out",
        strong=[k for k, row in enumerate(study.rows) if row.key in best],
    )
    content = [table]
    figures = list(_dot_figures(study))
    if len(figures) == 1:
        content = [beside_html(table, *figures)]
    elif figures:
        content.append(figures_html(figures))
    content.append(element("p", _HOW, class_="note"))
    notes = table_notes(study.rows)
    if notes:
        content.append(element("ul", *(element("li", note) for note in notes), class_="notes"))
    return Section("gap", "The gap", content)


def _dot_figures(study: Study) -> Iterator[Markup]:
    """Per group the mIoU of each row with its interval."""
    for group, rows in blocks(study):
        shown = [row for row in rows if is_scored(row)]
        if len(shown) < 2 or any(row.source for row in rows):
            continue
        named = {row.key.name: row for row in shown}
        lines = {
            name: 100 * part.mean_iou
            for name in (BASELINE, FULL)
            if name in named and (part := named[name].val) is not None
        }
        about = f"{group}: " if group else ""
        plot = dot_rows(
            [_dot_row(row) for row in shown],
            x_label="mIoU on the validation images (%)",
            references=lines,
            description=f"{about}mIoU of each row of the gap table",
        )
        has_intervals = any(row.val and row.val.interval for row in shown)
        told = f"Fig. 1. {about}mIoU of each strategy between baseline and full supervision"
        yield figure_html(plot, told + (", with 95 % intervals." if has_intervals else "."))


def _dot_row(row: StudyRow) -> DotRow:
    mean, interval = (row.val.mean_iou, row.val.interval) if row.val else (math.nan, None)
    ends = None if interval is None else (100 * interval.low, 100 * interval.high)
    return DotRow(row.key.name, 100 * mean, ends, _FRAME_SERIES if row.key.is_frame else 0)


def bands_section(study: Study) -> Section:
    """The mIoU near borders."""
    tables = band_tables(study.rows)
    if not tables:
        return _left_out("borders", "Near borders", "no bands were measured (--band).")
    facts = study.facts.get("bands") or {}
    void = " or of what the ground truth leaves out" if facts.get("void_is_border") else ""
    note = (
        "Pixels within so many pixels, on either side, of the nearest pixel of another class"
        f"{void}."
    )
    content = [
        element("p", note, class_="note"),
        beside_html(*(table_html(one, _capital(one.title)) for one in tables)),
    ]
    return Section("borders", "Near borders", content)


def differences_section(study: Study) -> Section:
    """Paired differences with their intervals."""
    heading = "Differences"
    if not study.differences:
        return _left_out(
            "differences", heading, "there are no resamples of the images (--bootstrap)."
        )
    table = difference_table(study.differences)
    note = (
        "Both strategies see the same resamples of the images, so that two whose intervals overlap "
        "can still differ for sure. “Better in” is the share of the resamples in which the "
        "strategy is better. Another training run moves the numbers too; only seeds show how far."
    )
    content = [table_html(table, _capital(table.title)), element("p", note, class_="note")]
    return Section("differences", heading, content)


def _left_out(anchor: str, heading: str, why: str) -> Section:
    return Section(anchor, heading, missing=[why])


def _capital(text: str) -> str:
    """The text with a capital first letter, unless it starts with a name such as mIoU."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]
