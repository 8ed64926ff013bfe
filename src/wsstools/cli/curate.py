"""`wss curate`: scribbles and labels corrected by ground truth."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from wsstools.cli.options import Out, ScribblesOrPipe
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def curate(
    scribbles: ScribblesOrPipe,
    gt: Annotated[str, typer.Argument(metavar="GT", help="Ground truth: folder or file.")],
    out: Out,
    run: RunSettings,
    classes: Optional[str] = parameter(
        None,
        "Correct only pixels whose given or true class is one of these: names or ids.",
        metavar="CLASS,...",
    ),
    within: Optional[int] = parameter(
        None,
        "Correct only pixels at most N pixels from a border of the ground truth.",
        metavar="N",
        min=1,
    ),
    beyond: Optional[int] = parameter(
        None,
        "Correct only pixels more than N pixels from all borders of the ground truth.",
        metavar="N",
        min=1,
    ),
) -> None:
    """Give every scribbled pixel its true class, and list the completely annotated images.

    A scribbled pixel whose ground truth is 255 becomes unlabelled. OUT/complete.txt lists the
    images in OUT that have a scribble of every class in their ground truth, one name a line, as
    --ids takes them. The record of each file holds how many pixels were moved to another class or
    dropped, and which classes are missing.

    Of labels, --classes, --within and --beyond make those of an oracle, which are right in one
    respect: a network trained on them says how much of a gap is due to the others.

    \b
    Example:
      wss curate scribbles/ gt/ -o curated/
      wss curate labels/ gt/ --within 4 -o right-borders/
    """
    from wsstools.steps.curate import curate

    curate(scribbles, gt, out, classes=classes, within=within, beyond=beyond, run=run)
