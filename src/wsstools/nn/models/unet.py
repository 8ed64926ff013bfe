"""The U-Net with which scribbles on heart scans (ACDC) are published."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstools.nn.models.backbones import Backbone
from wsstools.nn.models.resizing import bilinear, cropped

_WIDTHS = (16, 32, 64, 128, 256)
_DROPOUTS = (0.05, 0.1, 0.2, 0.3, 0.5)
_DEEPEST = 2 ** (len(_WIDTHS) - 1)


class UNet(Backbone):
    """Five levels of two 3x3 convolutions down, and back up to the pixels of the image.

    Down by 2x2 pooling; up by a 1x1 convolution and bilinear interpolation, the corners of which
    coincide, to be joined with the level of that size. Each 3x3 convolution is normalized and has
    a leaky ReLU; between the two of a level on the way down, 5, 10, 20, 30 and 50 % are dropped.

    ``forward`` takes (N, 3, H, W), of any size, pads it at the right and at the bottom to sides of
    16 k, and returns the deepest features (N, 256, h, w), of 16x16 pixels each, and the last
    (N, 16, H, W), of one.

    References
    ----------
    Ronneberger et al., MICCAI 2015; widths, dropout and interpolation are those of Luo et al.,
    MICCAI 2022, in the authors' code (WSL4MIS), as it runs: it asks for transposed convolutions and
    does not pass that on.
    """

    middle_channels = _WIDTHS[-1]
    channels = _WIDTHS[0]
    steps = (1, 2, 4, 8, 16, 8, 4, 2, 1)

    def __init__(self) -> None:
        super().__init__()
        upwards = [(wide, narrow) for narrow, wide in pairwise(_WIDTHS)][::-1]
        self.down = nn.ModuleList(
            _level(before, width, dropout)
            for (before, width), dropout in zip(pairwise((3, *_WIDTHS)), _DROPOUTS, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.narrow = nn.ModuleList(nn.Conv2d(wide, narrow, 1) for wide, narrow in upwards)
        self.up = nn.ModuleList(_level(2 * narrow, narrow) for _, narrow in upwards)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The deepest features, at stride 16, and the last ones, at stride 1."""
        found = self._features(images)
        height, width = images.shape[2:]
        return found[len(_WIDTHS) - 1], cropped(found[-1], (height, width))

    def levels(self, images: Tensor) -> list[Tensor]:
        """The five levels down and the four up, from means of pixels brought to single ones."""
        height, width = images.shape[2:]
        return [
            values[..., :height, :width] if step == 1 else on_pixels(values, step)
            for values, step in zip(self._features(images), self.steps, strict=True)
        ]

    def _features(self, images: Tensor) -> list[Tensor]:
        # Of no negative number, whose remainder ONNX takes in another way.
        rows, columns = ((n + _DEEPEST - 1) // _DEEPEST * _DEEPEST - n for n in images.shape[2:])
        x = F.pad(images, (0, columns, 0, rows))
        found = [self.down[0](x)]
        for level in self.down[1:]:
            found.append(level(self.pool(found[-1])))
        x = found[-1]
        for beside, narrow, level in zip(found[-2::-1], self.narrow, self.up, strict=True):
            size = (beside.shape[2], beside.shape[3])
            x = level(torch.cat([beside, bilinear(narrow(x), size).to(beside.dtype)], dim=1))
            found.append(x)
        return found


def _level(before: int, width: int, dropout: float = 0.0) -> nn.Sequential:
    dropouts = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*_convolution(before, width), *dropouts, *_convolution(width, width))


def _convolution(before: int, width: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(inplace=True),
    ]


def on_pixels(x: Tensor, step: int) -> Tensor:
    """Values at pixels 0, step, 2 step, .. of x (N, C, h, w), which has one per step x step pixels.

    (N, C, h + 1, w + 1): value i of x is at pixel step i + (step - 1) / 2, in the middle of its
    own. Beyond the first and the last they are as these.
    """
    share = (step + 1) / (2 * step)  # of the value behind a pixel
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = torch.lerp(x[..., :-1, :], x[..., 1:, :], share)
    return torch.lerp(x[..., :-1], x[..., 1:], share)
