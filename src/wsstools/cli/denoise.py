"""`wss denoise`: predicted labels corrected by boxes."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, Out, Seed
from wsstools.core.boxes.settings import RULES, BoxSettings
from wsstools.core.parameter import parameter
from wsstools.core.scribbles.settings import ReadingSettings, SourceSettings
from wsstools.running.settings import RunSettings


def denoise(
    labels: Annotated[
        str, typer.Argument(metavar="LABELS", help=f"Predicted labels: {FOLDER_HELP}.")
    ],
    boxes: Annotated[
        str,
        typer.Argument(
            metavar="BOXES", help="Annotations that hold boxes, as wss scribbles reads them."
        ),
    ],
    out: Out,
    run: RunSettings,
    source: SourceSettings,
    settings: BoxSettings,
    least_iou: float = parameter(
        0.5,
        "A box is reset where the segment of its class in it has a smaller IoU with it; larger "
        "resets more.",
        metavar="IOU",
        min=0.0,
        max=1.0,
    ),
    from_boxes: str = parameter(
        "box",
        "What a box is reset to: the rule of wss scribbles --from-boxes.",
        metavar="|".join(RULES),
        choices=RULES,
    ),
    images: Optional[str] = parameter(None, "The images, for --from-boxes grabcut.", metavar="DIR"),
    simulate: bool = parameter(
        False, "BOXES is ground truth: each connected region of a class gets a box."
    ),
    min_area: Optional[int] = parameter(
        None,
        "Simulated: smaller regions get no box. Default: 144, but the largest region of each "
        "class gets one in any case.",
        metavar="PIXELS",
        min=0,
    ),
    seed: Seed = 0,
) -> None:
    """Correct labels that a network predicts of its training images by their boxes.

    Two of the three rules of Simple Does It, between rounds of training: pixels of a class none of
    whose boxes holds them become background (class 0); then a box in which the segment of its class
    covers less than half of it is reset to what the boxes say, apart from smaller boxes in front.
    The third rule, the CRF, comes before it: wss regularize --crf. The record of each file
    holds how many pixels and boxes that were.

    \b
    Example:
      wss scribbles Annotations/ --from-boxes box -o boxes/
      wss train --images images/ --labels boxes/ --ids train.txt -o net-1.pt
      wss global-predict images/ --model net-1.pt --ids train.txt -o maps/ |
        wss regularize --crf --images images/ - -o crf/ |
        wss argmax - -o predicted/ |
        wss denoise - Annotations/ -o labels-2/
      wss train --images images/ --labels labels-2/ --ids train.txt -o net-2.pt
    """
    from wsstools.steps.denoise import denoise

    denoise(
        labels,
        boxes,
        out,
        least_iou=least_iou,
        rule=from_boxes,
        images=images,
        settings=settings,
        is_simulated=simulate,
        min_area=min_area,
        reading=ReadingSettings(**dataclasses.asdict(source)),
        seed=seed,
        run=run,
    )
