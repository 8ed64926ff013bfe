"""`wss score`: labels against ground truth."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstools.cli.options import FOLDER_HELP, AsJson
from wsstools.core.evaluation.settings import COUNTS, FIGURE_FORMATS
from wsstools.core.parameter import parameter
from wsstools.running.settings import JobSettings


def score(
    labels: Annotated[str, typer.Argument(metavar="LABELS", help=f"Labels: {FOLDER_HELP}.")],
    gt: Annotated[str, typer.Argument(metavar="GT", help="Ground truth: folder or file.")],
    run: JobSettings,
    per_image: bool = parameter(
        False, "Add a table of the images, worst first; csv has that alone."
    ),
    form: str = parameter(
        "table",
        "table, csv or json; or counts: CSV of the pixels of each class in each image.",
        "--format",
        metavar="FORM",
        choices=(*FIGURE_FORMATS, COUNTS),
    ),
    as_json: AsJson = False,
) -> None:
    """Score labels against ground truth: mean IoU, IoU per class, pixel accuracy.

    One confusion matrix is summed over the folder. Pixels that are 255 in the ground truth do not
    count; pixels that are 255 in the labels are misses. Classes that occur in neither are left
    out of the mean, and listed. Every label file needs its ground truth. The csv has a line for
    each measure and class. wss eval-gap takes a file of counts in place of a folder of labels:
    keep it, and tables of networks that were trained elsewhere need no predictions.

    \b
    Examples:
      wss score labels/ gt/ --json
      wss score labels/ gt/ --format counts > counts.csv
    """
    from wsstools.steps.score import print_score

    print_score(labels, gt, form="json" if as_json else form, per_image=per_image, run=run)
