"""`wss show`: images and what was made of them side by side, or filters."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, List, Optional

import typer

from wsstools.cli._features import FilterInput
from wsstools.cli.options import StepOptions, WeightsDir
from wsstools.steps.columns import DIFF, ERRORS, column_inputs, parsed_columns
from wsstools.steps.pictures import OPACITY, Look, draw_pictures, legend_of

if TYPE_CHECKING:
    from wsstools.files.provenance import Meta
    from wsstools.running.join import Input

IMAGE_WIDTH = 208
ROWS = 8
GRID_COLUMNS = 6


def show(
    run: StepOptions,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="PNG file to write; with --each a folder."
        ),
    ],
    images: Annotated[
        Optional[str], typer.Argument(metavar="IMAGES", help="Images: a folder or a file.")
    ] = None,
    columns: Annotated[
        Optional[List[str]],
        typer.Argument(
            metavar="NAME=[VIEW:]DIR",
            help="Further columns: folders of scribbles, labels or maps, as they are or by a view.",
        ),
    ] = None,
    gt: Annotated[
        Optional[str],
        typer.Option(
            "--gt",
            metavar="DIR",
            help="Ground truth: the pixel accuracy is told above labels and maps.",
        ),
    ] = None,
    opacity: Annotated[
        float,
        typer.Option(
            "--opacity",
            metavar="X",
            min=0,
            max=1,
            help="Of labels over the image; larger shows less of the image.",
        ),
    ] = OPACITY,
    grid: Annotated[
        Optional[int],
        typer.Option(
            "--columns",
            metavar="N",
            min=1,
            help="A grid of many images, N side by side: the images, or the pictures of the only "
            f"NAME=DIR. Default where there is none: {GRID_COLUMNS}.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=1, help="Most rows.")] = ROWS,
    cell_width: Annotated[
        Optional[int],
        typer.Option(
            "--cell-width",
            metavar="PIXELS",
            min=32,
            help=f"Width of a picture. Default: {IMAGE_WIDTH}, of a filter 68, with --each as the "
            "image.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        Optional[str],
        typer.Option(
            "--classes",
            metavar="FILE",
            help="Names of the classes; default: the classes.txt in or beside the folders.",
        ),
    ] = None,
    each: Annotated[
        bool,
        typer.Option(
            "--each",
            help="Write a picture of every image into a folder: that of the only NAME=DIR, or the "
            "image and those of all, side by side.",
        ),
    ] = False,
    filters: Annotated[
        Optional[List[str]],
        typer.Option(
            "--filters",
            metavar="BANK",
            help="Instead of images draw the filters of these banks, which are named as for "
            "wss rf-predict: gabor, vgg16, paper, a file. Give it again for more.",
        ),
    ] = None,
    filter_input: FilterInput = None,
    weights_dir: WeightsDir = None,
) -> None:
    """Draw a contact sheet: a row per image, a column per folder; or a grid, or filters.

    Scribbles are drawn over the pale image, thick enough to be seen, labels as colours over it;
    in maps the colours of the classes mix by their probabilities. The first images that every
    folder holds are shown. Other columns:

    \b
      NAME=heat:CLASS:MAPS  the probability of a class (name or id)
      NAME=entropy:MAPS     how little the class is known, as a share of the most possible
      NAME=errors:LABELS    wrong pixels in red over the pale image; needs --gt
      NAME=diff:DIR,DIR     pixels where two folders differ; with --gt which of them is right

    Where errors and diff are given maps, their most probable classes count.

    In pictures of filters grey is no weight, and the colour of a pixel is its weights on red,
    green and blue, each filter scaled by its largest.

    \b
    Examples:
      wss show images/ scribbles=scribbles/ local=local/ labels=labels/ -o sheet.png
      wss show images/ road=heat:road:local/ wrong=errors:local/ --gt gt/ -o sheet.png
      wss show images/ labels=labels/ --columns 8 --rows 6 --opacity 0.4 -o grid.png
      wss show images/ labels=labels/ --each -o overlays/
      wss show --filters gabor -o bank.png
    """
    from wsstools.errors import UsageError

    if filters:
        if images is not None:
            raise UsageError("either IMAGES and columns, or --filters; not both")
        _write_sheet(_filter_sheet(filters, filter_input or [], weights_dir, cell_width), out)
        return
    if images is None:
        raise UsageError("expected IMAGES and at least one NAME=DIR, or --filters BANK")
    if filter_input:
        raise UsageError("--filter-input goes with --filters")
    if gt is not None and not columns:
        raise UsageError("--gt goes with NAME=DIR")
    found, names = parsed_columns(columns or [], images, classes, gt)
    if each:
        if grid is not None:
            raise UsageError("either --columns or --each")
        _write_each(images, found, gt, out, run, opacity, cell_width)
        return
    look = Look(tuple(found), True, gt is not None, opacity, cell_width or IMAGE_WIDTH)
    n_columns = grid or (None if found else GRID_COLUMNS)
    if n_columns is not None and len(found) > 1:
        raise UsageError("--columns N draws a grid of the images or of one NAME=DIR, not of more")
    _write_sheet(_image_sheet(images, gt, look, run, rows, n_columns, names), out)


@dataclass(frozen=True)
class _Sheet:
    """A sheet, what it shows, and of what it was made."""

    picture: Any
    what: str
    options: dict[str, Any]
    inputs: list[Any]


def _write_sheet(sheet: _Sheet, out: str) -> None:
    from wsstools.errors import UsageError
    from wsstools.files.atomic import remove_leftovers, write_atomic
    from wsstools.files.provenance import output_record
    from wsstools.formats.picture_files import KIND, encode_picture

    path = Path(out)
    if path.is_dir():
        raise UsageError(f"{out} is a folder, expected a PNG file to write")
    meta = output_record(
        kind=KIND, stem=path.stem, step="show", options=sheet.options, inputs=sheet.inputs
    )
    remove_leftovers(path.parent)
    write_atomic(path, encode_picture(sheet.picture, meta))
    print(f"wss show: {sheet.what}, written to {out}", file=sys.stderr)
    if not sys.stdout.isatty():
        print(out)


def _filter_sheet(
    names: list[str], inputs: list[str], weights_dir: str | None, cell_width: int | None
) -> _Sheet:
    """The sheet of some banks."""
    from wsstools.steps.filter_banks import chosen_banks
    from wsstools.view.filters import FILTER_WIDTH, filter_sheet

    banks, records = chosen_banks(names, inputs, weights_dir)
    width = cell_width or FILTER_WIDTH
    return _Sheet(
        filter_sheet(banks, cell_width=width),
        f"{sum(len(bank) for bank in banks)} filters",
        {"filters": [bank.name for bank in banks], "cell_width": width},
        records,
    )


def _image_sheet(
    images: str,
    gt: str | None,
    look: Look,
    run: StepOptions,
    rows: int,
    n_columns: int | None,
    names: list[str] | None,
) -> _Sheet:
    """The sheet of some images; a grid where there are `n_columns`."""
    from functools import partial

    from wsstools.errors import DataError, UsageError
    from wsstools.running.sources import Selection
    from wsstools.running.step import collect
    from wsstools.view.sheet import contact_sheet

    inputs = column_inputs(look.columns, images, gt, run)
    streams = [entry.source for entry in inputs if entry.source.is_stream]
    if len(streams) > 1:
        raise UsageError("only one input can be - (standard input)")
    for source in streams:
        source.read_whole()
    chosen = run.selection().choose(inputs[0].source.stems)
    in_all = [stem for stem in chosen if all(stem in entry.source for entry in inputs)]
    stems = in_all[: rows * (n_columns or 1)]
    if not stems:
        raise DataError("no image stands in all of the folders")
    draw = partial(draw_pictures, look=look)
    found = dict(collect("show", draw, inputs, Selection(ids=tuple(stems)), run.pool()))
    legend, scales = legend_of(list(found.values()), look.columns, names)
    drawn = [found[stem] for stem in stems]
    texts: dict[str, Any]
    if n_columns is None:
        cells = [one.pictures for one in drawn]
        titles = ["image", *(column.name for column in look.columns)]
        texts = {"titles": titles, "captions": stems, "notes": [one.notes for one in drawn]}
    else:
        cells = _blocks([one.pictures[-1] for one in drawn], n_columns)
        notes = _blocks([one.notes[-1] for one in drawn], n_columns)
        texts = {"captions": _blocks(stems, n_columns), "notes": notes}
    width = look.cell_width or IMAGE_WIDTH
    return _Sheet(
        contact_sheet(cells, **texts, legend=legend, scales=scales, cell_width=width),
        f"{len(stems)} images",
        {
            "columns": [[column.name, column.view, column.class_id] for column in look.columns],
            "grid": n_columns,
            "rows": rows,
            "opacity": look.opacity,
            "cell_width": width,
        },
        [_shown_files(entry, stems) for entry in inputs],
    )


def _shown_files(entry: Input, stems: list[str]) -> Meta:
    """The record of one input: the files that are shown."""
    from wsstools.files.provenance import files_record
    from wsstools.formats import label_files, map_files

    paths = [entry.source.find(stem) for stem in stems]
    form = map_files if paths[0].suffix.lower() in map_files.SUFFIXES else label_files
    meta = None if entry.role == "image" else form.read_meta(paths[0])
    return files_record(entry.role, paths, meta)


def _blocks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _write_each(
    images: str,
    columns: list[Any],
    gt: str | None,
    out: str,
    run: StepOptions,
    opacity: float,
    cell_width: int | None,
) -> None:
    """Write a picture of each image."""
    from functools import partial

    from wsstools.errors import UsageError
    from wsstools.formats.picture_files import KIND
    from wsstools.running.step import Step, run_step

    if not columns:
        raise UsageError("--each needs at least one NAME=DIR")
    if gt is not None and not any(column.view in (ERRORS, DIFF) for column in columns):
        raise UsageError("--each writes no text, so --gt goes with errors: and diff: only")
    look = Look(tuple(columns), True, gt is not None, opacity, cell_width)
    options = {
        "columns": [[column.view, column.class_id] for column in columns],
        "opacity": opacity,
        "cell_width": cell_width,
    }
    inputs = column_inputs(columns, images, gt, run, is_optional=True)
    run_step(Step("show", KIND, partial(_compute, look=look), options), inputs, out, run.settings())


def _compute(*contents: Any, look: Look) -> Any:
    from wsstools.running.step import Computed
    from wsstools.view.sheet import side_by_side

    pictures = draw_pictures(*contents, look=look).pictures
    return Computed(pictures[1] if len(pictures) == 2 else side_by_side(pictures))
