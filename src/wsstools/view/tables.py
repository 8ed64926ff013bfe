"""Tables for the terminal, and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from wsstools.core.evaluation.bootstrap import Interval
from wsstools.core.evaluation.metrics import Scores
from wsstools.core.evaluation.volume_agreement import BACKGROUND, VolumeAgreement, VolumeMeans
from wsstools.core.labels import class_name
from wsstools.core.scribbles.estimate import StrokeEstimate
from wsstools.errors import printable

Cells = Sequence[Sequence[str]]


def score_table(
    found: Scores,
    names: Sequence[str] | None,
    n_images: int,
    per_image: Sequence[tuple[str, Scores]] = (),
) -> str:
    """Scores of a folder as text: the mean, the classes, what is left out, and the images."""
    classes = [(class_name(names, c), f"{value:.2%}") for c, value in found.iou.items()]
    lines = [
        f"mean IoU        {found.mean_iou:7.2%}   ({len(found.iou)} classes, {n_images} images)",
        f"pixel accuracy  {found.pixel_accuracy:7.2%}",
    ]
    if found.open_share:
        lines.append(f"left open (255) {found.open_share:7.2%}   counted as misses")
    lines += ["", *text_table(("class", "IoU"), classes)]
    if found.absent:
        absent = ", ".join(printable(class_name(names, c)) for c in found.absent)
        lines += ["", f"left out, in neither ground truth nor labels: {absent}"]
    if per_image:
        cells = [
            (stem, f"{one.mean_iou:.2%}", f"{one.pixel_accuracy:.2%}") for stem, one in per_image
        ]
        lines += ["", *text_table(("image", "mean IoU", "accuracy"), cells)]
    return "\n".join(lines)


def estimate_table(found: StrokeEstimate, names: Sequence[str] | None) -> str:
    """What strokes say of labels, as text."""
    cells = [
        (class_name(names, c), f"{value:.2%}", str(found.pixels[c]))
        for c, value in found.iou.items()
    ]
    lines = [
        f"rank score                 {found.rank_score:7.2%}{_between(found.rank_interval)}",
        f"mean IoU, estimated        {found.mean_iou:7.2%}{_between(found.interval)}",
        f"pixel accuracy, estimated  {found.pixel_accuracy:7.2%}",
        f"accuracy on the strokes    {found.on_strokes:7.2%}   ({found.n_images} images)",
        "",
        *text_table(("class", "IoU, estimated", "scribbled pixels"), cells),
    ]
    return "\n".join(lines)


def _between(interval: Interval | None) -> str:
    """An interval, if there is one."""
    return "" if interval is None else f"   [{interval.low:.2%}, {interval.high:.2%}]"


def volume_table(
    means: VolumeMeans,
    volumes: Mapping[str, VolumeAgreement],
    names: Sequence[str] | None,
    unit: str,
) -> str:
    """Dice and HD95 as text: the means, the classes, what is left out, and the volumes."""
    n_slices = sum(volume.n_slices for volume in volumes.values())
    sizes = f"{len(means.classes)} classes, {len(volumes)} volumes, {n_slices} slices"
    classes = [
        (
            class_name(names, c),
            f"{found.dice:.2%}",
            f"{found.hd95:.2f}",
            str(found.n_volumes),
            str(found.n_only_gt),
            str(found.n_only_labels),
        )
        for c, found in means.classes.items()
    ]
    header = ("class", "Dice", "HD95", "volumes", "only in gt", "only in labels")
    lines = [
        f"mean Dice  {means.dice:7.2%}   ({sizes})",
        f"mean HD95  {means.hd95:7.2f}   {unit}",
        "",
        *text_table(header, classes),
        "",
        f"left out: class {BACKGROUND}, the background",
    ]
    if means.absent:
        absent = ", ".join(printable(class_name(names, c)) for c in means.absent)
        lines.append(f"left out, in no volume: {absent}")
    cells = [
        (volume, class_name(names, c), f"{one.dice:.2%}", f"{one.hd95:.2f}", one.only_in or "")
        for volume, found in volumes.items()
        for c, one in found.classes.items()
    ]
    lines += ["", *text_table(("volume", "class", "Dice", "HD95", "only in"), cells, n_left=2)]
    return "\n".join(line.rstrip() for line in lines)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV, numbers with all their digits, None as nothing.

    Where a row would begin like a comment, all texts are in quotes.
    """
    cells = [list(row) for row in rows]
    has_comment = any(str(row[0]).startswith("#") for row in cells if row)
    buffer = io.StringIO()
    csv.writer(
        buffer,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if has_comment else csv.QUOTE_MINIMAL,
    ).writerows(cells)
    return buffer.getvalue()


def records_csv(records: Sequence[Mapping[str, object]]) -> str:
    """Dictionaries of the same keys, of which there is one at least, as CSV."""
    keys = list(records[0])
    return csv_text([keys, *([record[key] for key in keys] for record in records)]).rstrip("\n")


def text_table(header: Sequence[str], cells: Cells, n_left: int = 1) -> list[str]:
    """Lines of an aligned table; the first columns to the left, the others to the right."""
    rows = [header, *([printable(cell) for cell in row] for row in cells)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if k < n_left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(padded)

    return [line(header).rstrip(), "  ".join("-" * width for width in widths), *map(line, rows[1:])]
