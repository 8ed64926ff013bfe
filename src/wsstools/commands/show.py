"""`wss show`: a contact sheet of images and what was made of them, or of filters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, List, Optional

import typer

from wsstools.commands._features import FilterInput
from wsstools.commands._options import SelectOptions, WeightsDir

IMAGE_WIDTH = 208


def show(
    select: SelectOptions,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="PNG file to write.")],
    images: Annotated[
        Optional[str], typer.Argument(metavar="IMAGES", help="Images: a folder or a file.")
    ] = None,
    columns: Annotated[
        Optional[List[str]],
        typer.Argument(
            metavar="NAME=DIR", help="Further columns: folders of scribbles, labels or maps."
        ),
    ] = None,
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
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, help="Most images to show.")
    ] = 8,
    cell_width: Annotated[
        Optional[int],
        typer.Option(
            "--cell-width",
            metavar="PIXELS",
            min=32,
            help="Width of a picture. Default: 208, of a filter 68.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        Optional[str],
        typer.Option(
            "--classes",
            metavar="FILE",
            help="Names for the legend; default: the classes.txt in or beside the folders.",
        ),
    ] = None,
) -> None:
    """Draw a contact sheet: a row per image, a column per folder; or the filters of banks.

    Scribbles are drawn over the pale image, labels as colours over it; in maps the colours of the
    classes mix by their probabilities. The first images that every folder holds are shown.

    In pictures of filters grey is no weight, and the colour of a pixel is its weights on red,
    green and blue, each filter scaled by its largest.

    \b
    Example:
      wss show images/ scribbles=scribbles/ local=local/ labels=labels/ -o sheet.png
      wss show --filters gabor -o bank.png
    """
    from wsstools.errors import UsageError
    from wsstools.io.atomic import write_whole
    from wsstools.io.imagefile import encode_image

    if filters:
        if images is not None:
            raise UsageError("either IMAGES and columns, or --filters; not both")
        sheet, what = _filter_sheet(filters, filter_input or [], weights_dir, cell_width)
    elif images is None or not columns:
        raise UsageError("expected IMAGES and at least one NAME=DIR, or --filters BANK")
    elif filter_input:
        raise UsageError("--filter-input goes with --filters")
    else:
        sheet, what = _image_sheet(images, columns, select, rows, cell_width, classes)
    write_whole(Path(out), encode_image(sheet))
    print(f"wss show: {what}, written to {out}", file=sys.stderr)
    if not sys.stdout.isatty():
        print(out)


def _filter_sheet(
    names: list[str], inputs: list[str], weights_dir: str | None, cell_width: int | None
) -> tuple[Any, str]:
    """The sheet of some banks, and what it shows."""
    from wsstools.commands._banks import chosen_banks
    from wsstools.view.filters import FILTER_WIDTH, filter_sheet

    banks, _ = chosen_banks(names, inputs, weights_dir)
    sheet = filter_sheet(banks, cell_width=cell_width or FILTER_WIDTH)
    return sheet, f"{sum(len(bank) for bank in banks)} filters"


def _image_sheet(
    images: str,
    columns: list[str],
    select: SelectOptions,
    rows: int,
    cell_width: int | None,
    classes: str | None,
) -> tuple[Any, str]:
    """The sheet of some images, and what it shows."""
    from wsstools.core.labels import class_name
    from wsstools.core.palette import voc_palette
    from wsstools.errors import DataError
    from wsstools.io import imagefile, labelfile
    from wsstools.view.sheet import contact_sheet

    source = select.source(images, imagefile.SUFFIXES, "image")
    sources = _columns(columns, select)
    selection = select.selection()
    stems = [
        stem
        for stem in selection.choose(source.stems)
        if stem in source and all(stem in entry for entry in sources.values())
    ][:rows]
    if not stems:
        raise DataError("no image stands in all of the folders")
    palette = voc_palette()
    cells, seen = [], set()
    for stem in stems:
        image = _image(source.find(stem))
        row = [image]
        for entry in sources.values():
            picture, ids = _picture(entry.find(stem), image, palette)
            row.append(picture)
            seen |= ids
        cells.append(row)
    names = (
        labelfile.read_class_names(Path(classes))
        if classes
        else labelfile.find_class_names(*(entry.argument for entry in sources.values()), images)
    )
    legend = [(class_name(names, c), palette[c]) for c in sorted(seen)]
    sheet = contact_sheet(
        cells,
        titles=["image", *sources],
        captions=stems,
        legend=legend,
        cell_width=cell_width or IMAGE_WIDTH,
    )
    return sheet, f"{len(stems)} images"


def _columns(columns: list[str], select: SelectOptions) -> dict[str, Any]:
    from wsstools.errors import UsageError
    from wsstools.io import labelfile, mapfile

    sources = {}
    for column in columns:
        name, equals, folder = column.partition("=")
        if not (name and equals and folder) or name in sources:
            raise UsageError(f"{column}: expected NAME=DIR with a name of its own")
        sources[name] = select.source(
            folder, (*mapfile.SUFFIXES, *labelfile.SUFFIXES), "map or label file"
        )
    return sources


def _image(path: Path) -> Any:
    from wsstools.io.imagefile import decode_image

    return decode_image(path.read_bytes(), str(path)).value.round().astype("uint8")


def _picture(path: Path, image: Any, palette: Any) -> tuple[Any, set[int]]:
    """The cell of one file, and the classes that it holds."""
    from wsstools.errors import DataError
    from wsstools.io import labelfile, mapfile
    from wsstools.view import overlay

    if path.suffix.lower() in mapfile.SUFFIXES:
        found = mapfile.decode_map(path.read_bytes(), str(path)).value
        return overlay.colour_map(found.probs, found.classes, palette), set(found.classes.tolist())
    labels = labelfile.decode_labels(path.read_bytes(), str(path)).value
    if labels.shape != image.shape[:2]:
        raise DataError(f"{path}: shape {labels.shape}, the image has {image.shape[:2]} (H, W)")
    ids = set(labels.ravel().tolist()) - {labelfile.IGNORE_LABEL}
    if overlay.are_scribbles(labels):
        return overlay.overlay_scribbles(image, labels, palette), ids
    return overlay.overlay_labels(image, labels, palette), ids
