"""`wss fuse`: the weighted mean of maps."""

from __future__ import annotations

from typing import Annotated, List, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, Out, numbers
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def fuse(
    maps: Annotated[
        List[str],
        typer.Argument(metavar="MAPS", help=f"Two or more of them, each a {FOLDER_HELP}."),
    ],
    out: Out,
    run: RunSettings,
    weights: Optional[str] = parameter(
        None,
        "A positive number per MAPS; a larger one pulls the mean to its map. Default: equal.",
        metavar="W,W,...",
    ),
    params: Optional[str] = parameter(
        None,
        "Pool the maps as wss tune --fusion found best, for as many MAPS in the same order.",
        metavar="FILE",
    ),
) -> None:
    """Average the probability maps of each image.

    The mean runs over the union of the classes; a class that a map does not hold has probability
    0 in it. Images that all folders hold are fused, the others are counted.

    With --params, the maps are pooled with weights and temperatures that were learned on a few
    images with ground truth: a mean of tempered probabilities, or a weighted product.

    \b
    Examples:
      wss fuse local/ global/ -o combined/
      wss fuse local/ global/ walked/ --params tuned-fusion/params.json -o learned/
    """
    from wsstools.steps.fuse import fuse

    fuse(maps, out, weights=numbers("--weights", weights), params=params, run=run)
