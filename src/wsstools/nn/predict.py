"""Class probabilities of images, from a network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from wsstools.core.arrays import AnyArray
from wsstools.core.local.features import Level, NetworkFeatures
from wsstools.errors import DataError
from wsstools.nn.models.networks import SegmentationNetwork, upsample


@dataclass(frozen=True)
class Views:
    """How often, and how, a network looks at an image; the probabilities are averaged."""

    scales: tuple[float, ...] = (1.0,)  # sizes at which it is shown, in units of its own
    flip: bool = False  # it is also shown mirrored left to right, at each size


@torch.inference_mode()
def predict_probs(
    network: SegmentationNetwork,
    images: AnyArray,
    device: str | torch.device = "cpu",
    *,
    views: Views = Views(),
    precision: str = "float32",
) -> NDArray[np.float32]:
    """Class probabilities of each pixel, (C, H, W) float32, or (N, C, H, W) for several images.

    The network is in eval mode, on `device`. The images are (H, W, 3) or (N, H, W, 3), RGB in
    0..255. `precision` is float32, bfloat16 or float16, of the convolutions; logits and
    probabilities are float32. DataError if they are not finite: the weights are not, or too large
    for the precision.

    Notes
    -----
    The softmax comes before the mean over the views: each then weighs the same, however large its
    logits. (DeepLabV2 takes the maximum of the logits over the sizes, but is trained to.)

    The number of threads, and of images at a time, changes the last bits: a caller that wants the
    same bits from any number of processes fixes them, the former with
    ``torch.set_num_threads(1)``.
    """
    is_single = images.ndim == 3
    whole = torch.tensor(images[None] if is_single else images, device=device)
    pixels = whole.permute(0, 3, 1, 2).float()  # (N, 3, H, W), channels last in memory

    def probs_of(scale: float, is_flipped: bool) -> Tensor:
        scaled = _resized(pixels, scale)
        if is_flipped:
            return _probs(network, scaled.flip(3), pixels).flip(3)
        return _probs(network, scaled, pixels)

    probs = mean_of_views(probs_of, views, device, precision)
    return probs[0] if is_single else probs


@torch.inference_mode()
def mean_of_views(
    probs_of: Callable[[float, bool], Tensor],
    views: Views,
    device: str | torch.device,
    precision: str,
) -> NDArray[np.float32]:
    """The mean of probabilities (N, C, h, w) over the views, each a scale and whether flipped.

    DataError if it is not finite.
    """
    is_half = precision != "float32"
    kind = torch.device(device).type
    autocast = torch.autocast(kind, getattr(torch, precision)) if is_half else None
    total = torch.zeros((), device=device)
    with autocast or contextlib.nullcontext():
        for scale in views.scales:
            total = total + probs_of(scale, False)
            if views.flip:
                total = total + probs_of(scale, True)
    if not torch.isfinite(total).all():
        hint = f" in {precision}; --precision float32 reaches further" if is_half else ""
        raise DataError(f"the network's probabilities are not finite{hint}")
    n_views = len(views.scales) * (1 + views.flip)
    probs: NDArray[np.float32] = (total / n_views).cpu().numpy()
    return probs


@torch.inference_mode()
def network_features(network: SegmentationNetwork, image: AnyArray) -> NetworkFeatures:
    """The features of a network's blocks and its logits on one image, for local models.

    The network is in eval mode, on the CPU; the image is (H, W, 3), RGB in 0..255. As for
    `predict_probs`, the number of threads changes the last bits.
    """
    height, width = image.shape[:2]
    levels = network.levels(torch.tensor(image[None]).permute(0, 3, 1, 2).float())
    found = []
    for values, step in zip(levels, network.steps, strict=True):
        array = np.ascontiguousarray(values[0].numpy())
        if not np.isfinite(array).all():
            raise DataError("the network's features are not finite")
        found.append(Level(array, step))
    return NetworkFeatures(found, height, width)


def fuse_batch_norm(network: SegmentationNetwork) -> SegmentationNetwork:
    """The network, changed in place, with batch normalization folded into its convolutions.

    It is in eval mode and predicts the same up to rounding, with a pass over the features less for
    each layer, and cannot be trained any more.
    """
    for module in list(network.modules()):
        children = list(module.named_children())
        for (name, layer), (next_name, norm) in pairwise(children):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(layer, norm))
                setattr(module, next_name, nn.Identity())
    return network


def _resized(pixels: Tensor, scale: float) -> Tensor:
    height, width = pixels.shape[2:]
    size = max(1, round(scale * height)), max(1, round(scale * width))
    if size == (height, width):
        return pixels
    return F.interpolate(pixels, size, mode="bilinear", align_corners=False)


def _probs(network: SegmentationNetwork, scaled: Tensor, pixels: Tensor) -> Tensor:
    """Probabilities at the size of `pixels` from the images at another size."""
    size, scaled_size = tuple(pixels.shape[2:]), tuple(scaled.shape[2:])
    shown = (scaled_size[0], scaled_size[1])
    logits = upsample(network(scaled)[0], shown, network.logit_stride)
    if scaled_size != size:
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    return logits.softmax(dim=1)
