"""`wss train`: a segmentation network from images and labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Optional

import typer

from wsstools.cli.options import NClasses, Seed, WeightsDir
from wsstools.nn.training.schedules import SCHEDULES, Schedule

_DEFAULT_ARCH = "deeplabv2-resnet101"


_FAMILIES = {
    "DeepLabV2": "deeplabv2-resnet101",
    "VGG-16": "deeplabv2-vgg16",
    "MobileNetV2": "deeplabv2-mobilenetv2",
    "PSPNet": "pspnet-resnet101",
}


def _help(text: str, number: str) -> str:
    """The help of an option of the schedule, with the number of each family of networks."""
    values = {name: _told(getattr(SCHEDULES[arch], number)) for name, arch in _FAMILIES.items()}
    usual = max(values.values(), key=list(values.values()).count)
    others = (f"; {name} {value}" for name, value in values.items() if value != usual)
    told = usual + "".join(others)
    return f"{text} Default: {told}."


def _told(value: float | None) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}"


@dataclasses.dataclass(frozen=True)
class ScheduleOptions:
    """The numbers of a schedule; None takes that of the architecture."""

    iterations: Annotated[
        Optional[int],
        typer.Option(
            "--iterations", metavar="N", min=1, help=_help("Steps of training.", "iterations")
        ),
    ] = None
    batch: Annotated[
        Optional[int],
        typer.Option("--batch", metavar="N", min=1, help=_help("Crops in a step.", "batch")),
    ] = None
    crop: Annotated[
        Optional[int],
        typer.Option(
            "--crop", metavar="PIXELS", min=16, help=_help("Height and width of a crop.", "crop")
        ),
    ] = None
    learning_rate: Annotated[
        Optional[float],
        typer.Option(
            "--learning-rate",
            metavar="X",
            min=0.0,
            help=_help("Of the backbone, at first.", "learning_rate"),
        ),
    ] = None
    power: Annotated[
        Optional[float],
        typer.Option("--power", metavar="X", min=0.0, help=_help("Of the poly schedule.", "power")),
    ] = None
    momentum: Annotated[
        Optional[float],
        typer.Option(
            "--momentum", metavar="X", min=0.0, max=1.0, help=_help("Of SGD.", "momentum")
        ),
    ] = None
    weight_decay: Annotated[
        Optional[float],
        typer.Option(
            "--weight-decay",
            metavar="X",
            min=0.0,
            help=_help("Pull of the weights to 0.", "weight_decay"),
        ),
    ] = None
    bias_lr_factor: Annotated[
        Optional[float],
        typer.Option(
            "--bias-lr-factor",
            metavar="X",
            min=0.0,
            help=_help(
                "Learning rate of the backbone's biases over its weights'.", "bias_lr_factor"
            ),
        ),
    ] = None
    head_lr_factor: Annotated[
        Optional[float],
        typer.Option(
            "--head-lr-factor",
            metavar="X",
            min=0.0,
            help=_help(
                "Learning rate of the new layers over that of the backbone.", "head_lr_factor"
            ),
        ),
    ] = None
    head_bias_lr_factor: Annotated[
        Optional[float],
        typer.Option(
            "--head-bias-lr-factor",
            metavar="X",
            min=0.0,
            help=_help("The same of their biases.", "head_bias_lr_factor"),
        ),
    ] = None
    l2sp_alpha: Annotated[
        Optional[float],
        typer.Option(
            "--l2sp-alpha",
            metavar="X",
            min=0.0,
            help=_help("Pull of the backbone's weights to the initial ones.", "l2sp_alpha"),
        ),
    ] = None
    l2sp_beta: Annotated[
        Optional[float],
        typer.Option(
            "--l2sp-beta",
            metavar="X",
            min=0.0,
            help="With --l2sp-alpha: pull of the new layers' weights to 0. Default: "
            f"PSPNet {SCHEDULES['pspnet-resnet101'].l2sp_beta:g}.",
        ),
    ] = None
    aux_weight: Annotated[
        Optional[float],
        typer.Option(
            "--aux-weight",
            metavar="X",
            min=0.0,
            help="PSPNet: weight of the auxiliary loss. Default: "
            f"{SCHEDULES['pspnet-resnet101'].aux_weight:g}.",
        ),
    ] = None
    frozen_batch_norm: Annotated[
        Optional[bool],
        typer.Option(
            "--frozen-batch-norm/--trained-batch-norm",
            help=_help("Keep the backbone's batch normalisation as it is.", "frozen_batch_norm"),
            show_default=False,
        ),
    ] = None
    min_scale: Annotated[
        Optional[float],
        typer.Option(
            "--min-scale", metavar="X", min=0.05, help=_help("Least random scaling.", "min_scale")
        ),
    ] = None
    max_scale: Annotated[
        Optional[float],
        typer.Option(
            "--max-scale", metavar="X", min=0.05, help=_help("Largest random scaling.", "max_scale")
        ),
    ] = None
    max_rotation: Annotated[
        Optional[float],
        typer.Option(
            "--max-rotation",
            metavar="DEGREES",
            min=0.0,
            help=_help("Largest random turn.", "max_rotation"),
        ),
    ] = None
    mirror: Annotated[
        Optional[bool],
        typer.Option(
            "--mirror/--no-mirror",
            help="Mirror half of the crops. Default: yes.",
            show_default=False,
        ),
    ] = None
    min_prob: Annotated[
        Optional[float],
        typer.Option(
            "--min-prob",
            metavar="P",
            min=0.0,
            max=1.0,
            help="Training on maps: ignore pixels whose best class is less probable. Default: 0.",
        ),
    ] = None
    class_balance: Annotated[
        Optional[float],
        typer.Option(
            "--class-balance",
            metavar="X",
            min=0.0,
            max=1.0,
            help="A pixel counts (share of its class)^-X in the loss; 1 weighs all classes "
            "alike. Default: 0.",
        ),
    ] = None

    def schedule(self, arch: str) -> Schedule:
        """The schedule of an architecture with the given numbers put in."""
        given = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return dataclasses.replace(SCHEDULES[arch], **given)


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
    schedule: ScheduleOptions,
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
    ] = _DEFAULT_ARCH,
    init: Annotated[
        str,
        typer.Option(
            "--init",
            metavar="INIT",
            help="imagenet (torchvision's weights), random, or a file: "
            "a state dict of torchvision's network, a model or a checkpoint of wss.",
        ),
    ] = "imagenet",
    weights_dir: WeightsDir = None,
    n_classes: NClasses = None,
    seed: Seed = 0,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 or auto.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="float32, bfloat16, or auto: bfloat16 where the device computes with it.",
        ),
    ] = "auto",
    workers: Annotated[
        Optional[int],
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            help="Threads that prepare crops. Default: 1, on a GPU up to 8.",
        ),
    ] = None,
    cache: Annotated[
        int,
        typer.Option("--cache", metavar="MB", min=0, help="Memory for decoded images and labels."),
    ] = 2048,
    val_images: Annotated[
        Optional[str],
        typer.Option("--val-images", metavar="DIR", help="Images to validate on."),
    ] = None,
    val_labels: Annotated[
        Optional[str],
        typer.Option("--val-labels", metavar="DIR", help="Their ground truth."),
    ] = None,
    val_ids: Annotated[
        Optional[str],
        typer.Option("--val-ids", metavar="FILE", help="Validate on the names in FILE only."),
    ] = None,
    val_every: Annotated[
        Optional[int],
        typer.Option(
            "--val-every",
            metavar="N",
            min=1,
            help="Iterations between validations. Default: at the end only.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every", metavar="N", min=1, help="Iterations between checkpoints."
        ),
    ] = 100,
    log: Annotated[
        Optional[str],
        typer.Option("--log", metavar="FILE", help="CSV log; default: MODEL.csv."),
    ] = None,
    tensorboard: Annotated[
        Optional[str],
        typer.Option("--tensorboard", metavar="DIR", help="Curves for TensorBoard."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Go on from the checkpoint of an interrupted run, MODEL.checkpoint.",
        ),
    ] = True,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a model or checkpoint made with other options."),
    ] = False,
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
    from wsstools.errors import UsageError
    from wsstools.steps.training import Plan, run_training

    if arch not in SCHEDULES:
        raise UsageError(f"--arch {arch}: expected one of {', '.join(SCHEDULES)}")
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"--precision {precision}: expected auto, float32 or bfloat16")
    chosen = schedule.schedule(arch)
    if chosen.min_scale > chosen.max_scale:
        raise UsageError(f"--min-scale {chosen.min_scale:g} is above {chosen.max_scale:g}")
    if (val_images is None) != (val_labels is None):
        raise UsageError("--val-images and --val-labels go together")
    if val_images is None and (val_ids is not None or val_every is not None):
        raise UsageError("--val-ids and --val-every need --val-images and --val-labels")
    run_training(
        Plan(
            images=images,
            labels=labels,
            ids=ids,
            out=Path(out),
            arch=arch,
            schedule=chosen,
            init=init,
            weights_dir=weights_dir,
            n_classes=n_classes,
            seed=seed,
            device=device,
            precision=precision,
            workers=workers,
            cache=cache * 2**20,
            val_images=val_images,
            val_labels=val_labels,
            val_ids=val_ids,
            val_every=val_every,
            checkpoint_every=checkpoint_every,
            log=Path(log) if log else Path(out + ".csv"),
            tensorboard=tensorboard,
            resume=resume,
            overwrite=overwrite,
        )
    )
