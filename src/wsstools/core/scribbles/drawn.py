"""The strokes of scribbles as they were drawn: connected pieces of one class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL

_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class DrawnStrokes:
    """The S strokes of one image: 8-connected regions of one class, class after class."""

    numbers: NDArray[np.int32]  # (H, W), 0..S-1; -1 where nothing is drawn
    classes: NDArray[np.int64]  # (S,), the class of each

    def __len__(self) -> int:
        return len(self.classes)

    def places(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows and columns of the pixels of each stroke, in raster order."""
        rows, columns = np.nonzero(self.numbers >= 0)
        numbers = self.numbers[rows, columns]
        order = np.argsort(numbers, kind="stable")
        ends = np.bincount(numbers, minlength=len(self)).cumsum()
        for part in np.split(order, ends[:-1]) if len(self) else ():
            yield rows[part], columns[part]


def nearest_drawn(is_drawn: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row and column of the drawn pixel that is nearest to each pixel, (H, W) both."""
    from scipy import ndimage  # noqa: PLC0415 - slow to import, and --folds alone need it

    rows, columns = ndimage.distance_transform_edt(
        ~is_drawn, return_distances=False, return_indices=True
    )
    return rows, columns


def drawn_strokes(scribbles: NDArray[np.uint8]) -> DrawnStrokes:
    """The strokes of scribbles, (H, W) uint8, 255 = unlabelled; those that touch count as one."""
    from scipy import ndimage  # noqa: PLC0415 - as above

    numbers = np.full(scribbles.shape, -1, np.int32)
    classes: list[int] = []
    for c in np.flatnonzero(np.bincount(scribbles.ravel(), minlength=IGNORE_LABEL)[:IGNORE_LABEL]):
        regions, count = ndimage.label(scribbles == c, _EIGHT_NEIGHBOURS)
        here = regions > 0
        numbers[here] = regions[here] + (len(classes) - 1)
        classes += [int(c)] * int(count)
    return DrawnStrokes(numbers, np.array(classes, np.int64))
