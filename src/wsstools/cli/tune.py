"""`wss tune`: the regularizer or the fusion that does best on a few images with ground truth."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Annotated, List, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, FORM, AsJson, Crf, Potts, Seed
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.evaluation.tuning import GRIDS
from wsstools.core.parameter import Given, optional_copy, parameter
from wsstools.core.potts.settings import PottsSettings
from wsstools.running.settings import RunSettings

_SEARCHED = {name: values for grid in GRIDS.values() for name, values in grid.items()}
_EXACTNESS = ("floor", "tol", "max_iterations", "device", "prune", "engine")


@optional_copy(
    PottsSettings,
    CrfSettings,
    default_text=lambda field: _SEARCHED[field.name],
    kind=str,
    metavar="X,...",
    without=_EXACTNESS,
)
class Lists(Given):
    """Values to try for each parameter, with commas between."""


@optional_copy(PottsSettings, CrfSettings, without=tuple(_SEARCHED))
class Fixed(Given):
    """Parameters that are not searched."""


def tune(
    maps: Annotated[
        List[str],
        typer.Argument(
            metavar="MAPS", help=f"Probability maps: {FOLDER_HELP}. With --fusion two or more."
        ),
    ],
    lists: Lists,
    fixed: Fixed,
    run: RunSettings,
    *,
    out: str = parameter(
        MISSING,
        "Folder for params.json, table.csv and, without --fusion, heatmap.png and results.jsonl.",
        "--out",
        "-o",
        metavar="DIR",
    ),
    images: Optional[str] = parameter(
        None, "The images, joined with the maps by name; not with --fusion.", metavar="DIR"
    ),
    gt: str = parameter(MISSING, "Ground truth.", metavar="DIR"),
    potts: Potts = False,
    crf: Crf = False,
    fusion: bool = parameter(False, "How the maps of several annotators are pooled."),
    sample: Optional[int] = parameter(
        None,
        "Most images to try on, drawn by chance. Default: 20; with --ids all.",
        metavar="N",
        min=1,
    ),
    seed: Seed = 0,
    form: str = FORM,
    as_json: AsJson = False,
) -> None:
    """Find the regularizer, or the fusion, with the best mean IoU on a few images.

    With --potts or --crf it is the parameters of wss regularize. Every combination of the values
    is tried, each as wss regularize, argmax and score would do it, and the paper's setting for
    comparison. The winner goes to params.json, which wss regularize --params takes; the table of
    all settings and a picture are written beside it.

    Results are kept in results.jsonl: an interrupted run goes on, and longer lists of values,
    another --seed or a larger --sample compute only what is new. Take images that nothing else
    is measured on.

    With --fusion it is how wss fuse pools maps: as their plain mean, as a mean with weights and
    temperatures, or as a weighted product, with one weight for each annotator or one for each
    class too. Each is fitted on four fifths of the images and measured on the others, five times;
    the best goes to params.json, which wss fuse --params takes.

    \b
    Examples:
      wss tune local/ --images images/ --gt gt/ --potts -o tuned/
      wss tune local/ --images images/ --gt gt/ --crf --w1 1,3,9 --sigma-beta 5,10 -o tuned-crf/
      wss tune --fusion local/ global/ walked/ --gt gt/ --ids tuning.txt -o tuned-fusion/
    """
    from wsstools.steps.tune import search

    search(
        maps,
        out,
        images=images,
        gt=gt,
        potts=potts,
        crf=crf,
        fusion=fusion,
        given=fixed.given(),
        lists=lists.given(),
        sample=sample,
        seed=seed,
        form="json" if as_json else form,
        run=run,
    )
