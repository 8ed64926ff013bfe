"""Annotations by hand: lines and areas that carry class names, and the scribbles they draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from skimage import draw

from wsstools.core.labels import IGNORE_LABEL, IGNORED_NAME
from wsstools.core.scribbles.remapping import Remapping, remapped
from wsstools.core.scribbles.strokes import Stroke, draw_strokes

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""The classes of PASCAL VOC, in the order of their ids."""

SYNONYMS = (
    ("aeroplane", "plane"),
    ("bicycle", "bike"),
    ("diningtable", "table"),
    ("pottedplant", "plant"),
    ("tvmonitor", "monitor"),
)
"""Names of one class: PASCAL VOC's, and the tag that ScribbleSup has for it."""

ClassName: TypeAlias = "str | int"


@dataclass(frozen=True)
class Line:
    """An open line.

    Attributes
    ----------
    name : str or int
        Name of its class, or its id.
    points : (N, 2) float64
        x, y in pixels; (0, 0) is the centre of the upper left pixel. One point makes a dot.
    """

    name: ClassName
    points: NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """Some pixels.

    Attributes
    ----------
    name : str or int
        Name of their class, or its id.
    corner : (int, int)
        x, y of the mask's upper left pixel; the mask may reach out of the image.
    mask : (h, w) bool
        Which pixels.
    """

    name: ClassName
    corner: tuple[int, int]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Polygon:
    """The pixels whose centres lie in a polygon, which may have holes and several parts.

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
    """What a file says of one image.

    Attributes
    ----------
    marks : tuple of Line, Area and Polygon
        In drawing order.
    shape : (int, int) or None
        (H, W) of the image, if the file states it.
    class_names : tuple of str or None
        The classes in the order of their ids, if the format or the file fixes them.
    unit : "pixel", "image" or "span"
        What the coordinates of lines and polygons count.
    remapping : Remapping or None
        The ids that replace those that are drawn.
    """

    marks: tuple[Mark, ...]
    shape: tuple[int, int] | None = None
    class_names: tuple[str, ...] | None = None
    unit: Unit = "pixel"
    remapping: Remapping | None = None


def resolve_names(
    names: Sequence[ClassName], class_names: Sequence[str] | None
) -> dict[ClassName, int]:
    """The class id of each name.

    A name is looked up as it is, then without regard to case, spaces and punctuation, then by its
    SYNONYMS. An id is itself, and so is a number that is no class name. IGNORED_NAME is
    IGNORE_LABEL.

    Parameters
    ----------
    names : sequence of str or int
        As they stand in the annotations.
    class_names : sequence of str or None
        The names of the classes, in the order of their ids. None: numbers only.

    Raises
    ------
    ValueError
        If a name is unknown or an id too large; the message lists all of them.
    """
    exact = {name: k for k, name in reversed(list(enumerate(class_names or ())))}
    folded = {_folded(name): k for name, k in exact.items()}
    for one, other in (*SYNONYMS, *(pair[::-1] for pair in SYNONYMS)):
        if one in folded:
            folded.setdefault(other, folded[one])
    largest = IGNORE_LABEL - 1 if class_names is None else len(class_names) - 1
    found: dict[ClassName, int] = {}
    unknown = []
    for name in dict.fromkeys(names):
        class_id = _class_id(name, exact, folded)
        if class_id is None or not (0 <= class_id <= largest or class_id == IGNORE_LABEL):
            unknown.append(str(name))
        else:
            found[name] = class_id
    if unknown:
        told = ", ".join(sorted(unknown))
        known_names = "none" if class_names is None else ", ".join(class_names)
        raise ValueError(f"no such class: {told} (classes: {known_names})")
    return found


def draw_annotation(
    annotation: Annotation,
    class_ids: Mapping[ClassName, int],
    shape: tuple[int, int],
    *,
    width: float = 3,
) -> NDArray[np.uint8]:
    """Scribbles, (H, W) uint8, 255 where nothing is drawn; later marks cover earlier ones.

    Parameters
    ----------
    annotation : Annotation
    class_ids : mapping
        Class id of each name in the annotation, as `resolve_names` gives it.
    shape : (H, W)
        Size of the image; what lies outside is cut off.
    width : float, pixels
        Diameter of the brush that draws the lines; larger is thicker.
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
    """How many points of the lines lie in no pixel of an (H, W) image."""
    count = 0
    for mark in in_pixels(annotation, shape).marks:
        if isinstance(mark, Line):
            x, y = np.floor(mark.points + 0.5).T
            inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
            count += int((~inside).sum())
    return count


def areas_of_labels(labels: NDArray[np.integer], ignore: NDArray[np.bool_]) -> tuple[Area, ...]:
    """The classes in a label map, (H, W), each an Area; pixels of `ignore` are left out."""
    areas = []
    for class_id in np.unique(labels[~ignore]):
        mask = (labels == class_id) & ~ignore
        rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
        box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        areas.append(Area(int(class_id), (int(columns[0]), int(rows[0])), box))
    return tuple(areas)


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _class_id(name: ClassName, exact: Mapping[str, int], folded: Mapping[str, int]) -> int | None:
    if isinstance(name, int):
        return name
    if name == IGNORED_NAME:
        return IGNORE_LABEL
    found = exact.get(name, folded.get(_folded(name)))
    return int(name) if found is None and name.isascii() and name.isdecimal() else found


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
