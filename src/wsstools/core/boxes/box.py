"""Boxes of whole pixels: of annotations by hand, and around the regions of ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.annotation import Annotation, Mark, Polygon, in_pixels
from wsstools.core.scribbles.class_names import ClassName

BACKGROUND = 0
"""The class of what is outside all boxes, as in PASCAL VOC."""
LEAST_AREA = 144
"""Pixels of a region that is simulated, the square of (4 x width) of strokes of width 3."""
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Box:
    """The pixels of some rows and columns of an image, which hold an object of a class."""

    class_id: int
    top: int
    left: int
    bottom: int  # the row after the last one
    right: int  # the column after the last one

    @property
    def shape(self) -> tuple[int, int]:
        """Its rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def area(self) -> int:
        """The number of its pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Where it is in an array (H, W)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def is_box(mark: Mark) -> bool:
    """Whether a mark is one upright rectangle; one without area counts."""
    if not isinstance(mark, Polygon) or len(mark.rings) != 1:
        return False
    ring = mark.rings[0]
    if len(ring) == 5 and (ring[0] == ring[4]).all():
        ring = ring[:4]
    if len(ring) != 4:
        return False
    sides = np.roll(ring, -1, axis=0) - ring  # by turns along x and along y
    return (not sides[::2, 0].any() and not sides[1::2, 1].any()) or (
        not sides[::2, 1].any() and not sides[1::2, 0].any()
    )


def boxes_of_annotation(
    annotation: Annotation, class_ids: Mapping[ClassName, int], shape: tuple[int, int]
) -> list[Box]:
    """The boxes of the marks, all of which are `is_box`, cut off at the border of an (H, W) image.

    A box holds the pixels whose centres are in it; one that holds none is left out.
    """
    boxes = []
    for mark in in_pixels(annotation, shape).marks:
        if not isinstance(mark, Polygon):
            raise ValueError(f"expected boxes, found {type(mark).__name__}")
        low, high = mark.rings[0].min(axis=0), mark.rings[0].max(axis=0)
        limits = np.array(shape[::-1])  # x, y
        left, top = (int(v) for v in np.clip(np.ceil(low), 0, limits))
        right, bottom = (int(v) for v in np.clip(np.ceil(high), 0, limits))
        if left < right and top < bottom:
            boxes.append(Box(class_ids[mark.name], top, left, bottom, right))
    return boxes


def boxes_of_labels(labels: NDArray[np.integer], min_area: int | None = None) -> list[Box]:
    """The box of each 8-connected region of a class other than BACKGROUND, class after class.

    Regions of fewer than `min_area` pixels have none; where it is None, it is LEAST_AREA, but the
    largest region of each class has one in any case.

    Examples
    --------
    >>> boxes_of_labels(np.array([[0, 7, 0], [0, 0, 7]]))
    [Box(class_id=7, top=0, left=1, bottom=2, right=3)]
    """
    boxes = []
    for class_id in np.unique(labels):
        if class_id in (BACKGROUND, IGNORE_LABEL):
            continue
        regions, _ = ndimage.label(labels == class_id, _EIGHT_NEIGHBOURS)
        areas = np.bincount(regions.ravel())[1:]
        least = LEAST_AREA if min_area is None else min_area
        if min_area is None:
            least = min(least, areas.max())
        boxes += [
            Box(int(class_id), rows.start, columns.start, rows.stop, columns.stop)
            for (rows, columns), area in zip(ndimage.find_objects(regions), areas, strict=True)
            if area >= least
        ]
    return boxes


def back_to_front(boxes: Iterable[Box]) -> list[Box]:
    """The boxes as they cover each other: larger ones first, equal ones in their order."""
    return sorted(boxes, key=lambda box: -box.area)
