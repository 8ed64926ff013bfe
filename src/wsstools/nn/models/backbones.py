"""The ImageNet networks without their classifiers, widened to output stride 8 or 16 by dilation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from wsstools.nn.cpu.batch_norm import BatchNorm, Rectified
from wsstools.nn.cpu.bottleneck import Bottleneck
from wsstools.nn.cpu.depthwise import Depthwise
from wsstools.nn.models.torchvision_compat import import_torchvision
from wsstools.nn.training.schedules import OUTPUT_STRIDE


class Backbone(nn.Module):
    """A network that gives its middle and its last features, of so many channels.

    The names of the tensors that torchvision's state dict has on top begin with
    `classifier_prefixes`. `steps` are the pixels from a feature to the next, of each of the
    `levels`; the second of a network for ImageNet is at stride 4, of `fine_channels`.
    """

    classifier_prefixes: tuple[str, ...] = ()
    fine_channels: int
    middle_channels: int
    channels: int
    steps: tuple[int, ...]

    def levels(self, images: Tensor) -> list[Tensor]:
        """Features after each stage, (N, C, h, w) at strides of `steps`; `forward` has the last.

        Of (N, 3, H, W), normalized; the first of each is on the first pixel.
        """
        raise NotImplementedError

    def from_imagenet(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of torchvision's ImageNet state dict, without those of the classifier.

        ValueError if a tensor that has to be converted is missing or has another shape.
        """
        return {
            name: tensor
            for name, tensor in state.items()
            if not name.startswith(self.classifier_prefixes)
        }


class ResNet(Backbone):
    """ResNet-50 or ResNet-101 of torchvision; layers 3 and 4 dilate in place of striding.

    At output stride 16 only layer 4 does.

    Parameters are named as in torchvision's state dicts. ``forward`` takes (N, 3, H, W) and
    returns layer 3, (N, 1024, h, w), and layer 4, (N, 2048, h, w).

    Notes
    -----
    At every fourth position, the last features are exactly those of the network with strides. Its
    3x3 convolutions stride in torchvision, so the first of layer 3 keeps dilation 1 and the first
    of layer 4 has 2; all others have 2 and 4. Where a 1x1 convolution strides, as in the weights
    that DeepLabV2 started from, the same rule gives 2 and 4 to all; PSPNet's prototxt has 2 and 4
    in all too. The last features see 427 pixels with ResNet-50 and 971 with ResNet-101 (483 and
    1027 where 1x1 convolutions stride). At output stride 16 layer 3 is the original's, layer 4
    has dilation 1 and then 2, and every second feature is the original's.
    """

    classifier_prefixes = ("fc.",)
    fine_channels = 256
    middle_channels = 1024
    channels = 2048

    def __init__(self, name: str, *, output_stride: int = OUTPUT_STRIDE) -> None:
        super().__init__()
        make = getattr(import_torchvision().models, name)
        whole = make(weights=None, replace_stride_with_dilation=[False, output_stride == 8, True])
        self.conv1, self.bn1, self.relu = whole.conv1, whole.bn1, whole.relu
        self.maxpool = whole.maxpool
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4
        self.steps = (2, 4, 8, output_stride, output_stride)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Layers 3 and 4, both at the output stride."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        middle = self.layer3(self.layer2(self.layer1(x)))  # earlier features are not kept
        return middle, self.layer4(middle)

    def levels(self, images: Tensor) -> list[Tensor]:
        """The first convolution and the four layers."""
        found = [self.relu(self.bn1(self.conv1(images)))]
        x = self.maxpool(found[0])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            found.append(x)
        return found


class MobileNetV2(Backbone):
    """MobileNetV2 of torchvision up to its last bottleneck, at output stride 8 or 16.

    Parameters are named as in torchvision's state dicts. ``forward`` takes (N, 3, H, W) and
    returns blocks 13 (N, 96, h, w) and 17 (N, 320, h, w).
    """

    classifier_prefixes = ("features.18.", "classifier.")
    fine_channels = 24
    middle_channels = 96
    channels = 320

    def __init__(self, *, output_stride: int = OUTPUT_STRIDE) -> None:
        super().__init__()
        whole = import_torchvision().models.mobilenet_v2(weights=None)
        self.features = whole.features[:18]
        for number, block in enumerate(self.features):
            stride = 32 if number >= 14 else 16 if number >= 7 else 8  # at most, in the original
            _replace_depthwise(block, max(1, stride // output_stride))
        self.features = _with_fast_norms(self.features)
        self.steps = (2, 4, 8, output_stride, output_stride, output_stride)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks 13 and 17, both at the output stride."""
        middle = self.features[:14](images)
        return middle, self.features[14:](middle)

    def levels(self, images: Tensor) -> list[Tensor]:
        """Blocks 1, 3, 6, 10, 13 and 17: the last ones of a width."""
        found = []
        for first, last in pairwise((0, 2, 4, 7, 11, 14, 18)):
            images = self.features[first:last](images)
            found.append(images)
        return found


# Filters and convolutions. The pooling that ends a block strides up to the output stride.
_VGG16_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
_VGG16_CLASSIFIER = {
    "classifier.0.weight": (4096, 512 * 7 * 7),
    "classifier.0.bias": (4096,),
    "classifier.3.weight": (4096, 4096),
    "classifier.3.bias": (4096,),
}


class VGG16(Backbone):
    """VGG-16 as in DeepLab-LargeFOV, with its first two classifying layers as convolutions.

    The pooling is 3x3, the last two poolings do not stride, and the fifth block dilates by 2.
    After an average over 3x3 comes fc6, 3x3 dilated by 12, and fc7, 1x1, each with 1024 filters,
    rectified, half of them dropped while training. There is no batch normalization. At output
    stride 16 the last pooling but one strides, and both dilations are halved.

    ``features`` is numbered as in torchvision. ``forward`` takes (N, 3, H, W) and returns the
    averages (N, 512, h, w) and fc7 (N, 1024, h, w).

    References
    ----------
    Chen et al., ICLR 2015, sections 3.1 and 3.2, and table 2 (LargeFOV); the authors' prototxt.
    """

    classifier_prefixes = ("classifier.",)
    fine_channels = 128
    middle_channels = 512
    channels = 1024

    def __init__(self, *, output_stride: int = OUTPUT_STRIDE) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, original, stride = 3, 1, 1
        for width, convolutions in _VGG16_BLOCKS:
            dilation = original // stride
            for _ in range(convolutions):
                conv = nn.Conv2d(before, width, 3, padding=dilation, dilation=dilation)
                layers += [conv, nn.ReLU(inplace=True)]
                before = width
            strides = stride < output_stride
            layers.append(nn.MaxPool2d(3, 2 if strides else 1, padding=1))
            original, stride = 2 * original, 2 * stride if strides else stride
        self.features = nn.Sequential(*layers)
        self.average = nn.AvgPool2d(3, stride=1, padding=1)
        rate = 3 * original // stride  # see from_imagenet
        self.fc6 = nn.Conv2d(512, 1024, 3, padding=rate, dilation=rate)
        self.fc7 = nn.Conv2d(1024, 1024, 1)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.steps = (2, 4, 8, output_stride, output_stride, output_stride)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # as torchvision's convolutions
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What fc6 takes, and what fc7 gives, both at the output stride."""
        middle = self.average(self.features(images))
        return middle, self._classified(middle)

    def levels(self, images: Tensor) -> list[Tensor]:
        """The five blocks, the last one averaged, and fc7."""
        found = []
        x = images
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
        found[-1] = self.average(found[-1])
        return [*found, self._classified(found[-1])]

    def _classified(self, middle: Tensor) -> Tensor:
        x = self.dropout(self.relu(self.fc6(middle)))
        classified: Tensor = self.dropout(self.relu(self.fc7(x)))
        return classified

    def from_imagenet(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of torchvision's VGG-16, its fully connected layers thinned out.

        A state dict that has an fc6 already is taken as it is.

        Notes
        -----
        With filters 0, 4, 8, .. of the 4096 in both layers, and rows and columns 0, 3 and 6 of
        the 7x7 positions::

            fc6.weight[i, c, u, v] = classifier.0.weight[4 i, 49 c + 7 (3 u) + 3 v]
            fc7.weight[i, j, 0, 0] = classifier.3.weight[4 i, 4 j]

        The 7x7 positions are 32 pixels apart in the original, which is 4 at stride 8; every third
        of them has the dilation of 12, of 6 at stride 16. The paper thins out in space by "simple
        decimation" and goes from 4096 to 1024 filters without saying which; every fourth is
        decimation too.

        References
        ----------
        Chen et al., ICLR 2015, section 3.2.
        """
        adapted = super().from_imagenet(state)
        if "fc6.weight" in adapted:
            return adapted
        for name, shape in _VGG16_CLASSIFIER.items():
            if name not in state:
                raise ValueError(f"{name} is missing")
            if state[name].shape != shape:
                raise ValueError(f"{name} has shape {tuple(state[name].shape)}, expected {shape}")
        spatial = state["classifier.0.weight"].reshape(4096, 512, 7, 7)
        adapted["fc6.weight"] = spatial[::4, :, ::3, ::3]
        adapted["fc6.bias"] = state["classifier.0.bias"][::4]
        adapted["fc7.weight"] = state["classifier.3.weight"][::4, ::4, None, None]
        adapted["fc7.bias"] = state["classifier.3.bias"][::4]
        return adapted


def _replace_depthwise(block: nn.Module, dilation: int) -> None:
    """Take ours for the depthwise convolutions of a block; a stride gives way to a dilation."""
    for parent in list(block.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Conv2d) and layer.groups > 1:
                strides = layer.stride != (1, 1)
                ours = Depthwise(
                    layer.in_channels,
                    stride=2 if strides and dilation == 1 else 1,
                    dilation=dilation // 2 if strides and dilation > 1 else dilation,
                )
                ours.weight = layer.weight
                setattr(parent, name, ours)


def _with_fast_norms(layer: nn.Module) -> nn.Module:
    """Take ours for batch normalization, and for what it is in the middle of."""
    for name, child in layer.named_children():
        setattr(layer, name, _with_fast_norms(child))
    if isinstance(layer, nn.BatchNorm2d):
        ours = BatchNorm(layer.num_features, eps=layer.eps, momentum=layer.momentum)
        ours.load_state_dict(layer.state_dict())
        return ours
    children = list(layer.children())
    if Bottleneck.fits(children):
        return Bottleneck(*children)
    kinds = [type(child) for child in children]
    return Rectified(*children) if kinds[1:] == [BatchNorm, nn.ReLU6] else layer
