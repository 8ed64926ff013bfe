"""`wss argmax`: from maps to labels."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from wsstools.cli.options import Maps, Out, StepOptions


def argmax(
    maps: Maps,
    out: Out,
    run: StepOptions,
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
    from wsstools.formats import map_files
    from wsstools.running.join import Input
    from wsstools.running.step import Step, run_step

    step = Step(
        "argmax", "labels", partial(_compute, min_prob=min_prob), options={"min_prob": min_prob}
    )
    inputs = [Input("map", run.source(maps, map_files.SUFFIXES, "map"), map_files.decode_map)]
    run_step(step, inputs, out, run.settings())


def _compute(probability_map: Any, *, min_prob: float) -> Any:
    from wsstools.core.decide import most_probable
    from wsstools.running.step import Computed

    return Computed(most_probable(probability_map, min_prob=min_prob))
