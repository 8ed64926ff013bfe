"""`wss score`: labels against ground truth."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wsstools.cli.options import FOLDER_HELP, AsJson, RunOptions


def score(
    labels: Annotated[str, typer.Argument(metavar="LABELS", help=f"Labels: {FOLDER_HELP}.")],
    gt: Annotated[str, typer.Argument(metavar="GT", help="Ground truth: folder or file.")],
    run: RunOptions,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Add a table of the images, worst first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score labels against ground truth: mean IoU, IoU per class, pixel accuracy.

    One confusion matrix is summed over the folder. Pixels that are 255 in the ground truth do not
    count; pixels that are 255 in the labels are misses. Classes that occur in neither are left
    out of the mean, and told. Every label file needs its ground truth.

    \b
    Example:
      wss score labels/ gt/ --json
    """
    import json

    from wsstools.core.evaluation.metrics import scores
    from wsstools.core.labels import class_name
    from wsstools.formats.label_files import find_class_names
    from wsstools.steps.confusion import summed_confusion
    from wsstools.view.tables import score_table

    total, images = summed_confusion("score", labels, gt, run)
    names = find_class_names(gt, labels)
    found = scores(total, None if names is None else len(names))
    if as_json:
        answer: dict[str, Any] = {
            "miou": found.mean_iou,
            "pixel_accuracy": found.pixel_accuracy,
            "iou": {class_name(names, c): value for c, value in found.iou.items()},
            "absent": [class_name(names, c) for c in found.absent],
            "open_share": found.open_share,
            "images": {
                stem: {"miou": one.mean_iou, "pixel_accuracy": one.pixel_accuracy}
                for stem, one in images.items()
            },
        }
        print(json.dumps(answer, indent=2))
        return
    worst = sorted(images.items(), key=lambda entry: entry[1].mean_iou) if per_image else []
    print(score_table(found, names, len(images), worst))
