"""The ImageNet networks without their classifiers, widened to output stride 8 by dilation."""

from __future__ import annotations

from torch import Tensor, nn

from wsstools.nn.atrous import DilatedDepthwise
from wsstools.nn.torchvision_compat import import_torchvision


class Backbone(nn.Module):
    """A network that gives its middle and its last features.

    Attributes
    ----------
    classifier_prefixes : tuple of str
        How the names of the tensors begin that torchvision's state dict has on top.
    middle_channels, channels : int
        Of the middle and of the last features.
    """

    classifier_prefixes: tuple[str, ...]
    middle_channels: int
    channels: int


class ResNet(Backbone):
    """ResNet-50 or ResNet-101 of torchvision; layers 3 and 4 dilate in place of striding.

    Parameters are named as in torchvision's state dicts. ``forward`` takes (N, 3, H, W) and
    returns layer 3, (N, 1024, h, w), and layer 4, (N, 2048, h, w).
    """

    classifier_prefixes = ("fc.",)
    middle_channels = 1024
    channels = 2048

    def __init__(self, name: str) -> None:
        super().__init__()
        make = getattr(import_torchvision().models, name)
        whole = make(weights=None, replace_stride_with_dilation=[False, True, True])
        self.conv1, self.bn1, self.relu = whole.conv1, whole.bn1, whole.relu
        self.maxpool = whole.maxpool
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Layers 3 and 4 at stride 8."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        middle = self.layer3(self.layer2(self.layer1(x)))
        return middle, self.layer4(middle)


class MobileNetV2(Backbone):
    """MobileNetV2 of torchvision up to its last bottleneck, at output stride 8.

    Parameters are named as in torchvision's state dicts. ``forward`` takes (N, 3, H, W) and
    returns blocks 13 (N, 96, h, w) and 17 (N, 320, h, w).
    """

    classifier_prefixes = ("features.18.", "classifier.")
    middle_channels = 96
    channels = 320

    def __init__(self) -> None:
        super().__init__()
        whole = import_torchvision().models.mobilenet_v2(weights=None)
        self.features = whole.features[:18]
        for block in self.features[7:14]:  # stride 16 in the original
            _dilate(block, 2)
        for block in self.features[14:]:  # stride 32 in the original
            _dilate(block, 4)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks 13 and 17 at stride 8."""
        middle = self.features[:14](images)
        return middle, self.features[14:](middle)


def _dilate(block: nn.Module, dilation: int) -> None:
    """Dilate the depthwise convolutions of a block; one that strides gets half the dilation."""
    for parent in list(block.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                rate = dilation if layer.stride == (1, 1) else dilation // 2
                dilated = DilatedDepthwise(layer.in_channels, rate)
                dilated.weight = layer.weight
                setattr(parent, name, dilated)
