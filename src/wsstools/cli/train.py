"""`wss train`: a segmentation network from images and labels."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Optional

from wsstools.cli.options import NClasses, Seed
from wsstools.core.parameter import parameter
from wsstools.nn.regularizing.settings import LossSettings
from wsstools.nn.training.schedules import SCHEDULES, ScheduleChanges, TrainSettings
from wsstools.running.settings import NameSettings, Selection


def train(
    changes: ScheduleChanges,
    regularizing: LossSettings,
    settings: TrainSettings,
    naming: NameSettings,
    images: str = parameter(MISSING, "The images.", metavar="DIR"),
    labels: str = parameter(
        MISSING,
        "Scribbles or full labels, index PNGs, 255 is ignored; or soft maps.",
        metavar="DIR",
    ),
    out: str = parameter(MISSING, "Model file to write.", "--out", "-o", metavar="MODEL"),
    ids: Optional[str] = parameter(
        None,
        "Train on the names in FILE only, one per line. Default: all images that have labels.",
        metavar="FILE",
    ),
    arch: str = parameter(
        "deeplabv2-resnet101", f"{', '.join(SCHEDULES)}.", metavar="NAME", choices=SCHEDULES
    ),
    output_stride: Optional[int] = parameter(
        None,
        "Pixels from one of the backbone's last features to the next, 8 or 16: 16 takes about half "
        "the time and is coarser. Default: 8; DeepLabV3+ 16; U-Net has no other than 1.",
        metavar="N",
    ),
    n_classes: NClasses = None,
    scribbles: Optional[str] = parameter(
        None,
        "Scribbles beside predicted labels: pixels that they name have their class and count as "
        "one each, all others as --label-weight.",
        metavar="DIR",
    ),
    label_weight: Optional[float] = parameter(
        None, "With --scribbles: what a pixel of --labels counts as. Default: 0.2.", metavar="X"
    ),
    seed: Seed = 0,
) -> None:
    """Train a network on images and their labels, scribbles or full ones.

    The loss is 0 on unlabelled pixels (255). Every number of the schedule defaults to the one
    published with the architecture. A run that is interrupted makes a checkpoint, goes on from it
    when the same command is given again, and ends with the same bytes as one that was not. Where
    --labels is a folder of maps, the loss is the cross entropy with their probabilities. --loss
    adds one on the network's own probabilities, by which pixels that look alike agree.

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
        output_stride=output_stride,
        schedule=changes.schedule(arch),
        n_classes=n_classes,
        scribbles=scribbles,
        label_weight=label_weight,
        regularizing=regularizing,
        seed=seed,
        settings=settings,
        run=Selection(naming.suffix, naming.recursive, ids, prints_paths=True),
    )
