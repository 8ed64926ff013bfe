"""Images and what was made of them side by side, or filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.errors import DataError, UsageError
from wsstools.files.atomic import remove_leftovers, write_atomic
from wsstools.files.provenance import InputRecord, Json, Origin, files_record
from wsstools.files.targets import output_file, recorded_output_file
from wsstools.formats import label_files, map_files
from wsstools.formats.picture_files import KIND, SUFFIX, encode_picture, read_meta
from wsstools.running.join import Input, check_joins, stream_among
from wsstools.running.messages import print_path, say
from wsstools.running.settings import RunSettings, Selection
from wsstools.running.step import Computed, Step, run_step
from wsstools.running.tasks import map_images
from wsstools.steps.columns import DIFF, ERRORS, Column, Content, column_inputs, parsed_columns
from wsstools.steps.filter_banks import chosen_banks
from wsstools.steps.pictures import Look, Picture, draw_pictures, scales, swatches
from wsstools.view.filters import filter_sheet
from wsstools.view.settings import (
    FILTER_WIDTH,
    GRID_COLUMNS,
    IMAGE_WIDTH,
    PALETTE_NAMES,
    SheetSettings,
)
from wsstools.view.sheet import contact_sheet, in_rows, side_by_side


def show(
    images: str | None,
    columns: Sequence[str] | None,
    out: str | Path,
    *,
    gt: str | None = None,
    classes: str | None = None,
    each: bool = False,
    filters: Sequence[str] | None = None,
    filter_input: Sequence[str] | None = None,
    weights_dir: str | None = None,
    settings: SheetSettings = SheetSettings(),
    run: RunSettings = RunSettings(),
) -> None:
    """Write a contact sheet, a picture of each image, or a sheet of filters.

    Parameters
    ----------
    images : str or None
        Folder or file of the images; None where `filters` are drawn.
    columns : sequence of str or None
        `NAME=[VIEW:]DIR`, as in `wss show`.
    out : str or Path
        The PNG file; with `each` a folder.
    gt, weights_dir : str or None
        Ground truth; where the weights of networks are.
    classes : str or None
        File with the names of the classes; None: the classes.txt in or beside the folders.
    each : bool
        Write a picture of each image.
    filters, filter_input : sequence of str or None
        Draw the filters of these banks instead; what the filters in files take.
    settings : SheetSettings
    run : RunSettings

    Raises
    ------
    UsageError
        If arguments contradict each other, or `out` is of another run.
    DataError
        If no image is in all of the folders.
    SomeFailed
        If an image failed.
    """
    if settings.palette not in PALETTE_NAMES:
        raise UsageError(f"--palette {settings.palette}: expected {' or '.join(PALETTE_NAMES)}")
    if filters:
        if images is not None:
            raise UsageError("either IMAGES and columns, or --filters; not both")
        sheet = _filter_sheet(filters, filter_input or [], weights_dir, settings)
        files = [name for name in filters if Path(name).is_file()]
        _write_sheet(sheet, out, files, run)
        return
    if images is None:
        raise UsageError("expected IMAGES and at least one NAME=DIR, or --filters BANK")
    if filter_input:
        raise UsageError("--filter-input goes with --filters")
    if gt is not None and not columns:
        raise UsageError("--gt goes with NAME=DIR")
    found, names = parsed_columns(columns or [], images, classes, gt)
    if each:
        _write_each(images, found, gt, out, settings, run)
    else:
        places = [*(folder for column in found for folder in column.folders), gt, classes, run.ids]
        inputs = [images, *(place for place in places if isinstance(place, str))]
        # before the work
        output_file(
            out,
            inputs,
            endings=[SUFFIX],
            overwrite=run.overwrite,
            is_recursive=run.recursive,
        )
        _write_sheet(_image_sheet(images, found, gt, names, settings, run), out, inputs, run)


@dataclass(frozen=True)
class _Sheet:
    """A sheet, what it shows, and of what it was made."""

    pixels: NDArray[np.uint8]
    what: str
    options: Mapping[str, Json]
    inputs: Sequence[InputRecord]
    files: Sequence[Path] = ()


def _write_sheet(
    sheet: _Sheet, out: str | Path, inputs: Sequence[str | Path], run: RunSettings
) -> None:
    origin = Origin("show", sheet.options)
    path = recorded_output_file(
        out,
        [*inputs, *sheet.files],
        origin,
        endings=[SUFFIX],
        read_meta=read_meta,
        overwrite=run.overwrite,
        is_recursive=run.recursive,
    )
    meta = origin.record(kind=KIND, stem=path.stem, inputs=sheet.inputs)
    remove_leftovers(path.parent)
    write_atomic(path, encode_picture(sheet.pixels, meta))
    say(f"{sheet.what}, written to {path}", "show")
    print_path(path, run)


def _filter_sheet(
    names: Sequence[str], inputs: Sequence[str], weights_dir: str | None, settings: SheetSettings
) -> _Sheet:
    banks, records = chosen_banks(names, inputs, weights_dir)
    width = settings.cell_width or FILTER_WIDTH
    return _Sheet(
        filter_sheet(banks, cell_width=width),
        f"{sum(len(bank) for bank in banks)} filters",
        {"filters": [bank.name for bank in banks], "cell_width": width},
        records,
    )


def _image_sheet(
    images: str,
    columns: Sequence[Column],
    gt: str | None,
    names: Sequence[str] | None,
    settings: SheetSettings,
    run: RunSettings,
) -> _Sheet:
    """A row for each image, or a grid of images."""
    n_columns = settings.n_columns or (None if columns else GRID_COLUMNS)
    if n_columns is not None and len(columns) > 1:
        raise UsageError("--columns N draws a grid of the images or of one NAME=DIR, not of more")
    width = settings.cell_width or IMAGE_WIDTH
    look = Look(tuple(columns), True, gt is not None, settings.opacity, width, settings.palette)
    inputs = column_inputs(columns, images, gt, run)
    stems = _shown_stems(inputs, settings.rows * (n_columns or 1), run)
    drawn = dict(map_images("show", partial(draw_pictures, look=look), inputs, run.of(stems)))
    rows: Sequence[Sequence[Picture]] = [drawn[stem] for stem in stems]
    legend = list(swatches((one for row in rows for one in row), columns, names, settings.palette))
    if n_columns is None:
        titles = ["image", *(column.name for column in columns)]
        captions: Sequence[str | Sequence[str]] = stems
    else:
        titles, captions = [], in_rows(stems, n_columns)
        rows = in_rows([row[-1] for row in rows], n_columns)
    pixels = contact_sheet(
        [[one.pixels for one in row] for row in rows],
        titles=titles,
        captions=captions,
        notes=[[one.note for one in row] for row in rows],
        legend=legend,
        scales=list(scales(columns)),
        cell_width=width,
    )
    options: dict[str, Json] = {
        "columns": [[column.name, column.view, column.class_id] for column in columns],
        "grid": n_columns,
        "rows": settings.rows,
        "opacity": settings.opacity,
        "cell_width": width,
        "palette": settings.palette,
    }
    records = [_shown_files(entry, stems) for entry in inputs]
    files = [entry.source.find(stem) for entry in inputs for stem in stems]
    return _Sheet(pixels, f"{len(stems)} images", options, records, files)


def _shown_stems(inputs: Sequence[Input], count: int, run: Selection) -> list[str]:
    """The first images that every input has."""
    stream = stream_among(inputs)
    if stream is not None:
        stream.read_whole()
    check_joins(inputs)
    chosen = run.choose(inputs[0].source.stems)
    stems = [stem for stem in chosen if all(stem in entry.source for entry in inputs)]
    if not stems:
        raise DataError("no image is in all of the folders")
    return stems[:count]


def _shown_files(entry: Input, stems: Sequence[str]) -> InputRecord:
    """The record of one input: the files that are shown."""
    paths = [entry.source.find(stem) for stem in stems]
    form = map_files if paths[0].suffix.lower() in map_files.SUFFIXES else label_files
    meta = None if entry.role == "image" else form.read_meta(paths[0])
    return files_record(entry.role, paths, meta)


def _write_each(
    images: str,
    columns: Sequence[Column],
    gt: str | None,
    out: str | Path,
    settings: SheetSettings,
    run: RunSettings,
) -> None:
    """Write a picture of each image."""
    if settings.n_columns is not None:
        raise UsageError("either --columns or --each")
    if not columns:
        raise UsageError("--each needs at least one NAME=DIR")
    if gt is not None and not any(column.view in (ERRORS, DIFF) for column in columns):
        raise UsageError("--each writes no text, so --gt goes with errors: and diff: only")
    look = Look(
        tuple(columns),
        True,
        gt is not None,
        settings.opacity,
        settings.cell_width,
        settings.palette,
    )
    options: dict[str, Json] = {
        "columns": [[column.view, column.class_id] for column in columns],
        "opacity": settings.opacity,
        "cell_width": settings.cell_width,
        "palette": settings.palette,
    }
    inputs = column_inputs(columns, images, gt, run, is_optional=True)
    step = Step("show", options, kind=KIND, compute=partial(_compute, look=look))
    run_step(step, inputs, out, run)


def _compute(*contents: Content, look: Look) -> Computed:
    pictures: list[Picture] = draw_pictures(*contents, look=look)
    pixels = [one.pixels for one in pictures]
    return Computed(pixels[1] if len(pixels) == 2 else side_by_side(pixels))
