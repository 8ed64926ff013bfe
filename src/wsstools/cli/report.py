"""`wss report`: a study as one HTML page."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Annotated, Optional

import typer

from wsstools.core.parameter import parameter
from wsstools.running.settings import Selection
from wsstools.view.settings import ReportSettings


def report(
    study: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="What wss eval-gap --json printed; - reads standard input."
        ),
    ],
    settings: ReportSettings,
    out: str = parameter(MISSING, "HTML file to write.", "--out", "-o", metavar="FILE"),
    images: Optional[str] = parameter(
        None, "The validation images, for the sheets.", metavar="DIR"
    ),
    gt: Optional[str] = parameter(None, "Their ground truth, for the sheets.", metavar="DIR"),
) -> None:
    """Write a study as one HTML page that needs no network and nothing beside it.

    The page has the gap table with its intervals, differences, numbers near borders, a plot of the
    labels trained on against what they gave, one of all images for each strategy, the classes,
    contact sheets, and how everything was made. It suits a screen, a phone and paper. The same
    input gives the same page.

    The contact sheets show the images on which the best strategy of each group and the baseline
    differ most. They are drawn from the folders of labels that the file names, relative to the
    working folder; the page says which of them are missing.

    \b
    Example:
      wss eval-gap --gt gt/ --ids val.txt --full val/full/ --baseline val/baseline/ \\
        final=val/final/ --json > gap.json
      wss report gap.json --images images/ --gt gt/ -o report.html
    """
    from wsstools.steps.report import report

    run = Selection(prints_paths=True)
    report(study, out, images=images, gt=gt, settings=settings, run=run)
