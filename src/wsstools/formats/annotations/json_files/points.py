"""Lists of points as those of What's the Point: JSON with the names of images."""

from __future__ import annotations

from collections.abc import Mapping

from wsstools.core.scribbles.annotation import Annotation
from wsstools.core.scribbles.class_names import ClassName
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded, Json
from wsstools.formats.annotations.content import (
    Content,
    ImagePart,
    as_number,
    as_object,
    as_objects,
    as_text,
    image_stem,
    json_part,
)
from wsstools.formats.annotations.shapes import Sketch
from wsstools.formats.image_files import SUFFIXES

NAME = "points"
_CLASS_KEYS = ("cls", "class", "label")


def is_point_list(content: Content) -> bool:
    """Whether a file is an object of lists of points."""
    lists = list(as_object(content.json).values()) if content.is_json else []
    points = [point for held in lists for point in as_objects(held)[:1]]
    return bool(points) and all({"x", "y"} <= set(point) for point in points)


def split_points(content: Content) -> list[ImagePart]:
    """The images that have points; DataError if there are none."""
    parts = [
        json_part(NAME, _stem(name), points=points)
        for name, points in as_object(content.json).items()
        if as_objects(points)
    ]
    if not parts:
        raise DataError(f"{content.name}: no image in it is annotated")
    return parts


def decode_points(content: Content) -> Decoded[Annotation]:
    """The points of one image as dots; (0, 0) is the centre of the upper left pixel.

    References
    ----------
    Bearman et al., What's the Point: Semantic Segmentation with Point Supervision, ECCV 2016.
    """
    sketch = Sketch("centre")
    with reading(content.name, errors=ValueError):
        for point in as_objects(as_object(content.json).get("points")):
            place = [as_number(point.get(axis), f"{axis} of a point") for axis in "xy"]
            sketch.add_dots(_class_of(point), [place])
        return sketch.decoded(None)


def _stem(name: str) -> str:
    """The stem of a name, which need not have an ending."""
    return image_stem(name if name.lower().endswith(SUFFIXES) else f"{name}{SUFFIXES[0]}")


def _class_of(point: Mapping[str, Json]) -> ClassName:
    value = next((point[key] for key in _CLASS_KEYS if key in point), None)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not as_text(value):
        raise ValueError(f"a point has no class ({' or '.join(_CLASS_KEYS)})")
    return as_text(value)
