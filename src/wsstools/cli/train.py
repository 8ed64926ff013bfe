"""`wss train`: a segmentation network from images and labels."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from wsstools.cli.options import NClasses, Seed
from wsstools.nn.training.schedules import SCHEDULES, ScheduleChanges, TrainSettings
from wsstools.running.settings import Selection


def train(
    images: Annotated[str, typer.Option("--images", metavar="DIR", help="The images.")],
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            metavar="DIR",
            help="Scribbles or full labels, index PNGs, 255 is ignored; or soft maps.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="MODEL", help="Model file to write.")],
    changes: ScheduleChanges,
    settings: TrainSettings,
    ids: Annotated[
        Optional[str],
        typer.Option(
            "--ids",
            metavar="FILE",
            help="Train on the names in FILE only, one per line. "
            "Default: all images that have labels.",
        ),
    ] = None,
    arch: Annotated[
        str, typer.Option("--arch", metavar="NAME", help=f"{', '.join(SCHEDULES)}.")
    ] = "deeplabv2-resnet101",
    n_classes: NClasses = None,
    seed: Seed = 0,
) -> None:
    """Train a network on images and their labels, scribbles or full ones.

    The loss is 0 on unlabelled pixels (255). Every number of the schedule defaults to the one
    published with the architecture. A run that is interrupted makes a checkpoint, goes on from it
    when the same command is given again, and ends with the same bytes as one that was not. Where
    --labels is a folder of maps, the loss is the cross entropy with their probabilities.

    The whole machine is used. Several processes, such as one per GPU, share each batch where
    torchrun starts them: torchrun --nproc-per-node 4 --no-python wss train ...

    \b
    Example:
      wss train --images images/ --labels scribbles/ --ids train.txt \\
        --arch deeplabv2-mobilenetv2 --iterations 1000 -o baseline.pt
    """
    from wsstools.steps.train import train

    train(
        images,
        labels,
        out,
        arch=arch,
        schedule=changes.schedule(arch),
        n_classes=n_classes,
        seed=seed,
        settings=settings,
        run=Selection(ids, prints_paths=True),
    )
