"""`wss tune`: the regulariser parameters that do best on a few images with ground truth."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from wsstools.cli._regularizers import MEANINGS, MethodOptions, check_given, option_name
from wsstools.cli.options import AsJson, ImagesOption, Maps, Seed, StepOptions
from wsstools.steps.race import GRIDS, Contest, Race, parsed_grid
from wsstools.steps.tuning import (
    PARAMS_FILE,
    PICTURE_FILE,
    SAMPLE,
    TABLE_FILE,
    refuse_other_outputs,
    run_race,
    sampled,
    tuning_inputs,
    write_outputs,
)


def _values_option(parameter: str) -> Any:
    default = next(grid[parameter] for grid in GRIDS.values() if parameter in grid)
    return typer.Option(
        option_name(parameter),
        metavar="X,...",
        help=f"{MEANINGS[parameter]} Default: {default}.",
        show_default=False,
    )


@dataclass(frozen=True)
class GridOptions:
    """The values to try for each parameter, with commas between."""

    lambda_: Annotated[Optional[str], _values_option("lambda")] = None
    eta: Annotated[Optional[str], _values_option("eta")] = None
    w1: Annotated[Optional[str], _values_option("w1")] = None
    sigma_alpha: Annotated[Optional[str], _values_option("sigma_alpha")] = None
    sigma_beta: Annotated[Optional[str], _values_option("sigma_beta")] = None
    w2: Annotated[Optional[str], _values_option("w2")] = None
    sigma_gamma: Annotated[Optional[str], _values_option("sigma_gamma")] = None
    iterations: Annotated[Optional[str], _values_option("iterations")] = None

    def given(self) -> dict[str, str]:
        """The lists that were given."""
        return {
            field.name.rstrip("_"): text
            for field in fields(self)
            if (text := getattr(self, field.name)) is not None
        }


def tune(
    maps: Maps,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help=f"Folder for {PARAMS_FILE}, {TABLE_FILE}, {PICTURE_FILE} and the trials.",
        ),
    ],
    method: MethodOptions,
    grid: GridOptions,
    run: StepOptions,
    images: ImagesOption = None,
    gt: Annotated[Optional[str], typer.Option("--gt", metavar="DIR", help="Ground truth.")] = None,
    sample: Annotated[
        Optional[int],
        typer.Option(
            "--sample",
            metavar="N",
            min=1,
            help=f"Most images to try on, drawn by chance. Default: {SAMPLE}; with --ids all.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Try every setting on every image.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the parameters of wss regularize with the best mean IoU on a few images.

    Every combination of the values is tried, each as wss regularize, argmax and score would do
    it. Settings that are worse than the leader in 99 % of the resamples of the images so far
    leave the race after 6, 10, 14, ... images; the paper's setting stays, for comparison. The
    winner goes to params.json, which wss regularize --params takes; the table of all settings
    and a picture stand beside it.

    Results are kept: an interrupted run goes on, and longer lists of values, another --seed or a
    larger --sample compute only what is new. Take images that nothing else is measured on.

    \b
    Examples:
      wss tune local/ --images images/ --gt gt/ --potts -o tuned/
      wss tune local/ --images images/ --gt gt/ --crf --w1 1,3,9 --sigma-beta 5,10 -o tuned-crf/
    """
    import json

    from wsstools.errors import UsageError
    from wsstools.running.messages import Messages
    from wsstools.view.tuning import tuning_text, tuning_values

    name = method.method()
    if name is None:
        raise UsageError("give one of --potts and --crf")
    if images is None or gt is None:
        raise UsageError("give the images of the maps and the ground truth: --images DIR --gt DIR")
    fixed = check_given(name, method.given())
    contest = Contest.of(name, parsed_grid(name, grid.given()), fixed)
    folder = Path(out)
    if not run.overwrite:
        refuse_other_outputs(folder, contest)
    inputs = tuning_inputs(maps, images, gt, run, folder)
    tasks, n_lacking = sampled(inputs, run.selection(), sample, seed)
    with Messages("tune", len(tasks), null=run.null) as messages:
        if n_lacking:
            messages.say(f"{n_lacking} maps left out (no ground truth)")
        race = Race(contest, tasks, seed, keep_all)
        run_race(race, inputs, folder, run.pool(), messages)
        standings = race.standings()
        chance = {"sample": sample, "seed": seed, "keep_all": keep_all}
        is_new = write_outputs(folder, race, standings, inputs, chance)
    if as_json:
        print(json.dumps({**tuning_values(name, standings), "images": race.stems}, indent=2))
    elif sys.stdout.isatty():
        print(tuning_text(name, standings))
    else:
        messages.print(tuning_text(name, standings))
        messages.finished(folder / PARAMS_FILE, is_up_to_date=not is_new)
    messages.raise_failures()
