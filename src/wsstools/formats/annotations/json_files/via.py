"""The VGG Image Annotator (VIA), versions 1 and 2: projects and annotations as JSON or CSV."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping

import numpy as np

from wsstools.core.scribbles.annotation import Annotation
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded, Json
from wsstools.files.text import decode_text, parse_table
from wsstools.formats.annotations.content import (
    Content,
    ImagePart,
    as_list,
    as_number,
    as_object,
    as_objects,
    as_text,
    image_stem,
    json_part,
)
from wsstools.formats.annotations.shapes import Sketch

NAME = "via"
_PROJECT = "_via_img_metadata"
_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")
_CLASS_KEYS = ("class", "label", "name", "type", "category")
"""Attributes that hold the class, where a region has several."""


def is_via(content: Content) -> bool:
    """Whether a file is VIA's."""
    if not content.is_json:
        return content.start.startswith(("filename,", "#filename,", '"filename",'))
    if _PROJECT in content.json_keys:
        return True
    first = next(iter(as_object(content.json).values()), None)
    return {"filename", "regions"} <= set(as_object(first))


def split_via(content: Content) -> list[ImagePart]:
    """The annotated images in a file; DataError if there are none."""
    images = _images_of_csv(content) if not content.is_json else _images_of_json(content)
    parts = [
        json_part(NAME, image_stem(name), regions=regions) for name, regions in images if regions
    ]
    if not parts:
        raise DataError(f"{content.name}: no image in it is annotated")
    return parts


def class_names_of_via(content: Content) -> list[str] | None:
    """The options of the attribute of regions, where a project has one attribute with options."""
    if not content.is_json:
        return None
    attributes = as_object(as_object(as_object(content.json).get("_via_attributes")).get("region"))
    options = [list(as_object(as_object(entry).get("options"))) for entry in attributes.values()]
    return options[0] if len(options) == 1 and options[0] else None


def decode_via(content: Content) -> Decoded[Annotation]:
    """The regions of one image.

    Polylines and points become lines of the brush; polygons, rectangles, circles and ellipses are
    filled. Coordinates count from the corner of the upper left pixel. VIA states no size.
    DataError if it is not stated which attribute of a region is the class.
    """
    sketch = Sketch()
    with reading(content.name, errors=ValueError):
        for region in as_objects(as_object(content.json).get("regions")):
            shape = as_object(region.get("shape_attributes"))
            _add(sketch, _class_name(as_object(region.get("region_attributes"))), shape)
        return sketch.decoded(None)


def _images_of_json(content: Content) -> list[tuple[str, list[Json]]]:
    held = as_object(content.json)
    images = as_object(held.get(_PROJECT)) or held
    found: list[tuple[str, list[Json]]] = []
    for image in map(as_object, images.values()):
        regions = image.get("regions")
        # a list in version 2, an object in version 1
        listed = list(as_object(regions).values()) or list(as_list(regions))
        found.append((as_text(image.get("filename")), listed))
    return found


def _images_of_csv(content: Content) -> list[tuple[str, list[Json]]]:
    text = decode_text(content.data, content.name).lstrip("#")
    rows = parse_table(io.StringIO(text, newline=""), content.name)
    if not rows or not set(_COLUMNS) <= rows[0].keys():
        raise DataError(f"{content.name}: expected the columns {', '.join(_COLUMNS)} (VIA)")
    images: dict[str, list[Json]] = {}
    for row in rows:
        regions = images.setdefault(row["filename"], [])
        with reading(content.name, "not well-formed JSON: ", errors=ValueError):
            shape, attributes = (json.loads(row[column]) for column in _COLUMNS[1:])
        if shape:
            regions.append({"shape_attributes": shape, "region_attributes": attributes})
    return list(images.items())


def _class_name(attributes: Mapping[str, Json]) -> str:
    """The class of a region: the value of its attribute, or the option that is ticked."""
    held = {key: value for key, value in attributes.items() if value not in ("", {}, None)}
    key = next(iter(held), "")
    if len(held) > 1:
        known = [name for name in held if name.casefold() in _CLASS_KEYS]
        if len(known) != 1:
            raise ValueError(
                f"a region has the attributes {', '.join(held)}; which is the class? "
                f"(call it one of {', '.join(_CLASS_KEYS)})"
            )
        key = known[0]
    value = held.get(key)
    ticked = [name for name, is_set in as_object(value).items() if is_set]
    if len(ticked) > 1:
        raise ValueError(f"a region is of several classes: {', '.join(ticked)}")
    return ticked[0] if ticked else as_text(value)


def _add(sketch: Sketch, name: str, shape: Mapping[str, Json]) -> None:
    kind = as_text(shape.get("name"))

    def numbers(*keys: str) -> list[float]:
        return [as_number(shape.get(key), f"{key} of a {kind}") for key in keys]

    if kind in ("polyline", "polygon"):
        axes = [as_list(shape.get(f"all_points_{axis}")) for axis in "xy"]
        if len(axes[0]) != len(axes[1]):
            raise ValueError(f"a {kind} has {len(axes[0])} x and {len(axes[1])} y")
        points = np.array(
            [[as_number(value, f"a coordinate of a {kind}") for value in axis] for axis in axes]
        ).T
        if kind == "polyline":
            sketch.add_line(name, points, kind)
        else:
            sketch.add_polygon(name, [points], kind)
    elif kind == "point":
        sketch.add_dots(name, [numbers("cx", "cy")])
    elif kind == "rect":
        x, y, width, height = numbers("x", "y", "width", "height")
        sketch.add_box(name, [[x, y], [x + width, y + height]], kind)
    elif kind == "circle":
        x, y, radius = numbers("cx", "cy", "r")
        sketch.add_ellipse(name, (x, y), (radius, radius), kind)
    elif kind == "ellipse":
        x, y, *radii = numbers("cx", "cy", "rx", "ry")
        degrees = math.degrees(as_number(shape.get("theta", 0), "theta of an ellipse"))
        sketch.add_ellipse(name, (x, y), radii, degrees=degrees)
    else:
        sketch.leave_out(kind or "region without a shape")
