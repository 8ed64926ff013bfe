"""The gap tables of a study for readers: for the terminal, as Markdown and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wsstools.core.evaluation.gap import FULL
from wsstools.core.evaluation.study import Difference, Key, Part, Study, StudyRow, band_gaps, groups
from wsstools.core.labels import class_name
from wsstools.view.gap_values import interval_basis, interval_text, share_text, study_csv
from wsstools.view.tables import Cells, text_table

_INTERVAL_HEADER = "95 %"


@dataclass(frozen=True)
class Table:
    """A table of text; the first columns are aligned to the left, a rule goes above some rows.

    If `is_grouped`, the first column holds the name of a group, in the row where it begins.
    """

    header: Sequence[str]
    cells: Cells
    n_left: int = 1
    rules: Sequence[int] = ()
    title: str = ""
    is_grouped: bool = False


def study_text(study: Study, per_class: bool = False) -> str:
    """All tables for a terminal; `per_class` adds the gap of each class."""
    blocks = []
    for table in _tables(study, per_class):
        title = [f"{table.title}:"] if table.title else []
        blocks.append("\n".join([*title, *text_table(table.header, table.cells, table.n_left)]))
    if notes := table_notes(study):
        blocks.append("\n".join(notes))
    return "\n\n".join(blocks)


def study_markdown(study: Study, per_class: bool = False) -> str:
    """All tables as Markdown; `per_class` adds the gap of each class."""
    blocks = []
    for table in _tables(study, per_class):
        sides = ["---"] * table.n_left + ["---:"] * (len(table.header) - table.n_left)
        lines = [f"{table.title}:", ""] if table.title else []
        for line in (table.header, sides, *table.cells):
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |")
        blocks.append("\n".join(lines))
    blocks += table_notes(study)
    return "\n\n".join(blocks)


_LATEX_SPECIAL = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"±": r"$\pm$"}
)


def study_latex(study: Study, per_class: bool = False) -> str:
    """All tables as LaTeX tabulars (need booktabs); `per_class` adds the gap of each class."""
    blocks = []
    for table in _tables(study, per_class):
        sides = "l" * table.n_left + "r" * (len(table.header) - table.n_left)
        lines = [f"{table.title.translate(_LATEX_SPECIAL)}:\n"] if table.title else []
        lines += [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", _latex_line(table.header)]
        lines.append(r"\midrule")
        for position, line in enumerate(table.cells):
            if position in table.rules:
                lines.append(r"\midrule")
            lines.append(_latex_line(line))
        blocks.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    blocks += [note.translate(_LATEX_SPECIAL) for note in table_notes(study)]
    return "\n\n".join(blocks)


def _latex_line(cells: Sequence[str]) -> str:
    # A row that begins with [ would be read as the optional length of the \\ before it.
    escaped = [cell.translate(_LATEX_SPECIAL) for cell in cells]
    return " & ".join(f"{{{c}}}" if c.startswith("[") else c for c in escaped) + r" \\"


def _tables(study: Study, per_class: bool) -> list[Table]:
    tables = [main_table(study.rows)]
    tables += band_tables(study.rows)
    if study.differences:
        tables.append(difference_table(study.differences))
    if per_class:
        tables += class_tables(study)
    return tables


def main_table(rows: Sequence[StudyRow]) -> Table:
    """The gap table, with the columns for which there is something."""
    has_train = any(row.pfa or row.train for row in rows)
    marks = _source_marks(rows)
    columns: list[tuple[str, Callable[[StudyRow], str]]] = [
        ("strategy", lambda row: row.key.name + marks.get(row.source, "")),
        ("PFA", lambda row: _percent(row.pfa)),
        ("train", lambda row: _percent(row.train)),
        ("val" if has_train else "mIoU", lambda row: _percent(row.val)),
        (_INTERVAL_HEADER, lambda row: interval_text(row.val.interval if row.val else None)),
        ("gap", lambda row: "" if row.key.name == FULL else _points(row.gap)),
        ("gap reduction", _reduction),
        (_INTERVAL_HEADER, lambda row: interval_text(row.reduction_interval, " %")),
        ("printed", lambda row: share_text(row.printed_reduction)),
    ]
    always = {"strategy", "mIoU", "val", "gap", "gap reduction"}
    kept = [
        (name, cell) for name, cell in columns if name in always or any(cell(row) for row in rows)
    ]
    return _grouped(
        [row.key for row in rows],
        [name for name, _ in kept],
        [[cell(row) for _, cell in kept] for row in rows],
    )


def _grouped(
    keys: Sequence[Key], header: Sequence[str], cells: Cells, *, n_left: int = 1, title: str = ""
) -> Table:
    """A table with a column for the group, if there are groups, filled where one begins."""
    if not any(key.group for key in keys):
        return Table(header, cells, n_left, title=title)
    starts = [k for k, key in enumerate(keys) if k == 0 or key.group != keys[k - 1].group]
    names = [""] * len(keys)
    for k in starts:
        names[k] = keys[k].group or "this study"
    return Table(
        ["network", *header],
        [[name, *line] for name, line in zip(names, cells, strict=True)],
        n_left + 1,
        starts[1:],
        title,
        is_grouped=True,
    )


def band_tables(rows: Sequence[StudyRow]) -> list[Table]:
    """The mIoU within each width of a border, and the gap reduction there; none without bands."""
    rows = [row for row in rows if row.bands]
    if not rows:
        return []
    widths = list(rows[0].bands)
    header = ["strategy", *(f"{width} px" for width in widths)]
    cells = [[row.key.name, *(_percent(row.bands[w]) for w in widths)] for row in rows]
    title = "mIoU within so many pixels of a border"
    tables = [_grouped([row.key for row in rows], header, cells, title=title)]
    strategies = [row.key for row in rows if not row.key.is_frame]
    if strategies:
        gaps = band_gaps(rows)
        shares = [
            [key.name, *(_reduction_text(gaps[key, w].reduction) for w in widths)]
            for key in strategies
        ]
        tables.append(_grouped(strategies, header, shares, title="gap reduction there"))
    return tables


def difference_table(found: Sequence[Difference]) -> Table:
    """Differences in mIoU with their intervals."""
    header = ("strategy", "against", "difference", _INTERVAL_HEADER, "better in")
    cells = [
        (
            one.key.name,
            str(one.against) if one.against.group != one.key.group else one.against.name,
            f"{100 * one.value:+.1f}",
            interval_text(one.interval),
            f"{100 * one.better:.0f} %",
        )
        for one in found
    ]
    title = "differences in mIoU, paired over the images"
    return _grouped([one.key for one in found], header, cells, n_left=2, title=title)


def class_tables(study: Study) -> list[Table]:
    """Per group: IoU of full supervision for each class, and what each strategy lacks to it."""
    tables = []
    for group in groups(row.key for row in study.rows):
        block = {row.key.name: row.val for row in study.rows if row.key.group == group}
        full = block.pop(FULL, None)
        others = {name: part for name, part in block.items() if part is not None and part.iou}
        if full is None or not full.iou or not others:
            continue
        classes = sorted({*full.iou, *(c for part in others.values() for c in part.iou)})
        cells = [
            [
                class_name(study.class_names, c),
                _points(full.iou.get(c)),
                *(
                    _points(full.iou.get(c, math.nan) - part.iou.get(c, math.nan))
                    for part in others.values()
                ),
            ]
            for c in classes
        ]
        where = f"{group}: " if group else ""
        title = f"{where}IoU of full supervision per class, and the gap to it"
        tables.append(Table(("class", FULL, *others), cells, title=title))
    return tables


def table_notes(study: Study) -> list[str]:
    """What the intervals are over, and a line per published source."""
    basis = interval_basis(study)
    return [f"{_INTERVAL_HEADER} intervals over {basis}"] * bool(basis) + [
        f"{mark.strip()} published, not measured here: {source}"
        for source, mark in _source_marks(study.rows).items()
    ]


def _source_marks(rows: Sequence[StudyRow]) -> dict[str, str]:
    sources = dict.fromkeys(row.source for row in rows if row.source)
    return {source: f" [{k}]" for k, source in enumerate(sources, start=1)}


def _reduction(row: StudyRow) -> str:
    return "" if row.key.is_frame or row.gap is None else _reduction_text(row.reduction)


def _reduction_text(reduction: float | None) -> str:
    """The reduction, or that there is no gap to reduce."""
    return "n/a" if reduction is None else share_text(reduction)


def _percent(part: Part | None) -> str:
    if part is None or math.isnan(part.mean_iou):
        return ""
    spread = "" if part.std is None else f" ± {100 * part.std:.1f}"
    return f"{100 * part.mean_iou:.1f}{spread}"


def _points(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{100 * value:.1f}"


STUDY_FORMATS: dict[str, Callable[[Study, bool], str]] = {
    "table": study_text,
    "csv": study_csv,
    "markdown": study_markdown,
    "latex": study_latex,
}
