"""`wss score`: labels against ground truth."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstools.cli.options import FOLDER_HELP, AsJson
from wsstools.core.parameter import parameter
from wsstools.running.settings import JobSettings


def score(
    labels: Annotated[str, typer.Argument(metavar="LABELS", help=f"Labels: {FOLDER_HELP}.")],
    gt: Annotated[str, typer.Argument(metavar="GT", help="Ground truth: folder or file.")],
    run: JobSettings,
    per_image: bool = parameter(False, "Add a table of the images, worst first."),
    as_json: AsJson = False,
) -> None:
    """Score labels against ground truth: mean IoU, IoU per class, pixel accuracy.

    One confusion matrix is summed over the folder. Pixels that are 255 in the ground truth do not
    count; pixels that are 255 in the labels are misses. Classes that occur in neither are left
    out of the mean, and listed. Every label file needs its ground truth.

    \b
    Example:
      wss score labels/ gt/ --json
    """
    from wsstools.steps.score import score

    found = score(labels, gt, run=run)
    print(found.as_json() if as_json else found.as_text(per_image=per_image))
