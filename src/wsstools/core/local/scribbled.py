"""The scribbled pixels of one image, as a local model learns from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import SkippedImage


@dataclass(frozen=True)
class ScribbledPixels:
    """The n pixels of an image that carry a class."""

    rows: NDArray[np.int64]  # (n,), in raster order, as the columns
    columns: NDArray[np.int64]
    labels: NDArray[np.int64]  # (n,), index of each one's class in `classes`
    classes: NDArray[np.int64]  # (K,), ids of the classes that occur, ascending
    shape: tuple[int, int]  # (H, W) of the image
    n_classes: int  # of the label space

    def evenly(self, k: int, most: int) -> NDArray[np.int64]:
        """At most so many pixels of the class number k, spread evenly over them, (n,)."""
        here = np.nonzero(self.labels == k)[0]
        count = min(len(here), most)
        return here[np.arange(count) * len(here) // count]

    def only(self, chosen: NDArray[np.bool_]) -> ScribbledPixels:
        """Those of the pixels that `chosen`, (n,), says."""
        kept, labels = np.unique(self.labels[chosen], return_inverse=True)
        return ScribbledPixels(
            self.rows[chosen],
            self.columns[chosen],
            labels,
            self.classes[kept],
            self.shape,
            self.n_classes,
        )

    def scribbles(self) -> NDArray[np.uint8]:
        """They as scribbles, (H, W) uint8, 255 = unlabelled."""
        scribbles = np.full(self.shape, IGNORE_LABEL, np.uint8)
        scribbles[self.rows, self.columns] = self.classes[self.labels]
        return scribbles

    def certain(self) -> ProbabilityMap:
        """The map of an image in which a single class is scribbled: probability 1."""
        return ProbabilityMap(np.ones((1, *self.shape), np.float32), self.classes, self.n_classes)


def scribbled_pixels(
    image: AnyArray, scribbles: NDArray[np.uint8], n_classes: int | None
) -> ScribbledPixels:
    """The pixels of (H, W) `scribbles` that are not 255, checked against the image.

    Where `n_classes` is None, the largest class that is scribbled is the last one. SkippedImage if
    nothing is scribbled.
    """
    if image.shape[:2] != scribbles.shape:
        raise ValueError(f"image has shape {image.shape[:2]}, scribbles {scribbles.shape} (H, W)")
    rows, columns = np.nonzero(scribbles != IGNORE_LABEL)
    if not len(rows):
        raise SkippedImage("no scribble in it")
    classes, labels = np.unique(scribbles[rows, columns], return_inverse=True)
    if n_classes is None:
        n_classes = int(classes[-1]) + 1
    if classes[-1] >= n_classes:
        raise ValueError(
            f"scribbles hold class {classes[-1]}, expected 0..{n_classes - 1} or 255 (unlabelled)"
        )
    return ScribbledPixels(
        rows, columns, labels, classes.astype(np.int64), scribbles.shape, n_classes
    )
