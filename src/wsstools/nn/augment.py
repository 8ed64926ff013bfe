"""Random views of an image and its labels: scaled, turned, mirrored and cropped in one go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from wsstools.core.labels import IGNORE_LABEL
from wsstools.nn.networks import IMAGENET_MEAN
from wsstools.nn.schedules import Schedule

_MEAN = 255 * torch.tensor(IMAGENET_MEAN).view(3, 1, 1)


@dataclass(frozen=True)
class View:
    """Which part of an image a crop shows, and how.

    Attributes
    ----------
    scale : float
        Size of the scaled image over that of the image; larger shows less, in more detail.
    rotation : float
        Angle by which the image's content is turned about its centre, degrees, clockwise.
    mirror : bool
        The crop is mirrored left to right.
    row, column : int
        Upper left corner of the crop in the scaled image; negative where the image is padded.
    """

    scale: float = 1.0
    rotation: float = 0.0
    mirror: bool = False
    row: int = 0
    column: int = 0


def draw_view(shape: tuple[int, int], schedule: Schedule, *, rng: np.random.Generator) -> View:
    """A random view for training.

    Parameters
    ----------
    shape : (H, W)
        Of the image.
    schedule : Schedule
        Gives the ranges and the size of the crop.
    rng : numpy.random.Generator

    Returns
    -------
    View
        The crop lies anywhere inside the scaled image; along a side that is shorter than the
        crop, the image lies anywhere inside the crop.
    """
    scale = rng.uniform(schedule.min_scale, schedule.max_scale)
    rotation = rng.uniform(-schedule.max_rotation, schedule.max_rotation)
    mirror = schedule.mirror and rng.random() < 0.5
    rooms = [max(1, round(scale * side)) - schedule.crop for side in shape]
    row, column = (int(rng.integers(min(0, room), max(0, room) + 1)) for room in rooms)
    return View(scale, rotation, mirror, row, column)


def crop_view(
    image: NDArray, labels: NDArray[np.uint8], view: View, *, crop: int
) -> tuple[Tensor, Tensor]:
    """A square crop of an image and of its labels.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32
        RGB, 0..255.
    labels : (H, W) uint8
        255 is ignored.
    view : View
        What the crop shows.
    crop : int
        Height and width of the crop.

    Returns
    -------
    image : (3, crop, crop) float32
        Bilinear; the mean of ImageNet outside the image.
    labels : (crop, crop) uint8
        Of the nearest pixel; 255 outside the image.
    """
    grid = _source_grid(labels.shape, view, crop)
    pixels = torch.tensor(image).permute(2, 0, 1).float() - _MEAN
    # Outside the image grid_sample gives 0, so the values are shifted for 0 to mean "outside".
    nearest = torch.tensor(labels).float()[None] - IGNORE_LABEL
    cropped = _sample(pixels, grid, "bilinear") + _MEAN
    cropped_labels = _sample(nearest, grid, "nearest")[0] + IGNORE_LABEL
    return cropped, cropped_labels.to(torch.uint8)


def augment(
    image: NDArray, labels: NDArray[np.uint8], schedule: Schedule, *, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A random crop of an image and its labels; see `draw_view` and `crop_view`."""
    view = draw_view((labels.shape[0], labels.shape[1]), schedule, rng=rng)
    return crop_view(image, labels, view, crop=schedule.crop)


def _source_grid(shape: tuple[int, ...], view: View, crop: int) -> Tensor:
    """Image coordinates of the crop's pixels, (crop, crop, 2) as (x, y) for grid_sample."""
    height, width = shape
    steps = torch.arange(crop, dtype=torch.float64)
    x = (steps.flip(0) if view.mirror else steps) + view.column
    y = steps + view.row
    # Pixel centres lie at half integers: source + 1/2 = (target + 1/2) / scale.
    dx = ((x + 0.5) / view.scale - width / 2)[None, :]
    dy = ((y + 0.5) / view.scale - height / 2)[:, None]
    angle = np.deg2rad(view.rotation)
    source_x = np.cos(angle) * dx + np.sin(angle) * dy
    source_y = np.cos(angle) * dy - np.sin(angle) * dx
    # grid_sample counts from the image's centre, in half widths and half heights.
    return torch.stack([source_x * (2 / width), source_y * (2 / height)], dim=-1).float()


def _sample(channels: Tensor, grid: Tensor, mode: str) -> Tensor:
    return F.grid_sample(channels[None], grid[None], mode=mode, align_corners=False)[0]
