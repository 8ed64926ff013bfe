"""Labels of boxes: filled ones, inner ones, and segments of GrabCut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.boxes.box import BACKGROUND, Box, back_to_front
from wsstools.core.boxes.settings import BoxSettings
from wsstools.core.labels import IGNORE_LABEL

_OBJECT = 0.7
"""Share of the runs of GrabCut from which on a pixel is the object's (Khoreva et al.)."""
_NO_OBJECT = 0.2
"""Share below which it is background; between them it is ignored (Khoreva et al.)."""
_LEAST_IOU = 0.15
"""Of a segment and its box; a segment that covers less has failed."""


@dataclass(frozen=True)
class BoxLabels:
    """Labels that follow from boxes."""

    labels: NDArray[np.uint8]  # (H, W), 0 outside all boxes, 255 where a rule leaves it open
    failed: int  # boxes of which GrabCut found too little, which have the labels of the rule inner


def label_boxes(
    boxes: Sequence[Box],
    shape: tuple[int, int],
    *,
    rule: str = "box",
    settings: BoxSettings = BoxSettings(),
    image: NDArray[np.uint8] | NDArray[np.float32] | None = None,
    rng: np.random.Generator | None = None,
) -> BoxLabels:
    """The labels of an image with these boxes: smaller ones in front, background outside all boxes.

    Parameters
    ----------
    boxes : sequence of Box
        None of class 0; those of class 255 are ignored areas.
    shape : (int, int)
        Rows and columns of the image.
    rule : str
        `box`: all pixels of a box are its class. `inner`: those of the inner
        `settings.inner_share` of its area, the rest is 255. `grabcut`: those that GrabCut gives
        it in 70 % of the runs or more; what 20 % to 70 % give it is 255. Where this leaves less
        than 15 % of the box, `inner`.
    settings : BoxSettings
    image : (H, W, 3) uint8 or float32 in 0..255, or None
        For `grabcut`.
    rng : Generator or None
        For `grabcut`.

    References
    ----------
    A. Khoreva, R. Benenson, J. Hosang, M. Hein, B. Schiele: Simple Does It: Weakly Supervised
    Instance and Semantic Segmentation, CVPR 2017: Box, Box^i, GrabCut+^i.

    Examples
    --------
    >>> label_boxes([Box(7, 0, 1, 2, 3)], (3, 4)).labels
    array([[0, 7, 7, 0],
           [0, 7, 7, 0],
           [0, 0, 0, 0]], dtype=uint8)
    """
    labels = np.full(shape, BACKGROUND, np.uint8)
    failed = 0
    for box in back_to_front(boxes):
        patch = np.full(box.shape, box.class_id, np.uint8)
        if rule == "grabcut" and box.class_id != IGNORE_LABEL:
            if image is None or rng is None:
                raise ValueError("the rule grabcut needs an image and a generator")
            from wsstools.core.boxes.grabcut import foreground_share  # noqa: PLC0415 - scikit-learn

            share = foreground_share(image, box, runs=settings.runs, rng=rng)
            patch[share < _OBJECT] = IGNORE_LABEL
            patch[share < _NO_OBJECT] = BACKGROUND
            if (patch == box.class_id).mean() < _LEAST_IOU:
                patch, failed = inner_patch(box, settings.inner_share), failed + 1
        elif rule == "inner":
            patch = inner_patch(box, settings.inner_share)
        is_new = patch != BACKGROUND  # what is behind it shows through
        labels[box.pixels][is_new] = patch[is_new]
    return BoxLabels(labels, failed)


def inner_patch(box: Box, share: float) -> NDArray[np.uint8]:
    """The labels of a box, (h, w): its class in a `share` of the area about the centre, else 255.

    The inner part has the sides' ratio of the box, to whole pixels, and at least one pixel.

    Examples
    --------
    >>> inner_patch(Box(7, 0, 0, 3, 6), 0.1)
    array([[255, 255, 255, 255, 255, 255],
           [255, 255,   7,   7, 255, 255],
           [255, 255, 255, 255, 255, 255]], dtype=uint8)
    """
    patch = np.full(box.shape, IGNORE_LABEL, np.uint8)
    inner = [max(1, math.floor(side * math.sqrt(share) + 0.5)) for side in box.shape]
    top, left = ((side - part) // 2 for side, part in zip(box.shape, inner, strict=True))
    patch[top : top + inner[0], left : left + inner[1]] = box.class_id
    return patch
