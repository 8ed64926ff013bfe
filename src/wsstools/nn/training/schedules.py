"""How each network is trained: the paper's numbers. Standard library only, so help is instant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """The numbers of one training run: stochastic gradient descent with a poly learning rate.

    Attributes
    ----------
    iterations : int
        Steps of gradient descent.
    batch : int
        Crops in a step.
    crop : int
        Height and width of a crop, pixels.
    learning_rate : float
        Of the backbone, at the first iteration; larger moves further from the initial weights.
    power : float
        The rate falls as ``(1 - iteration / iterations) ** power``; larger falls faster.
    momentum : float
        Share of the last step that the next one keeps, in [0, 1).
    weight_decay : float
        Pull of the convolution weights towards 0; larger is stiffer. Biases and batch
        normalisation have none.
    bias_lr_factor : float
        Learning rate of the backbone's biases, in units of its weights'.
    head_lr_factor, head_bias_lr_factor : float
        Learning rate of the new layers' weights and biases, in units of the backbone's.
    min_scale, max_scale : float
        Crops come from the image scaled by a factor drawn evenly from this range.
    max_rotation : float
        Crops are turned by an angle drawn evenly from -max_rotation..max_rotation, degrees.
    mirror : bool
        Half the crops are mirrored left to right.
    l2sp_alpha : float or None
        Pull of the backbone's weights towards the initial ones, in place of weight decay; larger
        stays nearer. None: plain weight decay, as in a run from random weights.
    l2sp_beta : float
        Pull of the new layers' weights towards 0 where `l2sp_alpha` is used.
    aux_weight : float
        Weight of the auxiliary loss of PSPNet; 0 for networks without one.
    frozen_batch_norm : bool
        Keep the backbone's batch normalisation as it was initially. Never in a run from random
        weights, where there is nothing to keep.
    min_prob : float
        Of a run on soft maps: pixels whose most probable class is less probable are ignored.
    class_balance : float
        In [0, 1]: a pixel of class c counts ``share_c ** -class_balance`` in the loss; share_c is
        the share of c among all labelled pixels. 0 weighs all pixels alike, 1 all classes.

    References
    ----------
    DeepLabV2: Chen et al., 2018, IEEE TPAMI 40(4), section 4.1; factors of learning rates as in the
    authors' prototxt. PSPNet: Zhao et al., CVPR 2017.
    L2-SP: Li, Grandvalet and Davoine, ICML 2018, equation 3.
    """

    iterations: int
    batch: int
    crop: int
    learning_rate: float
    power: float = 0.9
    momentum: float = 0.9
    weight_decay: float = 5e-4
    bias_lr_factor: float = 1.0
    head_lr_factor: float = 10.0
    head_bias_lr_factor: float = 20.0
    min_scale: float = 0.5
    max_scale: float = 1.5
    max_rotation: float = 0.0
    mirror: bool = True
    l2sp_alpha: float | None = None
    l2sp_beta: float = 0.0
    aux_weight: float = 0.0
    frozen_batch_norm: bool = False
    min_prob: float = 0.0
    class_balance: float = 0.0


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

SCHEDULES: dict[str, Schedule] = {
    "deeplabv2-resnet101": _DEEPLAB_RESNET,
    "deeplabv2-resnet50": _DEEPLAB_RESNET,
    "deeplabv2-vgg16": _DEEPLAB_VGG,
    "deeplabv2-mobilenetv2": Schedule(iterations=3_000, batch=8, crop=240, learning_rate=5e-3),
    "pspnet-resnet101": _PSPNET,
    "pspnet-resnet50": _PSPNET,
}


def msc_scales(arch: str) -> tuple[float, ...]:
    """The sizes at which the authors of an architecture show an image at test time (MSC).

    References
    ----------
    DeepLabV2: Chen et al., 2018, section 4.1.2. PSPNet: Zhao et al., CVPR 2017, section 5.1, and
    its code for the sizes; both also mirror the image here.
    """
    if arch.startswith("pspnet"):
        return (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    return (0.5, 0.75, 1.0)
