"""What turns the features of a backbone into logits: the heads of DeepLab and PSPNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from wsstools.nn.cpu.branches import summed_branches
from wsstools.nn.models.resizing import bilinear, bin_means


class AtrousHead(nn.Module):
    """DeepLabV2: the sum of four dilated 3x3 convolutions (ASPP-L).

    References
    ----------
    Chen et al., 2018, IEEE TPAMI 40(4), section 4.1.2, for `RATES`, at output stride 8; its
    prototxt for the initialization.
    """

    RATES = (6, 12, 18, 24)

    def __init__(self, channels: int, n_classes: int, *, rates: Sequence[int] = RATES) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, n_classes, 3, padding=rate, dilation=rate) for rate in rates
        )
        for name, parameter in self.branches.named_parameters():
            nn.init.normal_(parameter, std=0.01 if name.endswith("weight") else 0.0)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, C, h, w) of features (N, channels, h, w)."""
        if not self.training or features.device.type != "cpu":
            return torch.stack([branch(features) for branch in self.branches]).sum(0)
        branches = [cast(nn.Conv2d, branch) for branch in self.branches]
        weights = torch.stack([branch.weight for branch in branches])
        biases = torch.stack([cast(Tensor, branch.bias) for branch in branches])
        rates = [branch.dilation[0] for branch in branches]
        return summed_branches(features, weights, biases, rates)


class LinearHead(nn.Conv2d):
    """DeepLab-LargeFOV: one 1x1 convolution.

    References
    ----------
    Chen et al., ICLR 2015; its prototxt for the initialization.
    """

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__(channels, n_classes, 1)
        nn.init.normal_(self.weight, std=0.01)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]


class PyramidHead(nn.Module):
    """PSPNet: features joined by their means over 1x1, 2x2, 3x3 and 6x6 bins.

    References
    ----------
    Zhao et al., CVPR 2017, section 3.2; its prototxt for widths and initialization, the authors'
    later PyTorch code for dropping whole channels.
    """

    def __init__(
        self, channels: int, n_classes: int, *, bins: Sequence[int] = (1, 2, 3, 6), width: int = 512
    ) -> None:
        super().__init__()
        self.bins = tuple(bins)
        self.levels = nn.ModuleList(_conv(channels, channels // len(bins), 1) for _ in bins)
        self.classifier = nn.Sequential(
            _conv(2 * channels, width, 3), nn.Dropout2d(0.1), nn.Conv2d(width, n_classes, 1)
        )
        _initialize(self)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, C, h, w) of features (N, channels, h, w)."""
        size = (features.shape[2], features.shape[3])
        pooled = [
            bilinear(level(bin_means(features, n)), size).to(features.dtype)
            for n, level in zip(self.bins, self.levels, strict=True)
        ]
        logits: Tensor = self.classifier(torch.cat([features, *pooled], dim=1))
        return logits


class AuxiliaryHead(nn.Sequential):
    """PSPNet: logits of earlier features, for a second loss that eases training."""

    def __init__(self, channels: int, n_classes: int) -> None:
        width = channels // 4
        super().__init__(
            _conv(channels, width, 3), nn.Dropout2d(0.1), nn.Conv2d(width, n_classes, 1)
        )
        _initialize(self)


class AtrousPyramid(nn.Module):
    """DeepLabV3: features of four rates and of the whole image, joined (ASPP).

    `RATES` are those at output stride 8; they count in features.

    References
    ----------
    Chen et al., Rethinking Atrous Convolution, arXiv:1706.05587, section 3.3; the authors' code for
    the dropout.
    """

    RATES = (12, 24, 36)
    WIDTH = 256

    def __init__(self, channels: int, *, rates: Sequence[int] = RATES) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                _conv(channels, self.WIDTH, 1),
                *(_conv(channels, self.WIDTH, 3, dilation=rate) for rate in rates),
            ]
        )
        self.pooling = _conv(channels, self.WIDTH, 1)
        n_joined = len(self.branches) + 1
        self.projection = nn.Sequential(
            _conv(n_joined * self.WIDTH, self.WIDTH, 1), nn.Dropout(0.1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, WIDTH, h, w) of features (N, channels, h, w)."""
        joined = [branch(features) for branch in self.branches]
        pooled = self.pooling(features.mean((2, 3), keepdim=True))  # (N, WIDTH, 1, 1)
        projected: Tensor = self.projection(torch.cat([*joined, pooled.expand_as(joined[0])], 1))
        return projected


class DecoderHead(nn.Module):
    """DeepLabV3+: the atrous pyramid, refined by finer features of few channels.

    References
    ----------
    Chen et al., ECCV 2018, section 3.1, and table 2 for widths and depth.
    """

    def __init__(
        self,
        fine_channels: int,
        channels: int,
        n_classes: int,
        *,
        rates: Sequence[int] = AtrousPyramid.RATES,
        fine_width: int = 48,
    ) -> None:
        super().__init__()
        width = AtrousPyramid.WIDTH
        self.pyramid = AtrousPyramid(channels, rates=rates)
        self.reduction = _conv(fine_channels, fine_width, 1)
        self.classifier = nn.Sequential(
            _conv(width + fine_width, width, 3),
            _conv(width, width, 3),
            nn.Conv2d(width, n_classes, 1),
        )
        _initialize(self)

    def forward(self, fine: Tensor, features: Tensor) -> Tensor:
        """Logits (N, C, H, W) of (N, fine_channels, H, W) and (N, channels, h, w).

        The corners of both coincide.
        """
        reduced = self.reduction(fine)
        size = (fine.shape[2], fine.shape[3])
        context = bilinear(self.pyramid(features), size).to(reduced.dtype)
        logits: Tensor = self.classifier(torch.cat([context, reduced], dim=1))
        return logits


def _initialize(head: nn.Module) -> None:
    """New layers of PSPNet and DeepLabV3+: normal weights of variance 2 / inputs, no biases."""
    for layer in head.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _conv(channels: int, width: int, kernel: int, *, dilation: int = 1) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
