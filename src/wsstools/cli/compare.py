"""`wss compare`: one set of labels against another, image by image."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Annotated, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, FORM, AsJson
from wsstools.core.evaluation.settings import ComparisonSettings
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=f"Labels: {FOLDER_HELP}; or NAME=DIR.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Labels to compare with A, likewise.")],
    settings: ComparisonSettings,
    run: RunSettings,
    gt: str = parameter(MISSING, "Ground truth.", metavar="DIR"),
    out: str = parameter(
        MISSING,
        "Folder for compare.csv, scatter.svg, sheet.png and compare.json.",
        "--out",
        "-o",
        metavar="DIR",
    ),
    images: Optional[str] = parameter(None, "The images, for the sheet.", metavar="DIR"),
    form: str = FORM,
    as_json: AsJson = False,
) -> None:
    """Compare two sets of labels image by image, and show where they differ most.

    Writes a table of the pixel accuracy and the mean IoU of each image, a scatter plot of B
    against A with the diagonal, and a contact sheet of the images with the largest differences
    either way. Differences are B minus A: above 0, B is better. In the sheet the pixels where
    only A is right are orange, those where only B is right blue.

    The mean IoU of an image is over the classes in it. The interval of the mean difference is
    paired: both are seen on the same resamples. Images without ground truth are left out.

    \b
    Examples:
      wss compare local-labels/ labels/ --gt gt/ --images images/ -o compared/
      wss compare baseline=val/baseline/ full=val/full/ --gt gt/ --ids val.txt --metric miou -o iou/
    """
    from wsstools.steps.compare import print_comparison

    print_comparison(
        first,
        second,
        gt,
        out,
        images=images,
        form="json" if as_json else form,
        settings=settings,
        run=run,
    )
