"""The JSON files of labelme and X-AnyLabeling: shapes of one image."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.core.scribbles.annotation import Annotation
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.limits import check_pixels
from wsstools.files.pillow import opened, orientation_of
from wsstools.files.provenance import Decoded, Json
from wsstools.formats.annotations.content import Content, as_object, as_size, as_text
from wsstools.formats.annotations.shapes import Sketch, checked_points

KEY = "shapes"
_AREAS = ("polygon", "oriented_rectangle", "rotation", "quadrilateral")
"""Kinds whose points are the corners; labelme and X-AnyLabeling call turned rectangles so."""


def decode_labelme(content: Content) -> Decoded[Annotation]:
    """The shapes in a file, as an Annotation.

    Line strips, lines and points become lines of the brush; polygons, rectangles, circles and
    masks are filled. Coordinates count from the corner of the upper left pixel. Files of labelme
    until 2018 state no size, but may hold the image, and shapes without a kind are polygons. Shapes
    of other kinds are left out.

    DataError if it is no file of labelme.
    """
    name, found = content.name, as_object(content.json)
    shapes = found.get(KEY)
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise DataError(f"{name}: has no list 'shapes': no file of labelme")
    with reading(name, errors=ValueError):
        size = as_size(found.get("imageHeight"), found.get("imageWidth"))
        size = size or _size_of_picture(found.get("imageData"))
        if size is not None:
            check_pixels(*size)
        sketch = Sketch()
        for shape in shapes:
            _add(sketch, shape)
        return sketch.decoded(size)


def _size_of_picture(data: Json) -> tuple[int, int] | None:
    """The shape (H, W) of the image in a file, or None if there is none that is read."""
    if not as_text(data):
        return None
    try:
        with opened(base64.b64decode(as_text(data))) as picture:
            return (picture.height, picture.width) if orientation_of(picture) == 1 else None
    except Exception:  # the decoders raise whatever they like
        return None


def _add(sketch: Sketch, shape: Mapping[str, Json]) -> None:
    label, kind = as_text(shape.get("label")), shape.get("shape_type") or "polygon"
    points = cast(ArrayLike, shape.get("points"))
    n_points = len(points) if isinstance(points, list) else 0
    if not label:
        raise ValueError("a shape has no label")
    what = f"shape {label!r}"
    if kind == "mask":
        _add_mask(sketch, label, shape)
    elif kind in ("point", "points"):
        sketch.add_dots(label, points, "shape")
    elif kind in ("line", "linestrip"):
        sketch.add_line(label, points, "shape")
    elif kind == "circle":
        centre, rim = checked_points(points, what, 2).tolist()
        radius = math.dist(centre, rim)
        sketch.add_ellipse(label, centre, (radius, radius), "circle")
    elif kind == "rectangle" and n_points != 4:
        sketch.add_box(label, checked_points(points, f"rectangle {label!r}", 2), "rectangle")
    elif kind in _AREAS or kind == "rectangle":
        sketch.add_polygon(label, [points], "shape")
    else:
        sketch.leave_out(str(kind))


def _add_mask(sketch: Sketch, label: str, shape: Mapping[str, Json]) -> None:
    """A mask: a PNG in base64, and in `points` the first and the last of its pixels, inclusive."""
    try:
        with opened(base64.b64decode(cast(str, shape.get("mask") or ""), validate=True)) as png:
            mask = np.asarray(png)
    except Exception as error:  # the decoders raise whatever they like at damaged files
        raise ValueError(f"mask {label!r} is no PNG in base64: {error}") from error
    points = checked_points(cast(ArrayLike, shape.get("points")), f"shape {label!r}")
    corners = points.round().tolist()
    if mask.ndim != 2 or len(corners) != 2:
        raise ValueError(f"mask {label!r} has shape {mask.shape} and {len(corners)} points")
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in corners)
    box = bottom - top + 1, right - left + 1
    # programs differ in whether the last is inside
    if max(abs(box[0] - mask.shape[0]), abs(box[1] - mask.shape[1])) > 1:
        raise ValueError(f"mask {label!r} has shape {mask.shape}, its points say {box}")
    inside: NDArray[np.bool_] = mask > 0
    sketch.add_mask(label, (left, top), inside)
