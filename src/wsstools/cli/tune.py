"""`wss tune`: the regulariser parameters that do best on a few images with ground truth."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Optional

from wsstools.cli.options import AsJson, Crf, ImagesOption, Maps, Potts, Seed
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.evaluation.settings import FIGURE_FORMATS
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
    maps: Maps,
    lists: Lists,
    fixed: Fixed,
    run: RunSettings,
    *,
    out: str = parameter(
        MISSING,
        "Folder for params.json, table.csv, heatmap.png and results.jsonl.",
        "--out",
        "-o",
        metavar="DIR",
    ),
    images: ImagesOption,
    gt: str = parameter(MISSING, "Ground truth.", metavar="DIR"),
    potts: Potts = False,
    crf: Crf = False,
    sample: Optional[int] = parameter(
        None,
        "Most images to try on, drawn by chance. Default: 20; with --ids all.",
        metavar="N",
        min=1,
    ),
    seed: Seed = 0,
    form: str = parameter(
        "table", "table, csv or json.", "--format", metavar="FORM", choices=FIGURE_FORMATS
    ),
    as_json: AsJson = False,
) -> None:
    """Find the parameters of wss regularize with the best mean IoU on a few images.

    Every combination of the values is tried, each as wss regularize, argmax and score would do
    it, and the paper's setting for comparison. The winner goes to params.json, which wss
    regularize --params takes; the table of all settings and a picture are written beside it.

    Results are kept in results.jsonl: an interrupted run goes on, and longer lists of values,
    another --seed or a larger --sample compute only what is new. Take images that nothing else
    is measured on.

    \b
    Examples:
      wss tune local/ --images images/ --gt gt/ --potts -o tuned/
      wss tune local/ --images images/ --gt gt/ --crf --w1 1,3,9 --sigma-beta 5,10 -o tuned-crf/
    """
    from wsstools.steps.tune import search

    search(
        maps,
        out,
        images=images,
        gt=gt,
        potts=potts,
        crf=crf,
        given=fixed.given(),
        lists=lists.given(),
        sample=sample,
        seed=seed,
        form="json" if as_json else form,
        run=run,
    )
