"""How much of a set of images is labelled, and with what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.drawn import drawn_strokes


@dataclass(frozen=True)
class ClassCount:
    """How often a class occurs."""

    pixels: int
    strokes: int  # 8-connected regions; scribbles that touch count as one
    images: int = 1


@dataclass(frozen=True)
class LabelStats:
    """What is labelled in an image or a set."""

    size: int  # pixels, labelled or not
    classes: Mapping[int, ClassCount]  # the classes that occur, ascending

    @property
    def labelled(self) -> int:
        """Pixels that carry a class."""
        return sum(count.pixels for count in self.classes.values())

    @property
    def share(self) -> float:
        """Share of the pixels that carry a class, 0..1."""
        return self.labelled / self.size if self.size else 0.0

    @property
    def strokes(self) -> int:
        """8-connected regions of one class."""
        return sum(count.strokes for count in self.classes.values())


def label_stats(labels: NDArray[np.uint8]) -> LabelStats:
    """What is labelled in one image, (H, W) uint8, 255 = unlabelled."""
    pixels = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)[:IGNORE_LABEL]
    strokes = np.bincount(drawn_strokes(labels).classes, minlength=IGNORE_LABEL)
    classes = {
        class_id: ClassCount(int(pixels[class_id]), int(strokes[class_id]))
        for class_id in np.flatnonzero(pixels).tolist()
    }
    return LabelStats(labels.size, classes)


def summed_stats(images: Iterable[LabelStats]) -> LabelStats:
    """What is labelled in a set of images."""
    size = 0
    sums: dict[int, ClassCount] = {}
    for image in images:
        size += image.size
        for class_id, count in image.classes.items():
            old = sums.get(class_id, ClassCount(0, 0, 0))
            sums[class_id] = ClassCount(
                old.pixels + count.pixels, old.strokes + count.strokes, old.images + count.images
            )
    return LabelStats(size, dict(sorted(sums.items())))
