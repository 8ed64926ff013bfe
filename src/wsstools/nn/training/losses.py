"""Cross entropy and Dice at image size: of labels, where there are some, and of probabilities."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL
from wsstools.nn.models.networks import upsample
from wsstools.nn.training.schedules import OUTPUT_STRIDE

_LEAST = 1e-5
_SPARSE = 1 / 8
"""Share of labelled pixels below which only theirs are brought to image size."""


def class_weights(pixels: AnyArray, balance: float) -> NDArray[np.float32]:
    """How much a pixel of each class counts in the loss, (C,): ``share ** -balance``, in mean 1.

    The mean is over the labelled pixels (C,); a class without any gets the weight 0. `balance` is
    in [0, 1]: 0 weighs all pixels alike, 1 all classes.
    """
    share = pixels / pixels.sum()
    weights = np.zeros(len(share))
    np.power(share, -balance, out=weights, where=share > 0)
    weights /= share @ weights
    return weights.astype(np.float32)


def with_label_weight(
    weights: NDArray[np.float32] | None, n_classes: int, label_weight: float
) -> NDArray[np.float32]:
    """Weights (2 C,) of targets in which labels are less certain than scribbles.

    Those of the classes of scribbles come first; a pixel of the labels counts as `label_weight` of
    them. `weights` (C,) are those of classes; None: 1.
    """
    certain = np.ones(n_classes, np.float32) if weights is None else weights
    return np.concatenate([certain, np.float32(label_weight) * certain])


def target_mass(target: Tensor, weights: Tensor | None = None) -> Tensor:
    """How many pixels a target of `loss_sum` labels, on its device; 0-dimensional float64."""
    if target.ndim == 4:
        return _weighted(target, weights).sum(dtype=torch.float64)
    if weights is None:
        return (target != IGNORE_LABEL).sum(dtype=torch.float64)
    of_value = weights.new_zeros(IGNORE_LABEL + 1)
    of_value[: len(weights)] = weights
    return of_value[target.int()].sum(dtype=torch.float64)


def loss_sum(
    logits: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    *,
    stride: int = OUTPUT_STRIDE,
) -> Tensor:
    """Cross entropy, summed over the labelled pixels; 0 where there are none.

    Parameters
    ----------
    logits : (N, C, h, w)
        As a `SegmentationNetwork` gives them; they are brought to the size of the target.
    target : (N, H, W) uint8, or (N, C, H, W) float32
        Labels, 255 is ignored; or probabilities p, all 0 at ignored pixels. Their loss is
        -sum_c p_c log q_c. With 2 C weights, labels C + c are of class c too.
    weights : (C,) or (2 C,) float32 or None
        As how many pixels one of each label counts; None: as one.
    stride : int
        Pixels from a logit to the next.
    """
    logits = logits.float()
    if target.ndim == 3 and target.device.type == "cpu":  # a GPU would wait for their number
        places = (target != IGNORE_LABEL).nonzero(as_tuple=True)
        if len(places[0]) < _SPARSE * target.numel():
            labels = target[places].long()
            at_places = logits_at(logits, *places, stride=stride)
            return _cross_entropy(at_places, labels, weights)
    dense = _of_labels if target.ndim == 3 else _of_probs
    if logits.device.type != "cpu":
        return dense(logits, target, weights, stride)
    # Image by image, what is at image size stays near the processor.
    pairs = zip(logits.split(1), target.split(1), strict=True)
    return torch.stack([dense(*pair, weights, stride) for pair in pairs]).sum()


def dice_loss(
    logits: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    *,
    stride: int = OUTPUT_STRIDE,
) -> Tensor:
    """1 less the Dice coefficient, in mean over the classes that a batch labels; 0 without any.

    It is ``2 sum p y / (sum p + sum y)`` of probabilities p and targets y, over the labelled pixels
    of all images. Arguments are as for `loss_sum`; of 2 C weights, pixels of the second half
    count as theirs over those of the first.

    References
    ----------
    Gotkowski et al., ScribbleBench, MICCAI 2025: "partial" Dice; Drozdzal et al., 2016.
    """
    return dice_of(dice_sums(logits, target, weights, stride=stride))


def dice_sums(
    logits: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    *,
    stride: int = OUTPUT_STRIDE,
) -> Tensor:
    """``sum p y``, ``sum p`` and ``sum y`` of each class, (3, C); arguments as for `dice_loss`.

    Those of the parts of a batch add up to those of the batch.
    """
    n_classes = logits.shape[1]
    certainty = None
    if weights is not None and len(weights) > n_classes:
        certainty = float((weights[n_classes:].sum() / weights[:n_classes].sum()).item())
    sums = [
        _dice_sums(*pair, stride, certainty)
        for pair in zip(logits.float().split(1), target.split(1), strict=True)
    ]
    return torch.stack(sums).sum(0)


def dice_of(sums: Tensor) -> Tensor:
    """The `dice_loss` of a batch that has these `dice_sums`."""
    hit, found, truth = sums
    occurs = truth > 0
    dice = 2 * hit / (found + truth).clamp(min=_LEAST)
    lost = torch.where(occurs, 1 - dice, 0).sum()
    mean: Tensor = lost / occurs.sum().clamp(min=1)
    return mean


def dice_part(sums: Tensor, total: Tensor, share: float) -> Tensor:
    """A part's share of the Dice loss of a batch whose `dice_sums` are `total`, (3, C).

    Its gradient is that of the batch's loss by the logits of the part, which has `sums`; values
    and gradients of all parts, whose shares are 1 in all, add up to those of the batch.
    """
    total = total.detach().requires_grad_()
    value = dice_of(total)
    (slope,) = torch.autograd.grad(value, total)
    linear = (slope * sums).sum()
    return linear + (share * value - linear).detach()


def _dice_sums(logits: Tensor, target: Tensor, stride: int, certainty: float | None) -> Tensor:
    """sum p y, sum p and sum y of each class over the labelled pixels of one image, (3, C)."""
    n_classes = logits.shape[1]
    if target.ndim == 4:
        truth = target.flatten(2)[0].T  # (pixels, C)
        probs = upsample(logits, (target.shape[2], target.shape[3]), stride)
        probs = probs.flatten(2)[0].T.softmax(dim=1) * (truth.sum(1, keepdim=True) > 0)
        return torch.stack([(probs * truth).sum(0), probs.sum(0), truth.sum(0)])
    places = (target != IGNORE_LABEL).nonzero(as_tuple=True)
    labels = target[places].long()
    probs = logits_at(logits, *places, stride=stride).softmax(dim=1)
    truth = F.one_hot(labels % n_classes, n_classes).float()
    hits = probs * truth
    if certainty is not None:
        counts = torch.where(labels < n_classes, 1.0, certainty).unsqueeze(1)
        hits, probs, truth = counts * hits, counts * probs, counts * truth
    return torch.stack([hits.sum(0), probs.sum(0), truth.sum(0)])


def _of_labels(logits: Tensor, labels: Tensor, weights: Tensor | None, stride: int) -> Tensor:
    logits = upsample(logits, (labels.shape[1], labels.shape[2]), stride)
    labels = labels.long()
    entropy = _cross_entropy if logits.device.type == "cpu" else _cross_entropy_of_classes
    return entropy(logits, labels, weights)


def _cross_entropy_of_classes(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """`_cross_entropy` for a GPU, which picks nothing: torch has a few threads do it there."""
    n_classes = logits.shape[1]
    is_known = labels != IGNORE_LABEL
    counts = is_known.float()
    if weights is not None:
        counts = counts * weights[torch.where(is_known, labels, 0)]
    classes = torch.arange(n_classes, device=logits.device).view(1, -1, 1, 1)
    of_label = (labels % n_classes).unsqueeze(1) == classes
    picked = torch.where(of_label, logits.log_softmax(dim=1), 0.0).sum(dim=1)
    return -(picked * counts).sum()


def _cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Cross entropy of logits (P, C) or (N, C, H, W), summed over the labelled pixels."""
    n_classes = logits.shape[1]
    if weights is None or len(weights) == n_classes:
        return F.cross_entropy(logits, labels, weights, ignore_index=IGNORE_LABEL, reduction="sum")
    is_known = labels != IGNORE_LABEL
    classes = torch.where(is_known, labels % n_classes, IGNORE_LABEL)
    losses = F.cross_entropy(logits, classes, ignore_index=IGNORE_LABEL, reduction="none")
    return (losses * weights[torch.where(is_known, labels, 0)]).sum()


def _of_probs(logits: Tensor, probs: Tensor, weights: Tensor | None, stride: int) -> Tensor:
    logits = upsample(logits, (probs.shape[2], probs.shape[3]), stride)
    return -(logits.log_softmax(dim=1) * _weighted(probs, weights)).sum()


def _weighted(probs: Tensor, weights: Tensor | None) -> Tensor:
    return probs if weights is None else probs * weights.view(1, -1, 1, 1)


def logits_at(
    logits: Tensor, images: Tensor, rows: Tensor, columns: Tensor, *, stride: int = OUTPUT_STRIDE
) -> Tensor:
    """Logits (P, C) of single pixels, those that `upsample` gives them."""
    _, n_classes, h, w = logits.shape
    table = logits.permute(0, 2, 3, 1).reshape(-1, n_classes)
    top, left = rows // stride, columns // stride
    down = ((rows % stride) / stride).unsqueeze(1)
    right = ((columns % stride) / stride).unsqueeze(1)
    bottom, side = (top + 1).clamp(max=h - 1), (left + 1).clamp(max=w - 1)

    def row(i: Tensor) -> Tensor:
        first = (images * h + i) * w
        return torch.lerp(table[first + left], table[first + side], right)

    return torch.lerp(row(top), row(bottom), down)
