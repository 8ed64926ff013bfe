"""`wss show`: images and what was made of them side by side, or filters."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING
from typing import List, Optional

import typer

from wsstools.cli.options import WeightsDir
from wsstools.core.local.settings import FeatureSettings
from wsstools.core.parameter import OPTION, parameter
from wsstools.running.settings import RunSettings
from wsstools.view.settings import SheetSettings

_FEATURES = {field.name: field.metadata[OPTION] for field in dataclasses.fields(FeatureSettings)}


def show(
    run: RunSettings,
    settings: SheetSettings,
    out: str = parameter(
        MISSING, "PNG file to write; with --each a folder.", "--out", "-o", metavar="FILE"
    ),
    images: Optional[str] = typer.Argument(
        None, metavar="IMAGES", help="Images: a folder or a file."
    ),
    columns: Optional[List[str]] = typer.Argument(
        None,
        metavar="NAME=[VIEW:]DIR",
        help="Further columns: folders of scribbles, labels or maps, as they are or in a view.",
    ),
    gt: Optional[str] = parameter(
        None, "Ground truth: the pixel accuracy is written above labels and maps.", metavar="DIR"
    ),
    classes: Optional[str] = parameter(
        None,
        "Names of the classes; default: the classes.txt in or beside the folders.",
        metavar="FILE",
    ),
    each: bool = parameter(
        False,
        "Write a picture of every image into a folder: that of the only NAME=DIR, or the "
        "image and those of all, side by side.",
    ),
    filters: Optional[List[str]] = parameter(
        None,
        "Instead of images draw the filters of these banks, which are named as for "
        "wss rf-predict: gabor, vgg16, paper, a file. Give it again for more.",
        metavar="BANK",
    ),
    filter_input: Optional[List[str]] = parameter(
        None, _FEATURES["filter_input"].help, metavar="INPUT"
    ),
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
    from wsstools.steps.show import show

    show(
        images,
        columns,
        out,
        gt=gt,
        classes=classes,
        each=each,
        filters=filters,
        filter_input=filter_input,
        weights_dir=weights_dir,
        settings=settings,
        run=run,
    )
