"""`wss show`: a contact sheet of images and what was made of them, or of filters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, List, Optional

import typer

from wsstools.commands._columns import COLUMN_HELP, Column, Drawn, Scene
from wsstools.commands._features import FilterInput
from wsstools.commands._options import SelectOptions, WeightsDir

if TYPE_CHECKING:
    from wsstools.io.sources import Source

IMAGE_WIDTH = 208
ROWS = 8


def show(
    select: SelectOptions,
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
        typer.Argument(metavar="[VIEW:]NAME=DIR", help=COLUMN_HELP),
    ] = None,
    gt: Annotated[
        Optional[str],
        typer.Option(
            "--gt", metavar="DIR", help="Ground truth; captions then tell the pixel accuracy."
        ),
    ] = None,
    opacity: Annotated[
        float,
        typer.Option(
            "--opacity",
            metavar="X",
            min=0.0,
            max=1.0,
            help="Of labels over the image; 1 hides the image.",
        ),
    ] = 0.6,
    across: Annotated[
        int, typer.Option("--across", metavar="N", min=1, help="Images beside each other.")
    ] = 1,
    each: Annotated[
        bool,
        typer.Option(
            "--each",
            help="Write a picture for each image, of its size, with nothing but the columns.",
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
    rows: Annotated[
        Optional[int],
        typer.Option(
            "--rows",
            metavar="N",
            min=1,
            help="Most rows of images. Default: 8; with --each all.",
            show_default=False,
        ),
    ] = None,
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
    classes mix by their probabilities. Shown are the first images that every folder holds.
    Probabilities and entropies go from dark (0) to light (1, or all classes equally probable).

    In pictures of filters grey is no weight, and the colour of a pixel is its weights on red,
    green and blue, each filter scaled by its largest.

    \b
    Examples:
      wss show images/ scribbles=scribbles/ local=local/ labels=labels/ -o sheet.png
      wss show images/ road:local=local/ entropy:doubt=local/ --across 2 -o maps.png
      wss show images/ --gt gt/ labels=labels/ wrong:errors=labels/ -o errors.png
      wss show images/ labels=labels/ --each -o overlays/
      wss show --filters gabor -o bank.png
    """
    from wsstools.errors import UsageError
    from wsstools.io.atomic import write_whole
    from wsstools.io.imagefile import encode_image

    if filters:
        if images is not None:
            raise UsageError("either IMAGES and columns, or --filters; not both")
        sheet, what = _filter_sheet(filters, filter_input or [], weights_dir, cell_width)
    elif images is None:
        raise UsageError("expected IMAGES, mostly with some NAME=DIR, or --filters BANK")
    elif filter_input:
        raise UsageError("--filter-input goes with --filters")
    else:
        material = _Material.of(images, columns or [], select, gt, opacity, classes)
        if each:
            _write_each(material, rows, Path(out))
            return
        sheet, what = _image_sheet(material, rows or ROWS, across, cell_width or IMAGE_WIDTH)
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


@dataclass(frozen=True)
class _Material:
    """What the pictures are drawn from."""

    images: Source
    gt: Source | None
    columns: list[Column]
    stems: list[str]
    names: Sequence[str] | None
    palette: Any
    opacity: float

    @classmethod
    def of(
        cls,
        images: str,
        texts: list[str],
        select: SelectOptions,
        gt: str | None,
        opacity: float,
        classes: str | None,
    ) -> _Material:
        """All that the arguments name, and the images that every folder holds."""
        from wsstools.commands._columns import WRONG, folders_of, parse_columns
        from wsstools.core.palette import voc_palette
        from wsstools.errors import DataError, UsageError
        from wsstools.io import imagefile, labelfile

        places = [*folders_of(texts), *([gt] if gt else []), images]
        names = (
            labelfile.read_class_names(Path(classes))
            if classes
            else labelfile.find_class_names(*places)
        )
        columns = parse_columns(texts, names, select)
        if gt is None and any(column.view == WRONG for column in columns):
            raise UsageError(f"{WRONG}: needs the ground truth, --gt DIR")
        source = select.source(images, imagefile.SUFFIXES, "image")
        truth = None if gt is None else select.source(gt, labelfile.SUFFIXES, "ground truth")
        stems = [
            stem
            for stem in select.selection().choose(source.stems)
            if stem in source
            and (truth is None or stem in truth)
            and all(column.holds(stem) for column in columns)
        ]
        if not stems:
            raise DataError("no image stands in all of the folders")
        return cls(source, truth, columns, stems, names, voc_palette(), opacity)

    def drawn(self, stem: str) -> tuple[Scene, list[Drawn]]:
        """An image and its pictures."""
        from wsstools.commands._columns import Scene, draw_column, read_image, read_labels

        image = read_image(self.images.find(stem))
        gt = None if self.gt is None else read_labels(self.gt.find(stem), image)
        scene = Scene(stem, image, gt, self.palette, self.opacity)
        return scene, [draw_column(column, scene) for column in self.columns]


def _image_sheet(material: _Material, rows: int, across: int, cell_width: int) -> tuple[Any, str]:
    """The sheet of some images, and what it shows."""
    from wsstools.core.labels import class_name
    from wsstools.view.sheet import contact_sheet

    stems = material.stems[: rows * across]
    groups, captions = [], []
    seen: set[int] = set()
    for stem in stems:
        scene, drawn = material.drawn(stem)
        groups.append([scene.image, *(one.picture for one in drawn)])
        captions.append(_caption(scene, material.columns, drawn))
        seen.update(*(one.classes for one in drawn))
    beside = min(across, len(stems))
    starts = range(0, len(stems), beside)
    titles = ["image", *(column.name for column in material.columns)] if material.columns else []
    missing = [""] * (-len(stems) % beside)
    sheet = contact_sheet(
        [[cell for group in groups[k : k + beside] for cell in group] for k in starts],
        titles=titles * beside,
        captions=[[*captions, *missing][k : k + beside] for k in starts],
        legend=[(class_name(material.names, c), material.palette[c]) for c in sorted(seen)],
        cell_width=cell_width,
    )
    return sheet, f"{len(stems)} images"


def _caption(scene: Scene, columns: Sequence[Column], drawn: Sequence[Drawn]) -> str:
    """The image's name and, where there is ground truth, how much of it each column has right."""
    from wsstools.core.labels import IGNORE_LABEL

    if scene.gt is None or not (judged := scene.gt != IGNORE_LABEL).any():
        return scene.stem
    accuracies: dict[str, str] = {}
    for column, one in zip(columns, drawn, strict=True):
        if one.labels is not None:
            share = (one.labels == scene.gt)[judged].mean()
            accuracies.setdefault(column.sources[0].argument, f"{column.name} {share:.1%}")
    return "   ".join([scene.stem, *accuracies.values()])


def _write_each(material: _Material, most: int | None, folder: Path) -> None:
    """A picture for each image: its columns side by side, or itself where there are none."""
    import numpy as np

    from wsstools.io.atomic import write_whole
    from wsstools.io.imagefile import encode_image

    for stem in material.stems[:most]:
        scene, drawn = material.drawn(stem)
        picture = np.concatenate([one.picture for one in drawn] or [scene.image], axis=1)
        path = folder / f"{stem}.png"
        write_whole(path, encode_image(picture))
        if not sys.stdout.isatty():
            print(path, flush=True)
    print(f"wss show: {len(material.stems[:most])} written to {folder}", file=sys.stderr)
