"""`wss fuse`: the weighted mean of maps."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, List, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, Out, StepOptions


def fuse(
    maps: Annotated[
        List[str],
        typer.Argument(metavar="MAPS", help=f"Two or more of them, each a {FOLDER_HELP}."),
    ],
    out: Out,
    run: StepOptions,
    weights: Annotated[
        Optional[str],
        typer.Option(
            "--weights",
            metavar="W,W,...",
            help="A positive number per MAPS; a larger one pulls the mean to its map. "
            "Default: equal.",
        ),
    ] = None,
) -> None:
    """Average the probability maps of each image.

    The mean runs over the union of the classes; a class that a map does not hold has probability
    0 in it. Every image needs a map in every folder.

    \b
    Example:
      wss fuse local/ global/ -o combined/
    """
    from wsstools.errors import UsageError
    from wsstools.formats import map_files
    from wsstools.running.join import Input
    from wsstools.running.step import Step, run_step

    if len(maps) < 2:
        raise UsageError("fuse needs two or more folders of maps")
    numbers = _numbers(weights, len(maps))
    step = Step(
        "fuse", "prob", partial(_compute, weights=numbers), options={"weights": list(numbers)}
    )
    inputs = [
        Input("map", run.source(entry, map_files.SUFFIXES, "map"), map_files.decode_map)
        for entry in maps
    ]
    run_step(step, inputs, out, run.settings())


def _compute(*maps: Any, weights: tuple[float, ...]) -> Any:
    from wsstools.core.fuse import fuse_maps
    from wsstools.running.step import Computed

    return Computed(fuse_maps(maps, weights))


def _numbers(text: str | None, count: int) -> tuple[float, ...]:
    from wsstools.errors import UsageError

    if text is None:
        return (1.0,) * count
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--weights {text}: expected numbers such as 1,2") from None
    if len(numbers) != count:
        raise UsageError(f"--weights {text}: {len(numbers)} weights for {count} folders of maps")
    if not all(0 < number < float("inf") for number in numbers):
        raise UsageError(f"--weights {text}: weights must be positive")
    return numbers
