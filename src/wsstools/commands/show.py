"""`wss show`: a contact sheet of images and what was made of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, List, Optional

import typer

from wsstools.commands._options import SelectOptions


def show(
    images: Annotated[str, typer.Argument(metavar="IMAGES", help="Images: a folder or a file.")],
    columns: Annotated[
        List[str],
        typer.Argument(
            metavar="NAME=DIR...", help="Further columns: folders of scribbles, labels or maps."
        ),
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="PNG file to write.")],
    select: SelectOptions,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, help="Most images to show.")
    ] = 8,
    cell_width: Annotated[
        int, typer.Option("--cell-width", metavar="PIXELS", min=32, help="Width of a picture.")
    ] = 208,
    classes: Annotated[
        Optional[str],
        typer.Option(
            "--classes",
            metavar="FILE",
            help="Names for the legend; default: the classes.txt in or beside the folders.",
        ),
    ] = None,
) -> None:
    """Draw a contact sheet: a row per image, a column per folder.

    Scribbles are drawn over the pale image, labels as colours over it; in maps the colours of the
    classes mix by their probabilities. The first images that every folder holds are shown.

    \b
    Example:
      wss show images/ scribbles=scribbles/ local=local/ labels=labels/ -o sheet.png
    """
    from wsstools.core.labels import class_name
    from wsstools.core.palette import voc_palette
    from wsstools.errors import DataError
    from wsstools.io import imagefile, labelfile
    from wsstools.io.atomic import write_whole
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
        cell_width=cell_width,
    )
    write_whole(Path(out), imagefile.encode_image(sheet))
    print(f"wss show: {len(stems)} images, written to {out}", file=sys.stderr)
    if not sys.stdout.isatty():
        print(out)


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
