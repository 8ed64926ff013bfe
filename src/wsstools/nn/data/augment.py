"""Random views of an image and of what is known about its pixels: scaled, turned, mirrored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.warp import warp_image, warp_labels, warp_probs
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.maps import ProbabilityMap
from wsstools.nn.models.networks import IMAGENET_MEAN
from wsstools.nn.training.schedules import Schedule

Target: TypeAlias = "NDArray[np.uint8] | ProbabilityMap"
"""What is known about the pixels of an image: labels, 255 is ignored, or class probabilities."""
_MEAN = tuple(255 * value for value in IMAGENET_MEAN)
_INSIDE = 0.5
"""Share of a pixel of a view that must be inside the image."""


@dataclass(frozen=True)
class View:
    """Which part of an image a crop shows, and how."""

    # size of the scaled image over that of the image; larger shows less, in more detail
    scale: float = 1.0
    rotation: float = 0.0  # the image's content is turned about its centre, degrees, clockwise
    mirror: bool = False  # the crop is mirrored left to right
    row: int = 0  # upper left corner of the crop in the scaled image; negative where it is padded
    column: int = 0

    def matrix(self, shape: tuple[int, int], crop: int) -> NDArray[np.float64]:
        """Rows and columns in an image of (H, W) pixels of those of its crop; see `warp_image`."""
        # Pixel centres are at half integers here: source + 1/2 = (target + 1/2) / scale.
        centre_y, centre_x = shape[0] / 2, shape[1] / 2
        step_x = -1.0 if self.mirror else 1.0
        first_x = self.column + (crop - 0.5 if self.mirror else 0.5)
        to_y = np.array([1.0, 0.0, self.row + 0.5 - centre_y * self.scale]) / self.scale
        to_x = np.array([0.0, step_x, first_x - centre_x * self.scale]) / self.scale
        angle = np.deg2rad(self.rotation)
        back_y = np.cos(angle) * to_y - np.sin(angle) * to_x
        back_x = np.cos(angle) * to_x + np.sin(angle) * to_y
        back_y[2] += centre_y - 0.5
        back_x[2] += centre_x - 0.5
        return np.stack([back_y, back_x])


def draw_view(shape: tuple[int, int], schedule: Schedule, *, rng: np.random.Generator) -> View:
    """A random view of an image of (H, W) for training, in the ranges of the schedule.

    The crop is anywhere inside the scaled image; along a side that is shorter than the crop, the
    image is anywhere inside the crop.
    """
    scale = rng.uniform(schedule.min_scale, schedule.max_scale)
    rotation = rng.uniform(-schedule.max_rotation, schedule.max_rotation)
    mirror = schedule.mirror and rng.random() < 0.5
    rooms = [max(1, round(scale * side)) - schedule.crop for side in shape]
    row, column = (int(rng.integers(min(0, room), max(0, room) + 1)) for room in rooms)
    return View(scale, rotation, mirror, row, column)


def crop_view(
    image: AnyArray, target: Target, view: View, *, crop: int, min_prob: float = 0.0
) -> tuple[NDArray[np.float32], AnyArray]:
    """A square crop of an image and of what is known about its pixels.

    Returns
    -------
    image : (crop, crop, 3) float32
        Bilinear; the mean of ImageNet outside the image.
    target : (crop, crop) uint8, or (C, crop, crop) float32
        Labels of the nearest pixel, 255 outside the image; or probabilities of all classes,
        bilinear, 0 outside and where the most probable class is less probable than `min_prob`.
    """
    matrix = view.matrix((image.shape[0], image.shape[1]), crop)
    pixels = warp_image(image, matrix, crop, _MEAN)
    if not isinstance(target, ProbabilityMap):
        return pixels, warp_labels(target, matrix, crop)
    probs = warp_probs(target.probs, matrix, crop)
    total = probs.sum(axis=0)  # below 1 at the image's border
    is_known = (total >= _INSIDE) & (probs.max(axis=0) >= min_prob * total)
    probs = np.divide(probs, total, out=np.zeros_like(probs), where=is_known)
    return pixels, replace(target, probs=probs).dense()


def real_pixels(shape: tuple[int, int], view: View, crop: int) -> NDArray[np.bool_]:
    """Which pixels of a view show the image of (H, W), (crop, crop)."""
    found = warp_labels(np.zeros(shape, np.uint8), view.matrix(shape, crop), crop)
    is_real: NDArray[np.bool_] = found != IGNORE_LABEL
    return is_real
