"""Tables of scores and gaps: for the terminal, CSV, JSON, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence

from wsstools.core.gap import GapRow
from wsstools.core.labels import class_name
from wsstools.core.metrics import Scores

Cells = Sequence[Sequence[str]]


def score_table(
    found: Scores,
    names: Sequence[str] | None,
    n_images: int,
    per_image: Sequence[tuple[str, Scores]] = (),
) -> str:
    """Scores of a folder as text: the mean, the classes, what is left out, and the images."""

    lines = [
        f"mean IoU        {found.mean_iou:7.2%}   ({len(found.iou)} classes, {n_images} images)",
        f"pixel accuracy  {found.pixel_accuracy:7.2%}",
    ]
    if found.open_share:
        lines.append(f"left open (255) {found.open_share:7.2%}   counted as misses")
    lines += [
        "",
        *text_table(
            ("class", "IoU"), [(class_name(names, c), f"{v:.2%}") for c, v in found.iou.items()]
        ),
    ]
    if found.absent:
        absent = ", ".join(class_name(names, c) for c in found.absent)
        lines += ["", f"left out, in neither ground truth nor labels: {absent}"]
    if per_image:
        cells = [
            (stem, f"{one.mean_iou:.2%}", f"{one.pixel_accuracy:.2%}") for stem, one in per_image
        ]
        lines += ["", *text_table(("image", "mean IoU", "accuracy"), cells)]
    return "\n".join(lines)


def text_table(header: Sequence[str], cells: Cells) -> list[str]:
    """Lines of an aligned table; the first column to the left, the others to the right."""
    rows = [header, *cells]
    widths = [max(len(row[k]) for row in rows) for k in range(len(header))]

    def line(row: Sequence[str]) -> str:
        first, *rest = zip(row, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])

    return [line(header).rstrip(), "  ".join("-" * width for width in widths), *map(line, cells)]


GAP_HEADER = ("strategy", "mIoU", "gap", "gap reduction")


def _gap_cells(rows: Sequence[GapRow]) -> list[tuple[str, str, str, str]]:
    """mIoUs and gaps in percent; the gap of `full` and the reductions that frame are left blank."""
    cells = []
    for position, row in enumerate(rows):
        frames = position < 2
        reduction = "n/a" if row.reduction is None else f"{100 * row.reduction:.1f} %"
        cells.append(
            (
                row.name,
                f"{100 * row.miou:.1f}",
                "" if position == 0 else f"{100 * row.gap:.1f}",
                "" if frames else reduction,
            )
        )
    return cells


def gap_text(rows: Sequence[GapRow]) -> str:
    """The gap table for a terminal."""
    return "\n".join(text_table(GAP_HEADER, _gap_cells(rows)))


def gap_csv(rows: Sequence[GapRow]) -> str:
    """The gap table as CSV, fractions with all their digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("name", "miou", "gap", "reduction"))
    for row in rows:
        reduction = "" if row.reduction is None else repr(row.reduction)
        writer.writerow((row.name, repr(row.miou), repr(row.gap), reduction))
    return buffer.getvalue().rstrip("\n")


def gap_json(rows: Sequence[GapRow]) -> str:
    """The gap table as JSON, fractions."""
    table = [
        {"name": row.name, "miou": row.miou, "gap": row.gap, "reduction": row.reduction}
        for row in rows
    ]
    return json.dumps({"full_gap": rows[1].gap, "rows": table}, indent=2)


def gap_markdown(rows: Sequence[GapRow]) -> str:
    """The gap table as Markdown."""
    lines = [GAP_HEADER, ("---", "---:", "---:", "---:"), *_gap_cells(rows)]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)


_LATEX_SPECIAL = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def gap_latex(rows: Sequence[GapRow]) -> str:
    """The gap table as a LaTeX tabular (needs booktabs)."""
    body = [
        " & ".join(cell.translate(_LATEX_SPECIAL) for cell in line) + r" \\"
        for line in _gap_cells(rows)
    ]
    head = " & ".join(GAP_HEADER) + r" \\"
    return "\n".join(
        [
            r"\begin{tabular}{lrrr}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


GAP_FORMATS: dict[str, Callable[[Sequence[GapRow]], str]] = {
    "table": gap_text,
    "csv": gap_csv,
    "json": gap_json,
    "markdown": gap_markdown,
    "latex": gap_latex,
}
