"""Predicted labels corrected by boxes, between rounds of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.boxes.box import BACKGROUND, Box, back_to_front
from wsstools.core.labels import IGNORE_LABEL

LEAST_IOU = 0.5
"""Of the segment of a box's class in it and the box (Khoreva et al.)."""


@dataclass(frozen=True)
class DenoisedLabels:
    """Labels that agree with boxes."""

    labels: NDArray[np.uint8]  # (H, W)
    outside: int  # pixels that became background: of a class none of whose boxes holds them
    reset: int  # boxes that have the labels of the rule again


def denoise_labels(
    labels: NDArray[np.uint8],
    boxes: Sequence[Box],
    box_labels: NDArray[np.uint8],
    *,
    least_iou: float = LEAST_IOU,
) -> DenoisedLabels:
    """The predicted labels without what the boxes contradict.

    Parameters
    ----------
    labels : (H, W) uint8
        What a network predicts of a training image.
    boxes : sequence of Box
        The boxes of that image.
    box_labels : (H, W) uint8
        The labels that the boxes give, as of `label_boxes`.
    least_iou : float, 0..1
        A box in which the segment of its class has a smaller IoU with it is reset; larger resets
        more.

    Returns
    -------
    DenoisedLabels

    Raises
    ------
    ValueError
        If the sizes differ.

    Notes
    -----
    A pixel keeps its class where a box of that class holds it, 255 in any box; all else becomes
    background. Then a box that is reset takes `box_labels` at its pixels, apart from those that a
    smaller box covers.

    References
    ----------
    A. Khoreva et al.: Simple Does It, CVPR 2017; the third of its rules is the CRF.

    Examples
    --------
    >>> predicted = np.array([[7, 7, 0, 0, 8]], np.uint8)
    >>> box = Box(7, 0, 1, 1, 4)
    >>> denoise_labels(predicted, [box], np.array([[0, 7, 7, 7, 0]], np.uint8)).labels
    array([[0, 7, 7, 7, 0]], dtype=uint8)
    """
    if labels.shape != box_labels.shape:
        raise ValueError(
            f"labels have shape {labels.shape}, those of the boxes {box_labels.shape} (H, W)"
        )
    is_kept = labels == BACKGROUND
    in_front = np.full(labels.shape, -1)  # number of the box that covers the others
    ordered = back_to_front(boxes)
    for number, box in enumerate(ordered):
        part = labels[box.pixels]
        is_kept[box.pixels] |= (part == box.class_id) | (part == IGNORE_LABEL)
        in_front[box.pixels] = number
    denoised = np.where(is_kept, labels, np.uint8(BACKGROUND))
    reset = [
        number
        for number, box in enumerate(ordered)
        if (denoised[box.pixels] == box.class_id).mean() < least_iou
    ]
    is_reset = np.isin(in_front, reset)
    denoised[is_reset] = box_labels[is_reset]
    return DenoisedLabels(denoised, int((~is_kept).sum()), len(reset))
