"""The files that `wss compare` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsstools.cli.options import RunOptions
from wsstools.steps.columns import DIFF, PLAIN, Column
from wsstools.steps.comparison import Compared, Contest
from wsstools.steps.pictures import OPACITY, Look, draw_pictures, legend_of

if TYPE_CHECKING:
    from wsstools.core.evaluation.comparison import Comparison
    from wsstools.files.provenance import Meta
    from wsstools.running.join import Input
    from wsstools.running.sources import Source

RECORD_FILE, TABLE_FILE = "compare.json", "compare.csv"
PLOT_FILE, PICTURE_FILE = "scatter.svg", "sheet.png"
_FILES = (RECORD_FILE, TABLE_FILE, PLOT_FILE, PICTURE_FILE)
_CELL_WIDTH = 240


def refuse_other_outputs(folder: Path, contest: Contest) -> None:
    """Raise UsageError if the folder holds what another run made."""
    from wsstools.errors import UsageError
    from wsstools.files.provenance import refuse_other_run
    from wsstools.formats.parameter_files import read_meta

    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, expected a folder to write to")
    standing = [name for name in _FILES if (folder / name).exists()]
    if standing:
        meta = read_meta(folder / RECORD_FILE)
        refuse_other_run(folder / standing[0], meta, "compare", contest.options())


def write_outputs(folder: Path, contest: Contest, found: Compared, run: RunOptions) -> bool:
    """Write the outputs unless they stand already; whether they did not.

    The record comes first: it tells whose folder it is.
    """
    import json

    from wsstools.files.atomic import remove_leftovers, write_atomic
    from wsstools.files.provenance import output_record
    from wsstools.formats.description import COMPARISON
    from wsstools.formats.image_files import encode_image
    from wsstools.view.comparison import comparison_csv, comparison_scatter, comparison_values

    comparison = found.comparison
    sheet = _sheet(contest, found, run)
    meta = output_record(
        kind=COMPARISON,
        stem=Path(RECORD_FILE).stem,
        step="compare",
        options=contest.options(),
        inputs=[*found.records, *_image_records(contest, found, run)],
        result={"images": len(comparison.stems), **_told(comparison)},
    )
    values = {**comparison_values(comparison, contest.top), "made_by": meta}
    contents = {
        RECORD_FILE: (json.dumps(values, indent=2) + "\n").encode(),
        TABLE_FILE: comparison_csv(comparison).encode(),
        PLOT_FILE: comparison_scatter(comparison, contest.top).encoded(".svg"),
        PICTURE_FILE: encode_image(sheet),
    }
    remove_leftovers(folder)
    if all(_holds(folder / name, data) for name, data in contents.items()):
        return False
    for name, data in contents.items():
        write_atomic(folder / name, data)
    return True


def _sheet(contest: Contest, found: Compared, run: RunOptions) -> Any:
    """The images with the largest differences either way."""
    from functools import partial

    from wsstools.formats.label_files import find_class_names
    from wsstools.running.sources import Selection
    from wsstools.running.step import collect
    from wsstools.view.comparison import METRIC_NAMES
    from wsstools.view.sheet import contact_sheet

    comparison = found.comparison
    first, second = contest.names
    gains, losses = comparison.largest(contest.top)
    metric = METRIC_NAMES[contest.metric]
    headings = {
        k: f"{metric}: {told}"
        for positions, told in (
            (gains, f"{second} is better than {first}"),
            (losses, f"{first} is better than {second}"),
        )
        for k in positions[:1]
    }
    shown = _shown(comparison, contest.top)
    if not (gains or losses):
        headings = {0: f"{metric}: {first} and {second} are equal on all images"}
    columns = (
        Column(first, PLAIN, contest.folders[:1]),
        Column(second, PLAIN, contest.folders[1:]),
        Column("ground truth", PLAIN, (contest.gt,)),
        Column("difference", DIFF, contest.names),
    )
    has_image = contest.images is not None
    look = Look(columns, has_image, True, OPACITY if has_image else 1.0, _CELL_WIDTH)
    stems = [comparison.stems[k] for k in shown]
    inputs = _sheet_inputs(contest, found.sources, run)
    draw = partial(draw_pictures, look=look)
    drawn = dict(collect("compare", draw, inputs, Selection(ids=tuple(stems)), run.pool()))
    names = find_class_names(contest.gt, *contest.folders)
    legend, _ = legend_of(list(drawn.values()), columns, names)
    offset = [""] if has_image else []
    return contact_sheet(
        [drawn[stem].pictures for stem in stems],
        titles=[*(["image"] if has_image else []), *(column.name for column in columns)],
        captions=stems,
        notes=[[*offset, *_notes(comparison, k)] for k in shown],
        headings=[headings.get(k, "") for k in shown],
        legend=legend,
        cell_width=_CELL_WIDTH,
    )


def _sheet_inputs(contest: Contest, sources: Sequence[Source], run: RunOptions) -> list[Input]:
    """What `draw_pictures` takes: the image, both labels and the ground truth, and again all."""
    from wsstools.formats import image_files, label_files
    from wsstools.running.join import Input

    labels = [Input(source.what, source, label_files.decode_labels) for source in sources]
    first, second, gt = labels
    inputs = [first, second, gt, first, second, gt]
    if contest.images is None:
        return inputs
    images = run.source(contest.images, image_files.SUFFIXES, "image")
    return [Input("image", images, image_files.decode_image), *inputs]


def _image_records(contest: Contest, found: Compared, run: RunOptions) -> list[Meta]:
    """A record of the images in the sheet, if it has any."""
    from wsstools.files.provenance import files_record
    from wsstools.formats import image_files

    if contest.images is None:
        return []
    source = run.source(contest.images, image_files.SUFFIXES, "image")
    stems = found.comparison.stems
    paths = [source.find(stems[k]) for k in _shown(found.comparison, contest.top)]
    return [files_record("image", paths)]


def _shown(comparison: Comparison, top: int) -> list[int]:
    """Positions of the images in the sheet; the first ones where no two labels differ."""
    gains, losses = comparison.largest(top)
    return gains + losses or list(range(min(top, len(comparison.stems))))


def _notes(comparison: Comparison, position: int) -> list[str]:
    """What stands above the pictures of an image: both scores and their difference."""
    first, second = 100 * comparison.ranking.values[:, position]
    return [f"{first:.1f} %", f"{second:.1f} %", "", f"{second - first:+.1f}"]


def _told(comparison: Comparison) -> dict[str, float]:
    return {
        f"{name}_difference": paired.mean_difference for name, paired in comparison.scores.items()
    }


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data
