"""Each network against its publication: sizes, what a logit sees, and its forward pass.

The forward passes are written here once more, from the papers, on nothing but the state dict.
"""

import io
import math
from functools import partial
from importlib import import_module

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wsstools.errors import DataError, UsageError
from wsstools.nn.models import initial
from wsstools.nn.models.backbones import VGG16, Backbone, MobileNetV2, ResNet
from wsstools.nn.models.heads import (
    AtrousHead,
    AtrousPyramid,
    AuxiliaryHead,
    DecoderHead,
    LinearHead,
    PyramidHead,
)
from wsstools.nn.models.initial import imagenet_state, load_initial, read_state
from wsstools.nn.models.networks import SegmentationNetwork, build, parameter_groups
from wsstools.nn.models.pretrained import PRETRAINED
from wsstools.nn.models.torchvision_compat import import_torchvision
from wsstools.nn.models.unet import UNet, on_pixels
from wsstools.nn.training.schedules import SCHEDULES

# Parameters of the whole classifiers, from the table of torchvision's documentation.
PUBLISHED = {
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "mobilenet_v2": 3_504_872,
    "vgg16": 138_357_544,
}
BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
# Table 2 of Sandler et al., CVPR 2018: expansion, channels, repeats, stride.
BOTTLENECKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip
# Where torchvision numbers the 13 convolutions of VGG-16, by block.
VGG_BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def on_meta(make, *arguments):
    """Shapes without numbers."""
    with torch.device("meta"):
        return make(*arguments).eval()


def torchvision_model(name):
    return on_meta(getattr(import_torchvision().models, name))


def filled(make, *arguments, seed=0):
    """A module in eval mode with random numbers of the size that training has."""
    generator = torch.Generator().manual_seed(seed)
    module = on_meta(make, *arguments).to_empty(device="cpu")
    for name, tensor in module.state_dict().items():
        if tensor.ndim == 4:
            std = math.sqrt(2 / tensor[0].numel())
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * std)
        elif tensor.ndim == 1:
            spread = torch.rand(tensor.shape, generator=generator)
            is_offset = name.endswith(("bias", "mean"))
            tensor.copy_(spread - 0.5 if is_offset else spread + 0.5)
    return module


# Sizes


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def pyramid_parameters(n_classes):
    """Four levels 2048 to 512, a 3x3 from 4096 to 512, the classifier; 2 numbers a norm."""
    return 4 * (2048 * 512 + 2 * 512) + (9 * 4096 * 512 + 2 * 512) + 513 * n_classes


def auxiliary_parameters(n_classes):
    return (9 * 1024 * 256 + 2 * 256) + 257 * n_classes


def atrous_parameters(channels, n_classes):
    return 4 * (9 * channels + 1) * n_classes


def decoder_parameters(fine_channels, channels, n_classes):
    """The pyramid, five branches to 256; 48 finer features; two 3x3, the classifier."""
    branches = 2 * (channels * 256 + 2 * 256) + 3 * (9 * channels * 256 + 2 * 256)
    pyramid = branches + 5 * 256 * 256 + 2 * 256
    reduction = fine_channels * 48 + 2 * 48
    return pyramid + reduction + 9 * (304 + 256) * 256 + 4 * 256 + 257 * n_classes


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        (f"deeplabv2-{name}", PUBLISHED[name] - 2049 * 1000 + atrous_parameters(2048, 21))
        for name in BLOCKS
    ]
    + [
        (
            f"pspnet-{name}",
            PUBLISHED[name] - 2049 * 1000 + pyramid_parameters(21) + auxiliary_parameters(21),
        )
        for name in BLOCKS
    ]
    + [
        (
            f"deeplabv3plus-{name}",
            PUBLISHED[name] - 2049 * 1000 + decoder_parameters(256, 2048, 21),
        )
        for name in BLOCKS
    ]
    + [
        (
            "deeplabv3plus-mobilenetv2",
            PUBLISHED["mobilenet_v2"] - 322 * 1280 - 1281 * 1000 + decoder_parameters(24, 320, 21),
        ),
        # Of grey images and four classes; with colours, two more inputs of 16 3x3 filters.
        ("unet", 1_813_764 + 2 * 9 * 16 + 17 * (9 * 16 + 1)),
        (
            "deeplabv2-mobilenetv2",
            # without the last 1x1 convolution (with its norm) and the classifier
            PUBLISHED["mobilenet_v2"] - 322 * 1280 - 1281 * 1000 + atrous_parameters(320, 21),
        ),
        (
            "deeplabv2-vgg16",
            # three fully connected layers give way to fc6, fc7 and fc8
            PUBLISHED["vgg16"]
            - (25_089 * 4096 + 4097 * 4096 + 4097 * 1000)
            + (9 * 512 + 1) * 1024
            + 1025 * 1024
            + 1025 * 21,
        ),
    ],
)
def test_networks_have_the_published_number_of_parameters(arch, expected):
    assert n_parameters(on_meta(build, arch, 21)) == expected


def test_large_fov_has_20_5_million_parameters():
    """Table 2 of Chen et al., ICLR 2015: 20.5 M for DeepLab-LargeFOV, 21 classes."""
    assert round(n_parameters(on_meta(build, "deeplabv2-vgg16", 21)) / 1e6, 1) == 20.5


def test_every_architecture_is_checked_here():
    assert set(REFERENCES) == set(SCHEDULES)


# What a logit sees


def receptive_field(layers):
    """Textbook recursion over (kernel, stride, dilation)."""
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field


def resnet_layers(name, *, is_dilated, strides_in=3):
    """The 3x3 convolutions of a ResNet, and the 1x1 ones where they stride."""
    layers = [(7, 2, 1), (3, 2, 1)]
    dilation = 1
    for number, repeats in enumerate(BLOCKS[name]):
        for block in range(repeats):
            stride = 2 if number > 0 and block == 0 else 1
            inner = dilation
            if is_dilated and number > 1 and block == 0:
                stride, dilation = 1, 2 * dilation
                inner = dilation // 2 if strides_in == 3 else dilation
            if strides_in == 1:
                layers += [(1, stride, 1), (3, 1, inner)]
            else:
                layers += [(3, stride, inner)]
    return layers


def vgg_layers():
    """Of the prototxt of DeepLab-LargeFOV, up to fc6."""
    pooled = [(3, 1, 1)] * 2 + [(3, 2, 1)]
    return [
        *pooled, *pooled, (3, 1, 1), *pooled, *[(3, 1, 1)] * 4, *[(3, 1, 2)] * 3,
        (3, 1, 1), (3, 1, 1), (3, 1, 12),
    ]  # fmt: skip


def mobilenet_layers():
    layers, jump = [(3, 2, 1)], 2
    for _, _, repeats, stride in BOTTLENECKS:
        for number in range(repeats):
            step = stride if number == 0 else 1
            layers.append((3, step if jump * step <= 8 else 1, max(1, jump // 8)))
            jump *= step
    return layers


class Averages(nn.Module):
    """Pooling of the same windows that hands its gradient to all of them."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        return F.avg_pool2d(x, self.pool.kernel_size, self.pool.stride, self.pool.padding)


def seen_by(make, pick, width, column):
    """First and last of the columns of an image that a column of features depends on.

    All weights are positive and the image is one row high, so nothing cancels.
    """
    module = on_meta(make).to_empty(device="cpu").double()
    for name, tensor in module.state_dict().items():
        tensor.fill_(
            1 / tensor[0].numel() if tensor.ndim == 4
            else 1.0 if name.endswith("var") else 0.0
        )  # fmt: skip
    for layer in list(module.modules()):
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.fill_(1)
        for name, child in layer.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(layer, name, Averages(child))
    image = torch.full((1, 3, 1, width), 0.01, dtype=torch.float64, requires_grad=True)
    module.requires_grad_(False)
    features = pick(module.eval())(image)
    (gradient,) = torch.autograd.grad(features[0, :, 0, column].sum(), image)
    columns = gradient[0].sum((0, 1)).nonzero().flatten()
    return columns[0].item(), columns[-1].item()


@pytest.mark.parametrize(
    ("make", "layers", "published"),
    [
        (lambda: ResNet("resnet50"), resnet_layers("resnet50", is_dilated=True), 427),
        (lambda: ResNet("resnet101"), resnet_layers("resnet101", is_dilated=True), 971),
        (MobileNetV2, mobilenet_layers(), 491),
        (VGG16, vgg_layers(), 435),
    ],
    ids=["resnet50", "resnet101", "mobilenet_v2", "vgg16"],
)
def test_backbones_see_what_their_layers_add_up_to(make, layers, published):
    field = receptive_field(layers)
    assert field == published
    column = (field // 2) // 8 + 1
    centre = 8 * column  # feature j sits on pixel 8 j
    found = seen_by(make, lambda backbone: lambda x: backbone(x)[1], 2 * centre + 1, column)
    assert found == (centre - field // 2, centre + field // 2)


def test_dilation_keeps_the_field_of_the_network_with_strides():
    """483 and 1027: Araujo, Norris and Sim, Distill 2019, of ResNets whose 1x1 layers stride."""
    for name, published in (("resnet50", 483), ("resnet101", 1027)):
        for dilated in (False, True):
            assert (
                receptive_field(resnet_layers(name, is_dilated=dilated, strides_in=1)) == published
            )
        assert receptive_field(resnet_layers(name, is_dilated=False)) == receptive_field(
            resnet_layers(name, is_dilated=True)
        )


def test_fc6_has_the_published_field_of_view():
    """Table 2 of Chen et al., ICLR 2015: 224 pixels, as the original 7x7 of stride 32 has.

    They count in strides of the original pool5, 32 pixels, of which kernel and dilation span
    (k - 1) d / 4 + 1: so do their rows of 4x4 with 4, and with 8 (128 and 224 pixels).
    """

    def view(kernel, dilation):
        return ((kernel - 1) * dilation / 4 + 1) * 32

    assert [view(7, 4), view(4, 4), view(4, 8)] == [224, 128, 224]
    fc6 = on_meta(VGG16).fc6
    assert view(fc6.kernel_size[0], fc6.dilation[0]) == 224


def test_atrous_head_sees_24_features_each_way():
    found = seen_by(lambda: AtrousHead(2, 3), lambda head: lambda x: head(x[:, :2]), 61, 30)
    assert found == (6, 54)
    rates = [branch.dilation for branch in AtrousHead(2, 3).branches]
    assert rates == [(6, 6), (12, 12), (18, 18), (24, 24)]


@pytest.mark.parametrize(
    ("name", "make"), [("resnet50", lambda: ResNet("resnet50")), ("mobilenet_v2", MobileNetV2)]
)
def test_dilated_backbones_are_the_strided_ones_at_more_places(name, make):
    backbone = filled(make)
    whole = torchvision_model(name)
    whole.load_state_dict(backbone.state_dict(), strict=False, assign=True)
    layers = list(whole.children())[:-2] if name == "resnet50" else whole.features[:18]
    image = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        last = backbone(image)[1]
        expected = nn.Sequential(*layers)(image)
    assert last.shape[2:] == (9, 13) and expected.shape[2:] == (3, 4)
    close(last[..., ::4, ::4], expected)


@pytest.mark.parametrize(
    "arch", ["deeplabv2-resnet50", "deeplabv2-resnet101", "deeplabv2-mobilenetv2"]
)
def test_logits_of_stride_16_are_every_second_one_of_stride_8(arch):
    fine = filled(build, arch, 3)
    coarse = on_meta(partial(build, output_stride=16), arch, 3)
    coarse.load_state_dict(fine.state_dict(), assign=True)
    plain = SegmentationNetwork(Backbone(), nn.Identity())
    for network in (fine, coarse):
        network.eval()
        network.mean, network.std = plain.mean, plain.std
    image = 255 * torch.rand(1, 3, 33, 65, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = fine(image)[0], coarse(image)[0]
    assert (expected.shape[2:], found.shape[2:]) == ((5, 9), (3, 5))
    close(found, expected[..., ::2, ::2])


# The forward pass, from the state dict alone


def close(found, expected, tolerance=1e-4):
    """Equal up to a share of the largest number."""
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


class Reference:
    """The layers of a state dict, by the names of their tensors."""

    def __init__(self, state):
        self.state = state

    def conv(self, name, x, **options):
        return F.conv2d(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), **options)

    def norm(self, name, x):
        weight, bias, mean, variance = (
            self.state[f"{name}.{part}"].view(-1, 1, 1)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def resnet(self, x, blocks):
        """He et al., CVPR 2016, striding in the 3x3 convolutions: layers 1 to 4."""
        x = self.norm("backbone.bn1", self.conv("backbone.conv1", x, stride=2, padding=3)).relu()
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        layers = []
        for number, (repeats, stride, first, others) in enumerate(
            zip(blocks, (1, 2, 1, 1), (1, 1, 1, 2), (1, 1, 2, 4), strict=True), 1
        ):
            for block in range(repeats):
                dilation = first if block == 0 else others
                at = f"backbone.layer{number}.{block}"
                x = self.bottleneck(at, x, stride if block == 0 else 1, dilation)
            layers.append(x)
        return layers

    def bottleneck(self, at, x, stride, dilation):
        y = self.norm(f"{at}.bn1", self.conv(f"{at}.conv1", x)).relu()
        y = self.conv(f"{at}.conv2", y, stride=stride, padding=dilation, dilation=dilation)
        y = self.norm(f"{at}.bn2", y).relu()
        y = self.norm(f"{at}.bn3", self.conv(f"{at}.conv3", y))
        if f"{at}.downsample.0.weight" in self.state:
            x = self.norm(f"{at}.downsample.1", self.conv(f"{at}.downsample.0", x, stride=stride))
        return (x + y).relu()

    def mobilenet(self, x):
        """Sandler et al., CVPR 2018: all bottlenecks."""
        at = "backbone.features"
        x = self.norm(f"{at}.0.1", self.conv(f"{at}.0.0", x, stride=2, padding=1)).clamp(0, 6)
        number, whole_stride = 0, 2
        bottlenecks = []
        for expansion, channels, repeats, first in BOTTLENECKS:
            for stride in (first,) + (1,) * (repeats - 1):
                number += 1
                rate = max(1, whole_stride // 8)  # what the striding one sees is spread already
                step = stride if whole_stride * stride <= 8 else 1
                whole_stride *= stride
                y = self.inverted(f"{at}.{number}.conv", x, expansion, step, rate)
                x = x + y if stride == 1 and x.shape[1] == channels else y
                bottlenecks.append(x)
        return bottlenecks

    def inverted(self, at, x, expansion, stride, rate):
        if expansion > 1:
            x = self.norm(f"{at}.0.1", self.conv(f"{at}.0.0", x)).clamp(0, 6)
        depth = 1 if expansion > 1 else 0
        options = {"stride": stride, "padding": rate, "dilation": rate, "groups": x.shape[1]}
        x = self.norm(f"{at}.{depth}.1", self.conv(f"{at}.{depth}.0", x, **options)).clamp(0, 6)
        return self.norm(f"{at}.{depth + 2}", self.conv(f"{at}.{depth + 1}", x))

    def vgg(self, x, strided=3, hole_of_last=2, hole_of_fc6=12):
        """Chen et al., ICLR 2015: fc7 of DeepLab-LargeFOV."""
        for block, numbers in enumerate(VGG_BLOCKS, 1):
            hole = hole_of_last if block == 5 else 1
            for number in numbers:
                at = f"backbone.features.{number}"
                x = self.conv(at, x, padding=hole, dilation=hole).relu()
            x = F.max_pool2d(x, 3, stride=2 if block <= strided else 1, padding=1)
        ones = torch.full((x.shape[1], 1, 3, 3), 1 / 9)  # zeros beyond the edge count, as in Caffe
        x = F.conv2d(x, ones, padding=1, groups=x.shape[1])
        x = self.conv("backbone.fc6", x, padding=hole_of_fc6, dilation=hole_of_fc6).relu()
        return self.conv("backbone.fc7", x).relu()

    def atrous(self, x):
        """Chen et al., TPAMI 2018: ASPP-L on class scores."""
        return sum(
            self.conv(f"head.branches.{branch}", x, padding=rate, dilation=rate)
            for branch, rate in enumerate((6, 12, 18, 24))
        )

    def pyramid(self, x):
        """Zhao et al., CVPR 2017, figure 3."""
        height, width = x.shape[2:]
        joined = [x]
        for level, bins in enumerate((1, 2, 3, 6)):
            means = torch.stack([
                torch.stack([x[:, :, top, left].mean((2, 3)) for left in pieces(width, bins)], -1)
                for top in pieces(height, bins)
            ], -2)  # fmt: skip
            means = self.norm(f"head.levels.{level}.1", self.conv(f"head.levels.{level}.0", means))
            joined.append(enlarged(means.relu(), (height, width)))
        return self.classified("head.classifier", torch.cat(joined, 1))

    def rectified(self, at, x, **options):
        return self.norm(f"{at}.1", self.conv(f"{at}.0", x, **options)).relu()

    def decoder(self, fine, x, rates=(12, 24, 36)):
        """Chen et al., ECCV 2018, figure 2."""
        size = x.shape[2:]
        joined = [
            self.rectified("head.pyramid.branches.0", x),
            *(
                self.rectified(f"head.pyramid.branches.{n}", x, padding=rate, dilation=rate)
                for n, rate in enumerate(rates, 1)
            ),
            self.rectified("head.pyramid.pooling", x.mean((2, 3), keepdim=True)).expand(
                -1, -1, *size
            ),
        ]
        x = enlarged(
            self.rectified("head.pyramid.projection.0", torch.cat(joined, 1)), fine.shape[2:]
        )
        x = torch.cat([x, self.rectified("head.reduction", fine)], 1)
        for n in range(2):
            x = self.rectified(f"head.classifier.{n}", x, padding=1)
        return self.conv("head.classifier.2", x)

    def unet(self, x):
        """Ronneberger et al., MICCAI 2015, as in WSL4MIS."""
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % 16, 0, -height % 16))
        levels = []
        for n in range(5):
            x = self.level(f"backbone.down.{n}", F.max_pool2d(x, 2) if n else x, 4)
            levels.append(x)
        for n, beside in enumerate(levels[3::-1]):
            x = enlarged(self.conv(f"backbone.narrow.{n}", x), beside.shape[2:])
            x = self.level(f"backbone.up.{n}", torch.cat([beside, x], 1), 3)
        return self.conv("head", x[..., :height, :width], padding=1)

    def level(self, at, x, second):
        for n in (0, second):
            x = self.norm(f"{at}.{n + 1}", self.conv(f"{at}.{n}", x, padding=1))
            x = torch.where(x > 0, x, x / 100)
        return x

    def classified(self, at, x):
        x = self.norm(f"{at}.0.1", self.conv(f"{at}.0.0", x, padding=1)).relu()
        return self.conv(f"{at}.2", x)


def pieces(size, bins):
    """Slices that cover 0..size, from floor to ceiling; index with two of them."""
    return [slice(n * size // bins, -(-(n + 1) * size // bins)) for n in range(bins)]


def interpolation(bins, size):
    """Matrix (size, bins) of linear interpolation with corners on corners."""
    if bins == 1:
        return torch.ones(size, 1)
    places = torch.arange(size) * (bins - 1) / (size - 1)
    return (1 - (places[:, None] - torch.arange(bins)).abs()).clamp(min=0)


def enlarged(x, size):
    """Bilinear, corners on corners."""
    rows, columns = (interpolation(n, to) for n, to in zip(x.shape[2:], size, strict=True))
    return torch.einsum("hi,ncij,wj->nchw", rows, x, columns)


def deeplab_resnet(name):
    return lambda layers, x: layers.atrous(layers.resnet(x, BLOCKS[name])[-1])


def pspnet(name):
    return lambda layers, x: layers.pyramid(layers.resnet(x, BLOCKS[name])[-1])


def deeplabv3plus(name):
    def logits(layers, x):
        features = layers.resnet(x, BLOCKS[name])
        return layers.decoder(features[0], features[-1])

    return logits


def deeplabv3plus_mobilenet(layers, x):
    features = layers.mobilenet(x)
    return layers.decoder(features[2], features[-1])


REFERENCES = {
    "deeplabv2-resnet101": deeplab_resnet("resnet101"),
    "deeplabv2-resnet50": deeplab_resnet("resnet50"),
    "deeplabv2-vgg16": lambda layers, x: layers.conv("head", layers.vgg(x)),
    "deeplabv2-mobilenetv2": lambda layers, x: layers.atrous(layers.mobilenet(x)[-1]),
    "pspnet-resnet101": pspnet("resnet101"),
    "pspnet-resnet50": pspnet("resnet50"),
    "deeplabv3plus-resnet101": deeplabv3plus("resnet101"),
    "deeplabv3plus-resnet50": deeplabv3plus("resnet50"),
    "deeplabv3plus-mobilenetv2": deeplabv3plus_mobilenet,
    "unet": lambda layers, x: layers.unet(x),
}


def normalized(images, stride=8):
    """As ImageNet's training images, zeros up to `stride` k + 1 at the right and at the bottom."""
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
    height, width = images.shape[2:]
    sides = (stride * math.ceil((n - 1) / stride) + 1 for n in (height, width))
    padded = torch.zeros(len(images), 3, *sides)
    padded[..., :height, :width] = (images / 255 - mean) / std
    return padded


def filled_network(arch, output_stride=8):
    network = filled(partial(build, output_stride=output_stride), arch, 5)
    plain = SegmentationNetwork(Backbone(), nn.Identity())
    network.mean, network.std = plain.mean, plain.std  # no part of the state dict
    return network


@pytest.mark.parametrize("arch", REFERENCES)
def test_forward_pass_is_the_published_one(arch):
    stride = 1 if arch == "unet" else 8
    network = filled_network(arch, stride)
    images = 255 * torch.rand(1, 3, 49, 62, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        (logits,) = network(images)
        expected = REFERENCES[arch](Reference(network.state_dict()), normalized(images, stride))
    assert logits.shape[:2] == (1, 5)
    assert logits.shape[2:] == {1: (49, 62), 4: (13, 17), 8: (7, 9)}[network.logit_stride]
    assert logits.std() > 0.01 * logits.abs().max()  # not all alike, or nothing would be shown
    close(logits, expected)


def test_large_fov_of_stride_16_strides_once_more_and_dilates_half_as_far():
    network = filled_network("deeplabv2-vgg16", 16)
    images = 255 * torch.rand(1, 3, 49, 65, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        layers = Reference(network.state_dict())
        expected = layers.conv("head", layers.vgg(normalized(images), 4, 1, 6))
        (logits,) = network(images)
    assert logits.shape == (1, 5, 4, 5)
    close(logits, expected)


def test_deeplabv3plus_of_stride_16_decodes_every_second_feature_at_half_the_rates():
    """The logits reach from the first pixel of the padded image to the last of its own."""
    network = filled_network("deeplabv3plus-mobilenetv2", 16)
    images = 255 * torch.rand(1, 3, 34, 62, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        layers = Reference(network.state_dict())
        features = layers.mobilenet(normalized(images, 16))
        expected = layers.decoder(features[2], features[-1][..., ::2, ::2], (6, 12, 18))
        (logits,) = network(images)
    assert expected.shape == (1, 5, 13, 17)
    assert logits.shape == (1, 5, 10, 17)
    close(logits, expected[..., :10, :])


@pytest.mark.parametrize("size", [(7, 9), (1, 2)])
def test_atrous_pyramid_is_torchvisions(size):
    import_torchvision()
    theirs = import_module("torchvision.models.segmentation.deeplabv3").ASPP
    ours = filled(AtrousPyramid, 6)
    other = on_meta(theirs, 6, AtrousPyramid.RATES)
    names = list(other.state_dict())
    assert [(n.ndim, n.shape) for n in other.state_dict().values()] == [
        (n.ndim, n.shape) for n in ours.state_dict().values()
    ]
    other.load_state_dict(dict(zip(names, ours.state_dict().values(), strict=True)), assign=True)
    features = torch.randn(2, 6, *size)
    with torch.no_grad():
        close(ours(features), other(features))


def test_what_is_dropped():
    """DeepLabV3+ drops 10 % of the pyramid; the U-Net more, the deeper it is."""

    def shares(module):
        return [layer.p for layer in module.modules() if isinstance(layer, nn.Dropout)]

    assert shares(on_meta(DecoderHead, 24, 64, 3)) == [0.1]
    assert shares(on_meta(UNet)) == [0.05, 0.1, 0.2, 0.3, 0.5]


@pytest.mark.parametrize(
    ("arch", "output_stride", "width"),
    [("deeplabv3plus-mobilenetv2", 8, 25), ("deeplabv3plus-mobilenetv2", 16, 33), ("unet", 1, 48)],
)
def test_mirrored_weights_give_the_mirrored_logits_of_a_mirrored_image(arch, output_stride, width):
    """So that each logit sits on its own pixel, neither before nor behind it."""
    network = filled_network(arch, output_stride)
    with torch.no_grad():
        for tensor in network.parameters():
            if tensor.ndim == 4:
                tensor.copy_((tensor + tensor.flip(3)) / 2)
        image = 255 * torch.rand(1, 3, 19, width, generator=torch.Generator().manual_seed(1))
        (logits,) = network(image)
        (mirrored,) = network(image.flip(3))
    assert logits.std() > 0.01 * logits.abs().max()
    close(mirrored, logits.flip(3))


def test_a_unet_moves_with_the_image():
    """By 16 pixels, which no pooling sees; away from the edges, to which its corners are tied."""
    network = filled_network("unet", 1)
    image = torch.zeros(1, 3, 16, 704) + 127.0
    image[..., 344:360] = 255 * torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        (logits,) = network(image)
        (moved,) = network(image.roll(16, 3))
    middle = slice(336, 368)
    close(moved[..., 352:384], logits[..., middle], 0.1)
    assert (moved[..., middle] - logits[..., middle]).abs().max() > 0.2 * logits.abs().max()


@pytest.mark.parametrize("step", [2, 4, 16])
def test_means_of_pixels_are_brought_to_pixels(step):
    """Those of a plane, which is what it is between them too."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    plane = 3 * rows - 2 * columns + 5
    found = on_pixels(F.avg_pool2d(plane[None, None], step), step)[0, 0]
    assert found.shape == (64 // step + 1, 48 // step + 1)
    close(found[1:-1, 1:-1], plane[step::step, step::step])


def test_auxiliary_head_is_the_published_one():
    features = torch.randn(2, 1024, 3, 4)
    head = filled(AuxiliaryHead, 1024, 5)
    state = {f"aux.{name}": tensor for name, tensor in head.state_dict().items()}
    with torch.no_grad():
        close(head(features), Reference(state).classified("aux", features))
    for other in (head, filled(PyramidHead, 64, 5).classifier):
        assert [layer.p for layer in other if isinstance(layer, nn.Dropout2d)] == [0.1]


# How they start and learn


def test_new_layers_start_as_in_the_prototxts():
    torch.manual_seed(0)
    for head in (LinearHead(1024, 21), *AtrousHead(256, 21).branches):
        assert head.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not head.bias.any()
    for module in (PyramidHead(256, 21, width=64), AuxiliaryHead(256, 21), DecoderHead(24, 64, 21)):
        convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
        for layer in convolutions:
            expected = math.sqrt(2 / layer.weight[0].numel())
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert not convolutions[-1].bias.any()


def test_large_fov_learns_at_the_published_factors():
    schedule = SCHEDULES["deeplabv2-vgg16"]
    network = on_meta(build, "deeplabv2-vgg16", 3)
    groups = parameter_groups(network, schedule, l2sp=False)
    assert [group["lr_factor"] for group in groups] == [1, 2, 10, 20]
    assert [group["weight_decay"] for group in groups] == [5e-4, 0, 5e-4, 0]
    assert [len(group["params"]) for group in groups] == [15, 15, 1, 1]
    assert groups[2]["params"][0] is network.head.weight
    assert not [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_large_fov_drops_half_of_both_layers_in_training_only():
    backbone = filled(VGG16)
    image = torch.randn(1, 3, 17, 17)
    inputs = []
    backbone.fc7.register_forward_hook(lambda layer, given, made: inputs.append((given[0], made)))
    torch.manual_seed(0)
    with torch.no_grad():
        whole = backbone(image)[1]
        kept = backbone.train()(image)[1]
    (sixth, _), (sixth_kept, seventh) = inputs
    assert torch.equal(whole, backbone.eval()(image)[1])
    for before, after in ((sixth, sixth_kept), (seventh.relu(), kept)):
        left = after[before > 0]
        assert 0.45 < (left == 0).float().mean() < 0.55
        torch.testing.assert_close(left[left > 0], 2 * before[before > 0][left > 0])


# Initial weights of the real form


def test_all_networks_take_torchvisions_state_dicts(monkeypatch):
    names = []

    def published(name, folder):
        names.append((name, folder))
        return torchvision_model(name).state_dict()

    monkeypatch.setattr(initial, "load_pretrained", published)
    archs = [arch for arch in SCHEDULES if arch != "unet"]
    for arch in archs:
        load_initial(on_meta(build, arch, 3), imagenet_state(arch, "weights"))
    backbones = {"mobilenetv2": "mobilenet_v2"}
    expected = [arch.partition("-")[2] for arch in archs]
    assert names == [(backbones.get(name, name), "weights") for name in expected]
    assert sorted(arch for weights in PRETRAINED.values() for arch in weights.archs) == sorted(
        archs
    )


def test_a_unet_has_no_weights_of_imagenet():
    with pytest.raises(UsageError, match=r"--init imagenet: unet has no .*; give --init random"):
        imagenet_state("unet")
    network = on_meta(build, "unet", 3)
    load_initial(network, on_meta(build, "unet", 3).state_dict())
    with pytest.raises(DataError, match=r"down\.0\.0\.weight is missing; .* more\)$"):
        load_initial(network, torchvision_model("mobilenet_v2").state_dict())


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2"])
def test_random_values_of_the_real_form_arrive(name):
    state = filled(getattr(import_torchvision().models, name), seed=3).state_dict()
    arch = f"deeplabv2-{name.replace('_', '')}"
    network = filled(build, arch, 3)
    head = {key: tensor.clone() for key, tensor in network.head.state_dict().items()}
    if name == "mobilenet_v2":  # through a file, as torchvision writes it
        file = io.BytesIO()
        torch.save(state, file)
        state = read_state(file.getvalue())
    load_initial(network, state)
    for key, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, state[key])
    for key, tensor in network.head.state_dict().items():
        assert torch.equal(tensor, head[key])


@pytest.fixture
def vgg_state():
    """Random values of torchvision's form; zeros where decimation leaves out whole filters."""
    state = {
        name: torch.zeros(tensor.shape)
        for name, tensor in torchvision_model("vgg16").state_dict().items()
    }
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state.items():
        part = tensor[::4] if name.startswith("classifier") else tensor
        part.uniform_(-1, 1, generator=generator)
    return state


def test_large_fov_starts_from_thinned_out_classifiers(vgg_state):
    network = filled(build, "deeplabv2-vgg16", 3)
    head = network.head.weight.clone()
    load_initial(network, vgg_state)
    backbone = network.backbone.state_dict()
    assert torch.equal(backbone["features.28.weight"], vgg_state["features.28.weight"])
    for row, channel, u, v in ((0, 0, 0, 0), (1, 2, 1, 2), (1023, 511, 2, 1), (77, 300, 2, 2)):
        column = 49 * channel + 7 * (3 * u) + 3 * v
        expected = vgg_state["classifier.0.weight"][4 * row, column]
        assert backbone["fc6.weight"][row, channel, u, v] == expected != 0
    for row, channel in ((0, 0), (1, 1), (1023, 1023), (5, 900)):
        expected = vgg_state["classifier.3.weight"][4 * row, 4 * channel]
        assert backbone["fc7.weight"][row, channel, 0, 0] == expected != 0
    assert torch.equal(backbone["fc6.bias"], vgg_state["classifier.0.bias"][::4])
    assert torch.equal(backbone["fc7.bias"], vgg_state["classifier.3.bias"][::4])
    assert torch.equal(network.head.weight, head)


def test_large_fov_computes_as_the_thinned_out_classifier(vgg_state):
    """Its fc6 at the middle of 25x25 features is the classifier's on every 12th of them."""
    backbone = filled(VGG16)
    backbone.load_state_dict(backbone.from_imagenet(vgg_state))
    features = torch.rand(1, 512, 25, 25)
    spread = torch.zeros(1, 512, 7, 7)
    spread[..., ::3, ::3] = features[..., ::12, ::12]
    with torch.no_grad():
        found = backbone.fc6(features)[0, :, 12, 12]
        rows = vgg_state["classifier.0.weight"][::4]
        expected = rows @ spread.flatten() + vgg_state["classifier.0.bias"][::4]
    close(found, expected)


def test_an_fc6_of_others_is_taken_as_it_is():
    network = on_meta(build, "deeplabv2-vgg16", 3)
    state = network.backbone.state_dict()
    load_initial(network, state)
    load_initial(network, {**state, "classifier.6.weight": torch.zeros(1)})
    with pytest.raises(DataError, match=r"fc7\.weight has shape \(2,\), expected \(1024, 1024"):
        load_initial(network, {**state, "fc7.weight": torch.zeros(2)})


@pytest.mark.parametrize(
    ("arch", "other", "reason"),
    [
        ("deeplabv2-resnet101", "resnet50", r"layer3\.6\.conv1\.weight is missing; .* more\)$"),
        ("deeplabv2-resnet50", "resnet101", r"layer3\.6\.conv1\.weight has no place in it; "),
        ("pspnet-resnet101", "resnet50", r"layer3\.6\.conv1\.weight is missing; "),
        ("pspnet-resnet50", "resnet34", r"layer1\.0\.conv3\.weight is missing; "),
        ("deeplabv2-resnet50", "wide_resnet50_2", r"conv1\.weight has shape \(128, 64, 1, 1\), "),
        ("deeplabv2-mobilenetv2", "vgg16", r"features\.0\.0\.weight is missing; "),
        ("deeplabv2-vgg16", "vgg19", r"features\.17\.weight is missing; .* more\)$"),
        ("deeplabv2-vgg16", "vgg16_bn", r"features\.2\.weight is missing; "),
        ("deeplabv2-vgg16", "resnet50", r"classifier\.0\.weight is missing$"),
    ],
)
def test_weights_of_other_networks_are_refused_by_tensor(arch, other, reason):
    network = on_meta(build, arch, 3)
    state = torchvision_model(other).state_dict()
    with pytest.raises(DataError, match=f"^the initial weights do not fit the network: .*{reason}"):
        load_initial(network, state)


def test_a_misshapen_classifier_is_refused_by_tensor(vgg_state):
    network = on_meta(build, "deeplabv2-vgg16", 3)
    for name, shape in (
        ("classifier.0.weight", (4096, 9)),
        ("classifier.0.bias", (1,)),
        ("classifier.3.weight", (1000, 4096)),
        ("classifier.3.bias", (4096, 1)),
    ):
        with pytest.raises(DataError) as caught:
            load_initial(network, vgg_state | {name: torch.zeros(shape)})
        expected = tuple(vgg_state[name].shape)
        assert str(caught.value).endswith(f"{name} has shape {shape}, expected {expected}")
    without = {k: v for k, v in vgg_state.items() if k != "classifier.3.bias"}
    with pytest.raises(DataError, match=r"network: classifier\.3\.bias is missing$"):
        load_initial(network, without)


@pytest.mark.shared
def test_real_weights_run_through_the_independent_forward_pass(shared):
    path = shared / "weights" / PRETRAINED["mobilenet_v2"].file
    if not path.is_file():
        pytest.skip("weights are missing")
    torch.manual_seed(0)
    network = build("deeplabv2-mobilenetv2", 5).eval()
    load_initial(network, imagenet_state("deeplabv2-mobilenetv2", str(path.parent)))
    images = 255 * torch.rand(1, 3, 33, 41)
    with torch.no_grad():
        layers = Reference(network.state_dict())
        close(network(images)[0], layers.atrous(layers.mobilenet(normalized(images))[-1]))
