"""`wss compare`: one set of labels against another, image by image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, AsJson, Seed, StepOptions
from wsstools.steps.comparison import Contest, compare_folders, named_folders
from wsstools.steps.comparison_files import (
    PICTURE_FILE,
    PLOT_FILE,
    RECORD_FILE,
    TABLE_FILE,
    refuse_other_outputs,
    write_outputs,
)


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=f"Labels: {FOLDER_HELP}; or NAME=DIR.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Labels to hold against A, likewise.")],
    gt: Annotated[str, typer.Option("--gt", metavar="DIR", help="Ground truth.")],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help=f"Folder for {TABLE_FILE}, {PLOT_FILE}, {PICTURE_FILE} and {RECORD_FILE}.",
        ),
    ],
    run: StepOptions,
    images: Annotated[
        Optional[str],
        typer.Option("--images", metavar="DIR", help="The images, for the sheet."),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="What the images are ranked and drawn by: accuracy (of the pixels) or miou.",
        ),
    ] = "accuracy",
    top: Annotated[
        int,
        typer.Option(
            "--top",
            metavar="N",
            min=1,
            help="Images in the sheet, either way: the largest gains and the largest losses.",
        ),
    ] = 4,
    bootstrap: Annotated[
        int,
        typer.Option(
            "--bootstrap",
            metavar="N",
            min=0,
            help="Resamples of the images for the 95 % interval of the mean difference; 0: none.",
        ),
    ] = 2000,
    seed: Seed = 0,
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
      wss compare local-labels/ fused-labels/ --gt gt/ --images images/ -o compared/
      wss compare scribbles=val/base/ full=val/full/ --gt gt/ --ids val.txt --metric miou -o c/
    """
    import json

    from wsstools.core.evaluation.comparison import METRICS
    from wsstools.errors import UsageError
    from wsstools.running.messages import Messages
    from wsstools.view.comparison import comparison_text, comparison_values

    if metric not in METRICS:
        raise UsageError(f"--metric {metric}: expected one of {', '.join(METRICS)}")
    names, folders = named_folders(first, second)
    contest = Contest(names, folders, gt, images, metric, top, bootstrap, seed)
    folder = Path(out)
    if not run.overwrite:
        refuse_other_outputs(folder, contest)
    found = compare_folders(contest, run, folder)
    is_new = write_outputs(folder, contest, found, run)
    with Messages("compare", None, null=run.null) as messages:
        messages.say(f"{'written to' if is_new else 'up to date in'} {folder}")
        text = comparison_text(found.comparison, top)
        if as_json:
            print(json.dumps(comparison_values(found.comparison, top), indent=2))
        elif sys.stdout.isatty():
            print(text)
        else:
            messages.print(text)
            messages.finished(folder / RECORD_FILE, is_up_to_date=not is_new)
