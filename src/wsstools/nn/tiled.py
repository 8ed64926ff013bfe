"""Class probabilities of a part of a large image, from a network that sees not much more of it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsstools.core.arrays import AnyArray
from wsstools.core.tiles import Tile, widened
from wsstools.nn.models.heads import AtrousPyramid, PyramidHead
from wsstools.nn.models.networks import SegmentationNetwork, upsample
from wsstools.nn.predict import Views, mean_of_views

_OF_BACKBONE = 192
"""Pixels; what the backbone sees farther away counts little. See `reach`."""


def reach(network: SegmentationNetwork) -> int:
    """Pixels around a tile that the network sees with it: its largest atrous rate, and 192 more.

    Of DeepLabV2 on MobileNetV2, at an output stride of 8, they are 384. Trained on CamVid, its
    probabilities inside a tile then differ from those of the whole image by 1e-4 at most; with 320
    by 1e-3, with 448 by nothing.
    """
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    rates = [layer.dilation[0] * (layer.kernel_size[0] // 2) for layer in convolutions]
    return max(rates) * network.output_stride + _OF_BACKBONE


def pools_over_image(network: SegmentationNetwork) -> bool:
    """Whether a part of it is a mean over all that it sees, which a tile changes."""
    pooling = (PyramidHead, AtrousPyramid)
    return any(isinstance(layer, pooling) for layer in network.modules())


def predict_tile(
    network: SegmentationNetwork,
    image: AnyArray,
    tile: Tile,
    device: str | torch.device = "cpu",
    *,
    views: Views = Views(),
    precision: str = "float32",
) -> NDArray[np.float32]:
    """Class probabilities of the pixels of a tile, (C, h, w) float32.

    Parameters and errors as of `predict.predict_probs`; `image` is the whole one, (H, W, 3). At
    each size the network sees the tile and as much around it as its `reach`, on the grid on which
    it would see the whole image.
    """

    def probs_of(scale: float, is_flipped: bool) -> Tensor:
        shown = image[:, ::-1] if is_flipped else image
        columns = tile.columns
        if is_flipped:
            columns = slice(image.shape[1] - columns.stop, image.shape[1] - columns.start)
        found = _probs(network, shown, (tile.rows, columns), scale, torch.device(device))
        return found.flip(3) if is_flipped else found

    probs: NDArray[np.float32] = mean_of_views(probs_of, views, device, precision)[0]
    return probs


def _probs(
    network: SegmentationNetwork,
    image: AnyArray,
    kept: tuple[slice, slice],
    scale: float,
    device: torch.device,
) -> Tensor:
    """Probabilities (1, C, h, w) of the pixels that are kept, from the image at one size."""
    lengths = image.shape[0], image.shape[1]
    scaled = tuple(max(1, round(scale * length)) for length in lengths)
    needed = [_Axis(n, to).sources(part) for n, to, part in zip(scaled, lengths, kept, strict=True)]
    step, margin = max(network.steps), reach(network)  # a grid on which all its features are
    seen = [
        widened(part, length, margin, step=step)
        for part, length in zip(needed, scaled, strict=True)
    ]
    pixels = _resized(_taken(image, lengths, scaled, seen, device), lengths, scaled, seen)
    size = pixels.shape[2], pixels.shape[3]
    logits = upsample(network(pixels)[0], size, network.logit_stride)
    inside = [
        slice(part.start - around.start, part.stop - around.start)
        for part, around in zip(needed, seen, strict=True)
    ]
    return _resized(logits[:, :, inside[0], inside[1]], scaled, lengths, kept).softmax(dim=1)


class _Axis:
    """One side of a picture of n pixels, shown with m, bilinearly between pixels' centres."""

    def __init__(self, n: int, m: int) -> None:
        self.n, self.m = n, m

    def sources(self, part: slice) -> slice:
        """The pixels, of n, on which those of a part, of m, depend."""
        if self.n == self.m:
            return part
        before, _ = self._places(torch.tensor([part.start, part.stop - 1]))
        return slice(int(before[0]), min(int(before[1]) + 2, self.n))

    def shown(self, values: Tensor, part: slice, dim: int) -> Tensor:
        """Values of a part, of m, from those of its `sources` along an axis."""
        if self.n == self.m:
            return values
        first = self.sources(part).start
        before, share = self._places(torch.arange(part.start, part.stop))
        after = (before + 1).clamp(max=self.n - 1)
        low = values.index_select(dim, (before - first).to(values.device))
        high = values.index_select(dim, (after - first).to(values.device))
        shape = [-1 if axis == dim else 1 for axis in range(values.ndim)]
        return low + (high - low) * share.to(values.device, torch.float32).view(shape)

    def _places(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The pixel, of n, before each of m, and how far on to the next one it is (0..1)."""
        places = ((pixels.double() + 0.5) * (self.n / self.m) - 0.5).clamp(min=0)
        before = places.floor().long()
        return before, places - before


def _taken(
    image: AnyArray,
    lengths: tuple[int, ...],
    scaled: tuple[int, ...],
    seen: list[slice],
    device: torch.device,
) -> Tensor:
    """What of the image the part that is seen depends on, (1, 3, h, w) float32."""
    rows, columns = (
        _Axis(n, m).sources(part) for n, m, part in zip(lengths, scaled, seen, strict=True)
    )
    part = np.ascontiguousarray(image[rows, columns])
    return torch.tensor(part[None], device=device).permute(0, 3, 1, 2).float()


def _resized(
    values: Tensor,
    lengths: tuple[int, ...],
    scaled: tuple[int, ...],
    parts: tuple[slice, ...] | list[slice],
) -> Tensor:
    """Values (1, C, h, w) of the sources of a part, at the pixels of the part."""
    for dim, n, m, part in zip((2, 3), lengths, scaled, parts, strict=True):
        values = _Axis(n, m).shown(values, part, dim)
    return values
