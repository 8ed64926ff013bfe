"""`wss argmax`: from maps to labels."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstools.cli.options import Maps, Out
from wsstools.running.settings import RunSettings


def argmax(
    maps: Maps,
    out: Out,
    run: RunSettings,
    min_prob: Annotated[
        float,
        typer.Option(
            "--min-prob",
            metavar="P",
            min=0.0,
            max=1.0,
            help="Pixels whose best class is less probable get 255 (ignore).",
        ),
    ] = 0.0,
) -> None:
    """Give every pixel its most probable class.

    Labels are palette PNGs whose pixel value is the class id. Among equal probabilities the
    lowest id wins.

    \b
    Example:
      wss argmax combined/ -o labels/
    """
    from wsstools.steps.argmax import argmax

    argmax(maps, out, min_prob=min_prob, run=run)
