"""How sheets and reports look. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from wsstools.core.parameter import documented, parameter

IMAGE_WIDTH = 208
"""Pixels; a picture of an image in a sheet."""
FILTER_WIDTH = 68
"""Pixels; a picture of a filter with its frame."""
GRID_COLUMNS = 6
"""Of a grid of images."""

PALETTE_NAMES = ("voc", "distinct")


@documented
@dataclass(frozen=True)
class SheetSettings:
    """How a sheet of pictures looks."""

    opacity: float = parameter(
        0.6,
        "Of labels over the image; larger shows less of the image.",
        metavar="X",
        min=0,
        max=1,
    )
    palette: str = parameter(
        "voc",
        "Colours of the classes: voc, as in label files, or distinct, which differ more from each "
        "other.",
        metavar="|".join(PALETTE_NAMES),
        choices=PALETTE_NAMES,
    )
    n_columns: Optional[int] = parameter(
        None,
        "A grid of many images, N side by side: the images, or the pictures of the only NAME=DIR. "
        f"Default where there is none: {GRID_COLUMNS}.",
        "--columns",
        metavar="N",
        min=1,
        shows_default=False,
    )
    rows: int = parameter(8, "Most rows.", metavar="N", min=1)
    cell_width: Optional[int] = parameter(
        None,
        f"Width of a picture. Default: {IMAGE_WIDTH}, of a filter {FILTER_WIDTH}, with --each as "
        "the image.",
        metavar="PIXELS",
        min=32,
        shows_default=False,
    )


@documented
@dataclass(frozen=True)
class ReportSettings:
    """What a report shows."""

    sheet_images: int = parameter(
        3, "Images in a contact sheet, either way; 0: no sheets.", metavar="N", min=0
    )
    title: str = parameter("The gap to full supervision", "Heading of the page.", metavar="TEXT")
    overwrite: bool = parameter(
        False, "Replace a page made with other options, or a file of others."
    )
