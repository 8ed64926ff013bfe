"""`wss score`: labels against ground truth."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, AsJson, numbers
from wsstools.core.evaluation.settings import COUNTS, FIGURE_FORMATS, StrokeScoreSettings
from wsstools.core.parameter import parameter
from wsstools.running.settings import JobSettings


def score(
    labels: Annotated[
        str,
        typer.Argument(
            metavar="LABELS", help=f"Labels, with --scribbles also maps: {FOLDER_HELP}."
        ),
    ],
    gt: Annotated[
        str,
        typer.Argument(metavar="GT", help="Ground truth, or the scribbles: folder or file."),
    ],
    run: JobSettings,
    strokes: StrokeScoreSettings,
    scribbles: bool = parameter(
        False,
        "GT is scribbles: estimate the mean IoU from them. LABELS must come from maps that were "
        "made with --folds.",
    ),
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
    volumes: Optional[str] = parameter(
        None,
        "Print Dice and HD95 of volumes instead. The first group (or else all) that the expression "
        r"finds in an image's name is its volume ('patient\d+_frame\d+'); or a file with "
        "NAME,VOLUME on each line.",
        metavar="REGEX|FILE",
    ),
    spacing: Optional[str] = parameter(
        None,
        "With --volumes: distance of slices, rows and columns, such as in mm; HD95 has its unit. "
        "Default: 1,1,1 pixels.",
        metavar="Z,Y,X",
        shows_default=False,
    ),
    as_json: AsJson = False,
) -> None:
    """Score labels against ground truth: mean IoU, IoU per class, pixel accuracy.

    One confusion matrix is summed over the folder. Pixels that are 255 in the ground truth do not
    count; pixels that are 255 in the labels are misses. Classes that occur in neither are left
    out of the mean, and listed. Every label file needs its ground truth. The csv has a line for
    each measure and class. wss eval-gap takes a file of counts in place of a folder of labels:
    keep it, and tables of networks of other machines need no predictions.

    With --volumes the slices of a volume, such as a patient's, are put together in the order of the
    last number in their names. Of each volume and class are printed Dice and HD95, the 95 %
    Hausdorff distance, then the means over the volumes that have the class, and the mean of the
    classes. Class 0, the background, is left out. HD95 is that of medpy: a surface voxel has one
    of its six neighbours outside of the class or of the volume; the distances from each surface to
    the other are joined, and their 95th percentile is taken. A class that only labels or only
    ground truth have in a volume gets Dice 0 and the diagonal of the volume as HD95. In neither, it
    has no figures.

    With --scribbles no ground truth is needed. To estimate the mean IoU, each scribbled pixel
    counts for all pixels of the image that are nearest to it. The rank score is for comparing
    settings: the share of the scribbled pixels that carry their class, weighted by the root of that
    number. Intervals of 95 % are over images. Strokes are inside of objects, so borders count too
    little, and what no stroke touches is not seen: docs/strokes.md shows how far to trust them.

    \b
    Examples:
      wss score labels/ gt/ --json
      wss rf-predict images/ scribbles/ --folds 4 -o held-out/
      wss score held-out/ scribbles/ --scribbles
      wss score labels/ gt/ --format counts > counts.csv
      wss score labels/ gt/ --volumes 'patient[0-9]+_frame[0-9]+' --spacing 10,1.4,1.4
    """
    from wsstools.steps.score import print_score

    print_score(
        labels,
        gt,
        form="json" if as_json else form,
        per_image=per_image,
        volumes=volumes,
        spacing=numbers("--spacing", spacing),
        scribbles=scribbles,
        strokes=strokes,
        run=run,
    )
