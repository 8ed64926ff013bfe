"""`wss argmax`: from maps to labels."""

from __future__ import annotations

from typing import Optional

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
    scribbles: Optional[str] = parameter(
        None,
        "Give scribbled pixels their class, whatever the map says; images without scribbles are "
        "skipped.",
        metavar="DIR",
    ),
) -> None:
    """Give every pixel its most probable class.

    Labels are palette PNGs whose pixel value is the class id. Among equal probabilities the
    lowest id wins. With --scribbles, a thin object that a regularizer has taken away is still
    there where it is scribbled.

    \b
    Examples:
      wss argmax combined/ -o labels/
      wss argmax smooth/ --scribbles scribbles/ -o labels/
    """
    from wsstools.steps.argmax import argmax

    argmax(maps, out, min_prob=min_prob, scribbles=scribbles, run=run)
