"""`wss eval-gap`: how much of the gap to full supervision a strategy closes."""

from __future__ import annotations

from typing import List, Optional

import typer

from wsstools.cli.options import AsJson
from wsstools.core.evaluation.settings import GapSettings, StudyFolders
from wsstools.core.parameter import parameter
from wsstools.running.settings import JobSettings


def eval_gap(
    folders: StudyFolders,
    settings: GapSettings,
    run: JobSettings,
    strategies: Optional[List[str]] = typer.Argument(
        None,
        metavar="NAME=DIR...",
        help="Labels predicted by each strategy's network; NAME=DIR,DIR for several seeds, "
        "GROUP/NAME=DIR for several networks.",
    ),
    scores: Optional[str] = parameter(
        None,
        "Take mIoUs from a CSV file (name,miou with the rows full and baseline) instead "
        "of folders; numbers above 1 are percent. Further columns: group, pfa, train, "
        "printed_reduction (percent), source.",
        metavar="FILE",
    ),
    per_class: bool = parameter(False, "Add the gap of each class (JSON always has it)."),
    published: bool = parameter(False, "Show published results on PASCAL VOC 2012 beside, marked."),
    form: str = parameter(
        "table",
        "table, csv, json, markdown or latex.",
        "--format",
        metavar="FORM",
        choices=("table", "csv", "json", "markdown", "latex"),
    ),
    as_json: AsJson = False,
) -> None:
    """Print the gap table: full supervision, baseline, strategies.

    full gap = mIoU(full) - mIoU(baseline); remaining gap = mIoU(full) - mIoU(strategy); gap
    reduction = (full gap - remaining gap) / full gap. The mIoU of a folder comes from one
    confusion matrix, as wss score gives it. All folders must hold the same images. Where a
    folder is expected, a file that wss score --format counts wrote is taken too.

    Several networks or ways of testing (multi-scale, CRF) are groups with a full and a baseline
    of their own: GROUP/full=DIR GROUP/baseline=DIR GROUP/NAME=DIR. Several folders after one name
    are seeds: their mean counts, and their standard deviation is shown.

    Intervals say how far a number moves if other images of the same kind are drawn and, where all
    its rows have the same number of seeds, in other training runs. Seeds belong together by their
    position: five or more are resampled with the images, the t interval of two to four is combined
    with that of the images. With one seed an interval is over images only. Differences are paired:
    both strategies see the same resamples. A gap reduction whose full gap may be nothing has no
    bound.

    \b
    Examples:
      wss eval-gap --gt gt/ --ids val.txt --full val/full/ --baseline val/baseline/ final=val/final/
      wss eval-gap --study study.csv --gt gt/ --ids val.txt --train-ids train.txt --band 1,2,4
      wss eval-gap --study study.csv --gt gt/ --ids val.txt --train-ids train.txt \\
        --bootstrap 2000 --clusters '^(.+?)_'
      wss eval-gap --scores table1.csv --published --format latex
    """
    from wsstools.steps.eval_gap import print_gap

    print_gap(
        folders,
        strategies or [],
        scores=scores,
        published=published,
        settings=settings,
        form="json" if as_json else form,
        per_class=per_class,
        run=run,
    )
