"""`wss curate`: scribbles corrected by ground truth."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstools.cli.options import Out, ScribblesOrPipe
from wsstools.running.settings import RunSettings


def curate(
    scribbles: ScribblesOrPipe,
    gt: Annotated[str, typer.Argument(metavar="GT", help="Ground truth: folder or file.")],
    out: Out,
    run: RunSettings,
) -> None:
    """Give every scribbled pixel its true class, and list the completely annotated images.

    A scribbled pixel whose ground truth is 255 becomes unlabelled. OUT/complete.txt lists the
    images in OUT that have a scribble of every class in their ground truth, one name a line, as
    --ids takes them. The record of each file holds how many pixels were moved to another class or
    dropped, and which classes are missing.

    \b
    Example:
      wss curate scribbles/ gt/ -o curated/
    """
    from wsstools.steps.curate import curate

    curate(scribbles, gt, out, run=run)
