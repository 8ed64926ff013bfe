"""Annotations by hand: lines and areas that carry class names, and the scribbles they draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage import draw

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.class_names import ClassName
from wsstools.core.scribbles.remapping import Remapping, remapped
from wsstools.core.scribbles.strokes import Stroke, draw_strokes, pixels_of


@dataclass(frozen=True)
class Line:
    """An open line."""

    name: ClassName  # of its class, or its id
    points: NDArray[np.float64]  # (N, 2), x, y; (0, 0) is the centre of the upper left pixel


@dataclass(frozen=True)
class Area:
    """Some pixels."""

    name: ClassName  # of their class, or its id
    corner: tuple[int, int]  # x, y of the mask's upper left pixel, which may be outside the image
    mask: NDArray[np.bool_]  # (h, w)


@dataclass(frozen=True)
class Polygon:
    """The pixels whose centres are in a polygon, which may have holes and several parts.

    Attributes
    ----------
    name : str or int
        Name of their class, or its id.
    rings : tuple of (N, 2) float64
        x, y of closed lines, as the points of a Line. A pixel that an odd number of them enclose
        is inside.
    """

    name: ClassName
    rings: tuple[NDArray[np.float64], ...]


Mark: TypeAlias = "Line | Area | Polygon"
Unit: TypeAlias = Literal["pixel", "image", "span"]
"""What coordinates count: pixels; shares of width and height, from the corner of the first pixel;
or shares of the way from the centre of the first to that of the last pixel."""


@dataclass(frozen=True)
class Annotation:
    """What a file says of one image."""

    marks: tuple[Mark, ...]  # in drawing order
    shape: tuple[int, int] | None = None  # (H, W) of the image, if the file states it
    class_names: tuple[str, ...] | None = None  # by id, if the format or the file fixes them
    unit: Unit = "pixel"  # what the coordinates of lines and polygons count
    remapping: Remapping | None = None  # the ids that replace those that are drawn


def draw_annotation(
    annotation: Annotation,
    class_ids: Mapping[ClassName, int],
    shape: tuple[int, int],
    *,
    width: float = 3,
) -> NDArray[np.uint8]:
    """Scribbles, (H, W) uint8, 255 where nothing is drawn; later marks cover earlier ones.

    `class_ids` are those of `resolve_names`, `width` the diameter of the brush in pixels. What is
    outside of the image is cut off.
    """
    scribbles = np.full(shape, IGNORE_LABEL, np.uint8)
    for mark in in_pixels(annotation, shape).marks:
        class_id = class_ids[mark.name]
        if isinstance(mark, Line):
            covered = draw_strokes([Stroke(0, mark.points)], shape, width=width) == 0
            scribbles[covered] = class_id
        else:
            _fill(scribbles, _filled(mark, shape) if isinstance(mark, Polygon) else mark, class_id)
    if annotation.remapping is not None:
        scribbles = remapped(scribbles, annotation.remapping).astype(np.uint8)
    return scribbles


def in_pixels(annotation: Annotation, shape: tuple[int, int]) -> Annotation:
    """The annotation of an (H, W) image with all coordinates in pixels."""
    if annotation.unit == "pixel":
        return annotation
    size = np.array(shape[::-1], np.float64)

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points * size - 0.5 if annotation.unit == "image" else points * (size - 1)

    marks = tuple(
        replace(mark, points=moved(mark.points))
        if isinstance(mark, Line)
        else replace(mark, rings=tuple(moved(ring) for ring in mark.rings))
        if isinstance(mark, Polygon)
        else mark
        for mark in annotation.marks
    )
    return replace(annotation, marks=marks, unit="pixel")


def points_outside(annotation: Annotation, shape: tuple[int, int]) -> int:
    """How many points of the lines are in no pixel of an (H, W) image."""
    marks = in_pixels(annotation, shape).marks
    lines = [mark.points for mark in marks if isinstance(mark, Line)]
    return sum(len(points) - len(pixels_of(points, shape)[0]) for points in lines)


def areas_of_labels(labels: NDArray[np.integer], ignore: NDArray[np.bool_]) -> tuple[Area, ...]:
    """The classes in a label map, (H, W), each an Area; pixels of `ignore` are left out."""
    areas = []
    for class_id in np.unique(labels[~ignore]):
        mask = (labels == class_id) & ~ignore
        box = find_objects(mask.view(np.uint8))[0]
        areas.append(Area(int(class_id), (box[1].start, box[0].start), mask[box]))
    return tuple(areas)


def _fill(scribbles: NDArray[np.uint8], area: Area, class_id: int) -> None:
    height, width = area.mask.shape
    x, y = area.corner
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + height, scribbles.shape[0]), min(x + width, scribbles.shape[1])
    if top < bottom and left < right:
        mask = area.mask[top - y : bottom - y, left - x : right - x]
        scribbles[top:bottom, left:right][mask] = class_id


def _filled(mark: Polygon, shape: tuple[int, int]) -> Area:
    """The pixels of an (H, W) image in a polygon."""
    limits = np.array(shape[::-1])  # x, y
    points = np.concatenate(mark.rings)
    low = np.clip(np.floor(points.min(axis=0)), 0, limits).astype(int)
    high = np.clip(np.floor(points.max(axis=0)) + 1, low, limits).astype(int)
    left, top = low
    width, height = high - low
    mask = np.zeros((height, width), bool)
    for ring in mark.rings:
        mask[draw.polygon(ring[:, 1] - top, ring[:, 0] - left, mask.shape)] ^= True
    return Area(mark.name, (int(left), int(top)), mask)
