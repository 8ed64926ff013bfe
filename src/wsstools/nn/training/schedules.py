"""How each network is trained: the paper's numbers. Standard library only, so help is instant."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass
from typing import Optional

from wsstools.core.parameter import Given, documented, optional_copy, parameter, ranged, shown
from wsstools.errors import UsageError
from wsstools.nn.settings import DEVICES


@ranged
@dataclass(frozen=True)
class Schedule:
    """The numbers of one training run: stochastic gradient descent with a poly learning rate.

    The options' help says what they are. Further:

    - The rate falls as ``(1 - iteration / iterations) ** power``; larger falls faster.
    - `momentum` is the share of the last step that the next one keeps.
    - `weight_decay` acts on the convolution weights; biases and batch normalization have none.
    - Crops come from the image scaled by a factor drawn evenly from `min_scale`..`max_scale`, and
      turned by an angle drawn evenly from -`max_rotation`..`max_rotation`, degrees.
    - `l2sp_alpha` takes the place of weight decay; larger stays nearer to the initial weights.
      None: plain weight decay, as in a run from random weights.
    - `aux_weight` is 0 for networks without an auxiliary loss.
    - `frozen_batch_norm` does nothing in a run from random weights, which have none to keep.
    - A pixel of class c counts ``share_c ** -class_balance`` in the loss; share_c is the share of c
      among all labelled pixels.

    References
    ----------
    DeepLabV2: Chen et al., 2018, IEEE TPAMI 40(4), section 4.1; factors of learning rates as in the
    authors' prototxt. PSPNet: Zhao et al., CVPR 2017. DeepLabV3+: Chen et al., ECCV 2018. U-Net:
    Luo et al., MICCAI 2022.
    L2-SP: Li, Grandvalet and Davoine, ICML 2018, equation 3.
    """

    iterations: int = parameter(MISSING, "Steps of training.", metavar="N", min=1)
    batch: int = parameter(MISSING, "Crops in a step.", metavar="N", min=1)
    crop: int = parameter(MISSING, "Height and width of a crop.", metavar="PIXELS", min=16)
    learning_rate: float = parameter(MISSING, "Of the backbone, at first.", metavar="X", min=0.0)
    power: float = parameter(0.9, "Of the poly schedule.", metavar="X", min=0.0)
    momentum: float = parameter(0.9, "Of SGD.", metavar="X", min=0.0, max=1.0)
    weight_decay: float = parameter(5e-4, "Pull of the weights to 0.", metavar="X", min=0.0)
    bias_lr_factor: float = parameter(
        1.0, "Learning rate of the backbone's biases over its weights'.", metavar="X", min=0.0
    )
    head_lr_factor: float = parameter(
        10.0, "Learning rate of the new layers over that of the backbone.", metavar="X", min=0.0
    )
    head_bias_lr_factor: float = parameter(20.0, "The same of their biases.", metavar="X", min=0.0)
    min_scale: float = parameter(0.5, "Least random scaling.", metavar="X", min=0.05)
    max_scale: float = parameter(1.5, "Largest random scaling.", metavar="X", min=0.05)
    max_rotation: float = parameter(0.0, "Largest random turn.", metavar="DEGREES", min=0.0)
    mirror: bool = parameter(True, "Mirror half of the crops.", "--mirror/--no-mirror")
    l2sp_alpha: float | None = parameter(
        None, "Pull of the backbone's weights to the initial ones.", metavar="X", min=0.0
    )
    l2sp_beta: float = parameter(
        0.0, "With --l2sp-alpha: pull of the new layers' weights to 0.", metavar="X", min=0.0
    )
    aux_weight: float = parameter(
        0.0, "PSPNet: weight of the auxiliary loss.", metavar="X", min=0.0
    )
    frozen_batch_norm: bool = parameter(
        False,
        "Keep the backbone's batch normalization as it is.",
        "--frozen-batch-norm/--trained-batch-norm",
    )
    min_prob: float = parameter(
        0.0,
        "Training on maps: ignore pixels whose best class is less probable.",
        metavar="P",
        min=0.0,
        max=1.0,
    )
    class_balance: float = parameter(
        0.0,
        "A pixel counts (share of its class)^-X in the loss; 1 weighs all classes alike.",
        metavar="X",
        min=0.0,
        max=1.0,
    )


OUTPUT_STRIDE = 8
"""Pixels from one of a backbone's last features to the next; of the networks of the study."""


def output_strides(arch: str) -> tuple[int, ...]:
    """The output strides that an architecture can be built with, the published one first.

    That of DeepLabV3+ is not the stride of its logits, which is 4.
    """
    if arch == "unet":
        return (1,)
    return (16, OUTPUT_STRIDE) if arch.startswith("deeplabv3plus") else (OUTPUT_STRIDE, 16)


_DEEPLAB_RESNET = Schedule(
    iterations=20_000, batch=10, crop=321, learning_rate=6.25e-4, frozen_batch_norm=True
)
_DEEPLAB_VGG = Schedule(
    iterations=20_000, batch=10, crop=321, learning_rate=1e-3, bias_lr_factor=2.0
)
_PSPNET = Schedule(
    iterations=30_000,
    batch=16,
    crop=480,
    learning_rate=0.01,
    weight_decay=1e-4,
    head_bias_lr_factor=10.0,
    max_scale=2.0,
    max_rotation=10.0,
    l2sp_alpha=1e-3,
    l2sp_beta=1e-4,
    aux_weight=0.4,
)
# Chen et al., ECCV 2018, section 4, and arXiv:1706.05587, section 4.1, for iterations and batch;
# the authors' code for factors and decay, the latter of ResNets (of MobileNetV2, without the
# pyramid, 4e-5 there).
_DEEPLABV3PLUS = Schedule(
    iterations=30_000,
    batch=16,
    crop=513,
    learning_rate=7e-3,
    weight_decay=1e-4,
    head_lr_factor=1.0,
    head_bias_lr_factor=1.0,
    max_scale=2.0,
)
# Luo et al., MICCAI 2022, section 3, and their code (WSL4MIS), which turns by up to 20 degrees or
# by right angles.
_UNET = Schedule(
    iterations=60_000,
    batch=12,
    crop=256,
    learning_rate=0.01,
    weight_decay=1e-4,
    head_lr_factor=1.0,
    head_bias_lr_factor=1.0,
    min_scale=1.0,
    max_scale=1.0,
    max_rotation=20.0,
)

SCHEDULES: dict[str, Schedule] = {
    "deeplabv2-resnet101": _DEEPLAB_RESNET,
    "deeplabv2-resnet50": _DEEPLAB_RESNET,
    "deeplabv2-vgg16": _DEEPLAB_VGG,
    "deeplabv2-mobilenetv2": Schedule(iterations=3_000, batch=8, crop=240, learning_rate=5e-3),
    "pspnet-resnet101": _PSPNET,
    "pspnet-resnet50": _PSPNET,
    "deeplabv3plus-resnet101": _DEEPLABV3PLUS,
    "deeplabv3plus-resnet50": _DEEPLABV3PLUS,
    "deeplabv3plus-mobilenetv2": _DEEPLABV3PLUS,
    "unet": _UNET,
}


@documented
@dataclass(frozen=True)
class TrainSettings:
    """How a training run starts, computes, validates and is logged."""

    init: str = parameter(
        "imagenet",
        "imagenet (torchvision's weights), random, or a file: a state dict of torchvision's "
        "network, a model or a checkpoint of wss.",
        metavar="INIT",
        choices=("imagenet", "random"),
    )
    weights_dir: Optional[str] = parameter(
        None,
        "Folder to look into for published weights before downloading them.",
        metavar="DIR",
        envvar="WSS_WEIGHTS",
    )
    device: str = parameter("auto", "cpu, cuda, cuda:1 or auto.", metavar="NAME", choices=DEVICES)
    precision: str = parameter(
        "auto",
        "float32, bfloat16, or auto: bfloat16 where the device computes with it.",
        metavar="NAME",
        choices=("auto", "float32", "bfloat16"),
    )
    accumulate: int = parameter(
        1,
        "Parts of a batch that go through the network one after the other, where memory does not "
        "hold it whole. The gradient is that of the batch; batch normalization that is trained "
        "sees a part at a time.",
        metavar="N",
        min=1,
    )
    workers: Optional[int] = parameter(
        None, "Threads that prepare crops. Default: 1, on a GPU up to 8.", metavar="N", min=0
    )
    cache: int = parameter(2048, "Memory for decoded images and labels.", metavar="MB", min=0)
    val_images: Optional[str] = parameter(None, "Images to validate on.", metavar="DIR")
    val_labels: Optional[str] = parameter(None, "Their ground truth.", metavar="DIR")
    val_ids: Optional[str] = parameter(None, "Validate on the names in FILE only.", metavar="FILE")
    val_every: Optional[int] = parameter(
        None, "Iterations between validations. Default: at the end only.", metavar="N", min=1
    )
    checkpoint_every: int = parameter(100, "Iterations between checkpoints.", metavar="N", min=1)
    log: Optional[str] = parameter(None, "CSV log; default: MODEL.csv.", metavar="FILE")
    tensorboard: Optional[str] = parameter(None, "Curves for TensorBoard.", metavar="DIR")
    resume: bool = parameter(
        True,
        "Go on from the checkpoint of an interrupted run, MODEL.checkpoint.",
        "--resume/--no-resume",
    )
    overwrite: bool = parameter(False, "Replace a model or checkpoint made with other options.")
    dry_run: bool = parameter(False, "Train nothing; exit with 1 if the model is not up to date.")


_COSTS = {
    "deeplabv2-resnet101": 7.0,
    "deeplabv2-resnet50": 4.0,
    "deeplabv2-vgg16": 5.0,
    "deeplabv2-mobilenetv2": 1.0,
    "pspnet-resnet101": 9.0,
    "pspnet-resnet50": 6.0,
    "deeplabv3plus-resnet101": 10.0,
    "deeplabv3plus-resnet50": 8.0,
    "deeplabv3plus-mobilenetv2": 3.0,
    "unet": 1.4,
}
"""Time that a pixel takes in training on a CPU, roughly (measured at crop 193).

Over that of deeplabv2-mobilenetv2 at the same output stride; of the U-Net, at 8.
"""
LONG = 12 * 3600.0
"""Seconds of training from which on a smaller network is worth a thought on a CPU."""
_SMALL = ("deeplabv2-mobilenetv2", 8, 193)
_HOUR = 3600.0


def hour_options(
    arch: str, schedule: Schedule, seconds: float, output_stride: int = OUTPUT_STRIDE
) -> str:
    """Options of a training that takes about an hour where an iteration of this takes `seconds`.

    It has the same output stride, where it can.
    """
    name, batch, crop = _SMALL
    pixels = schedule.batch * schedule.crop**2
    each = seconds * _COSTS[name] / _COSTS[arch] * batch * crop**2 / pixels
    iterations = max(100, int(_HOUR / each) // 100 * 100)
    options = f"--arch {name} --batch {batch} --crop {crop} --iterations {iterations}"
    if output_stride not in output_strides(name)[1:]:
        return options
    return f"{options} --output-stride {output_stride}"


def msc_scales(arch: str) -> tuple[float, ...]:
    """The sizes at which the authors of an architecture show an image at test time (MSC).

    References
    ----------
    DeepLabV2: Chen et al., 2018, section 4.1.2. PSPNet: Zhao et al., CVPR 2017, section 5.1, and
    its code for the sizes. DeepLabV3+: arXiv:1706.05587, section 4.1. All mirror the image too, but
    for the U-Net, whose authors show it once.
    """
    if arch == "unet":
        return (1.0,)
    if arch.startswith(("pspnet", "deeplabv3plus")):
        return (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    return (0.5, 0.75, 1.0)


_FAMILIES = {
    "DeepLabV2": "deeplabv2-resnet101",
    "VGG-16": "deeplabv2-vgg16",
    "DeepLabV2 on MobileNetV2": "deeplabv2-mobilenetv2",
    "PSPNet": "pspnet-resnet101",
    "DeepLabV3+": "deeplabv3plus-resnet101",
    "U-Net": "unet",
}


def _defaults(field: dataclasses.Field[object]) -> str:
    """The number of most families of networks, or of the first, and what the others have."""
    values = {name: shown(getattr(SCHEDULES[arch], field.name)) for name, arch in _FAMILIES.items()}
    numbers = list(values.values())
    usual = max(numbers, key=numbers.count)
    if 2 * numbers.count(usual) < len(numbers):
        usual = numbers[0]
    others = (f"; {name} {value}" for name, value in values.items() if value != usual)
    return f"{usual}{''.join(others)}"


@optional_copy(Schedule, default_text=_defaults)
class ScheduleChanges(Given):
    """Numbers of a schedule that are given instead of those of the architecture."""

    def schedule(self, arch: str) -> Schedule:
        """The schedule of an architecture with the given numbers put in.

        UsageError if there is no such architecture, or the scales are in the wrong order.
        """
        if arch not in SCHEDULES:
            raise UsageError(f"--arch {arch}: expected one of {', '.join(SCHEDULES)}")
        chosen = dataclasses.replace(SCHEDULES[arch], **self.given())
        if chosen.min_scale > chosen.max_scale:
            raise UsageError(f"--min-scale {chosen.min_scale:g} is above {chosen.max_scale:g}")
        return chosen
