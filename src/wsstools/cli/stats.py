"""`wss stats`: how much is labelled, and with what."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstools.cli.options import FOLDER_HELP, FORM, AsJson
from wsstools.core.parameter import parameter
from wsstools.running.settings import JobSettings


def stats(
    labels: Annotated[
        str, typer.Argument(metavar="LABELS", help=f"Scribbles or labels: {FOLDER_HELP}.")
    ],
    run: JobSettings,
    per_image: bool = parameter(False, "Print a table of the images instead."),
    form: str = FORM,
    as_json: AsJson = False,
) -> None:
    """Print how much of the pixels is labelled: per class, or per image.

    For each class: its share of all pixels and of the labelled ones, the images it occurs in, and
    its strokes (8-connected regions). JSON holds both tables. The CSV of --per-image has a line
    for each image and class.

    \b
    Examples:
      wss stats scribbles/
      wss stats scribbles/ --per-image --format csv
    """
    from wsstools.steps.stats import print_stats

    print_stats(labels, form="json" if as_json else form, per_image=per_image, run=run)
