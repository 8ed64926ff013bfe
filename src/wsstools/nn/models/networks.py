"""Segmentation networks by name, and what training and prediction share about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstools.nn.models.backbones import VGG16, Backbone, MobileNetV2, ResNet
from wsstools.nn.models.heads import (
    AtrousHead,
    AtrousPyramid,
    AuxiliaryHead,
    DecoderHead,
    LinearHead,
    PyramidHead,
)
from wsstools.nn.models.resizing import bilinear, cropped
from wsstools.nn.models.unet import UNet
from wsstools.nn.training.schedules import OUTPUT_STRIDE, SCHEDULES, Schedule, output_strides

# Mean and standard deviation of ImageNet's training images, RGB, as in torchvision's presets.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SegmentationNetwork(nn.Module):
    """A backbone and a head; takes RGB images in 0..255, gives logits at a stride s.

    The image is normalized, then padded at the right and at the bottom to sides of t k + 1
    pixels; t is the output stride, that of the backbone's last features. Logit (i, j) then sits
    exactly on pixel (s i, s j), and `upsample` undoes it. Here s is t (`logit_stride`).

    `head` makes logits from the last features, `aux_head` from the middle ones, for an auxiliary
    loss; it is not used outside training.
    """

    backbone: Backbone
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        head: nn.Module,
        aux_head: nn.Module | None = None,
        *,
        output_stride: int = OUTPUT_STRIDE,
    ) -> None:
        super().__init__()
        self.output_stride = output_stride
        self.backbone = backbone
        self.head = head
        self.aux_head = aux_head
        for name, value in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            scaled = 255 * torch.tensor(value).view(1, 3, 1, 1)
            self.register_buffer(name, scaled, persistent=False)

    @property
    def logit_stride(self) -> int:
        """Pixels from a logit to the next, in both directions."""
        return self.output_stride

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits (N, C, h, w); while training, the auxiliary head's follow where there is one.

        Of (N, 3, H, W) float32, RGB in 0..255; h = ceil((H - 1) / s) + 1, and w likewise.
        """
        middle, last = self.backbone(self._padded(images))
        logits = self.head(last)
        if self.training and self.aux_head is not None:
            return logits, self.aux_head(middle)
        return (logits,)

    def levels(self, images: Tensor) -> list[Tensor]:
        """The backbone's features, from first to last, and the logits, of images as in `forward`.

        Each is (N, C, h, w); the first of a level is on the first pixel, the others at steps of
        `steps` pixels, to the image's last pixel or beyond.
        """
        found = self.backbone.levels(self._padded(images))
        return [*found, self.head(found[-1])]

    @property
    def steps(self) -> list[int]:
        """Pixels from a value to the next, of each of the `levels`."""
        return [*self.backbone.steps, self.logit_stride]

    def _padded(self, images: Tensor) -> Tensor:
        stride = self.output_stride
        # Of no negative number, whose quotients and remainders ONNX rounds in another way.
        rows, columns = ((n + stride - 2) // stride * stride + 1 - n for n in images.shape[-2:])
        return F.pad((images - self.mean) / self.std, (0, columns, 0, rows))


class DecodingNetwork(SegmentationNetwork):
    """A network whose head joins the last features with those at stride 4, where its logits are."""

    @property
    def logit_stride(self) -> int:
        """Pixels from a logit to the next, in both directions."""
        return 4

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits (N, C, h, w) of (N, 3, H, W) as in `SegmentationNetwork`."""
        return (self.levels(images)[-1],)

    def levels(self, images: Tensor) -> list[Tensor]:
        """As in `SegmentationNetwork`."""
        found = self.backbone.levels(self._padded(images))
        logits = self.head(found[1], found[-1])
        stride = self.logit_stride
        height, width = ((side + stride - 2) // stride + 1 for side in images.shape[2:])
        return [*found, cropped(logits, (height, width))]


def upsample(logits: Tensor, size: tuple[int, int], stride: int = OUTPUT_STRIDE) -> Tensor:
    """Logits (N, C, H, W) float32 of each pixel, bilinear between those of a network, (N, C, h, w).

    `stride` is the network's `logit_stride`. Logits (i, j) belong to pixel (stride i, stride j),
    the last ones perhaps to a pixel outside the image.
    """
    return bilinear(logits, size, scale=stride)


def build(arch: str, n_classes: int, *, output_stride: int | None = None) -> SegmentationNetwork:
    """A new network with random weights, from torch's global generator.

    `output_stride` is one of `output_strides`, None the first of them. Of any it has the same
    parameters. At 16 one stage more of the backbone strides, and dilations behind it are halved:
    the logits of DeepLabV2 (but for VGG-16, which pools at this stride) are those of stride 8 at
    every second place.

    ValueError if `arch` is not a known name, `n_classes` is below 1 or `output_stride` is unknown.
    """
    if arch not in _BUILDERS:
        raise ValueError(f"no network {arch!r}; there are {', '.join(SCHEDULES)}")
    if n_classes < 1:
        raise ValueError(f"n_classes is {n_classes}, expected at least 1")
    strides = output_strides(arch)
    if output_stride is None:
        output_stride = strides[0]
    if output_stride not in strides:
        known = " or ".join(map(str, sorted(strides)))
        raise ValueError(f"output_stride is {output_stride}, expected {known}")
    return _BUILDERS[arch](n_classes, output_stride)


def parameter_groups(
    network: SegmentationNetwork, schedule: Schedule, *, l2sp: bool
) -> list[dict[str, object]]:
    """Parameters that share a learning rate and a decay, for a torch optimizer.

    They have the keys ``params``, ``lr_factor``, ``weight_decay``. Biases and batch normalization
    do not decay; frozen parameters are left out. With `l2sp`, the backbone is pulled towards its
    initial weights (which is not the optimizer's work), and the new layers decay by
    `schedule.l2sp_beta`.
    """
    backbone_decay, head_decay = (
        (0.0, schedule.l2sp_beta) if l2sp else (schedule.weight_decay, schedule.weight_decay)
    )
    weights, biases = _split(network.backbone)
    head_weights, head_biases = _split(network.head, network.aux_head)
    rows = (
        (weights, 1.0, backbone_decay),
        (biases, schedule.bias_lr_factor, 0.0),
        (head_weights, schedule.head_lr_factor, head_decay),
        (head_biases, schedule.head_bias_lr_factor, 0.0),
    )
    return [
        {"params": params, "lr_factor": factor, "weight_decay": decay}
        for params, factor, decay in rows
        if params
    ]


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep statistics and affine parameters of batch normalization as they are.

    To be called again after each ``train()``, which makes them follow the batches.
    """
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
            layer.requires_grad_(False)


def _split(*modules: nn.Module | None) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Convolution weights, and the vectors: biases and batch normalization."""
    trainable = [
        parameter
        for module in modules
        if module is not None
        for parameter in module.parameters()
        if parameter.requires_grad
    ]
    return [p for p in trainable if p.ndim > 1], [p for p in trainable if p.ndim <= 1]


def _deeplabv2(backbone: Backbone, n_classes: int, stride: int) -> SegmentationNetwork:
    rates = [rate * OUTPUT_STRIDE // stride for rate in AtrousHead.RATES]
    head = AtrousHead(backbone.channels, n_classes, rates=rates)
    return SegmentationNetwork(backbone, head, output_stride=stride)


def _deeplabv2_resnet(name: str, n_classes: int, stride: int) -> SegmentationNetwork:
    return _deeplabv2(ResNet(name, output_stride=stride), n_classes, stride)


def _deeplabv2_mobilenet(n_classes: int, stride: int) -> SegmentationNetwork:
    return _deeplabv2(MobileNetV2(output_stride=stride), n_classes, stride)


def _deeplabv2_vgg(n_classes: int, stride: int) -> SegmentationNetwork:
    head = LinearHead(VGG16.channels, n_classes)
    return SegmentationNetwork(VGG16(output_stride=stride), head, output_stride=stride)


def _pspnet(name: str, n_classes: int, stride: int) -> SegmentationNetwork:
    return SegmentationNetwork(
        ResNet(name, output_stride=stride),
        PyramidHead(ResNet.channels, n_classes),
        AuxiliaryHead(ResNet.middle_channels, n_classes),
        output_stride=stride,
    )


def _deeplabv3plus(backbone: Backbone, n_classes: int, stride: int) -> SegmentationNetwork:
    rates = [rate * OUTPUT_STRIDE // stride for rate in AtrousPyramid.RATES]
    head = DecoderHead(backbone.fine_channels, backbone.channels, n_classes, rates=rates)
    return DecodingNetwork(backbone, head, output_stride=stride)


def _deeplabv3plus_resnet(name: str, n_classes: int, stride: int) -> SegmentationNetwork:
    return _deeplabv3plus(ResNet(name, output_stride=stride), n_classes, stride)


def _deeplabv3plus_mobilenet(n_classes: int, stride: int) -> SegmentationNetwork:
    return _deeplabv3plus(MobileNetV2(output_stride=stride), n_classes, stride)


def _unet(n_classes: int, stride: int) -> SegmentationNetwork:
    head = nn.Conv2d(UNet.channels, n_classes, 3, padding=1)
    return SegmentationNetwork(UNet(), head, output_stride=stride)


_BUILDERS: dict[str, Callable[[int, int], SegmentationNetwork]] = {
    "deeplabv2-resnet101": partial(_deeplabv2_resnet, "resnet101"),
    "deeplabv2-resnet50": partial(_deeplabv2_resnet, "resnet50"),
    "deeplabv2-vgg16": _deeplabv2_vgg,
    "deeplabv2-mobilenetv2": _deeplabv2_mobilenet,
    "pspnet-resnet101": partial(_pspnet, "resnet101"),
    "pspnet-resnet50": partial(_pspnet, "resnet50"),
    "deeplabv3plus-resnet101": partial(_deeplabv3plus_resnet, "resnet101"),
    "deeplabv3plus-resnet50": partial(_deeplabv3plus_resnet, "resnet50"),
    "deeplabv3plus-mobilenetv2": _deeplabv3plus_mobilenet,
    "unet": _unet,
}
