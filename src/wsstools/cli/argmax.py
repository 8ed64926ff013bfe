"""`wss argmax`: from maps to labels."""

from __future__ import annotations

from wsstools.cli.options import Maps, Out
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def argmax(
    maps: Maps,
    out: Out,
    run: RunSettings,
    min_prob: float = parameter(
        0.0,
        "Pixels whose best class is less probable get 255 (ignore).",
        metavar="P",
        min=0.0,
        max=1.0,
    ),
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
