"""The JSON files of labelme: lines, polygons and masks of one image."""

from __future__ import annotations

import base64
import json
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from wsstools.core.scribbles.annotation import Annotation, Area, Line
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.limits import check_pixels, within_memory
from wsstools.files.pillow import opened
from wsstools.files.provenance import Decoded, Json
from wsstools.files.text import decode_text
from wsstools.formats.annotations.shapes import centred, filled, rectangle

SHAPE_TYPES = ("linestrip", "line", "point", "points", "polygon", "rectangle", "mask")


def decode_labelme(data: bytes, name: str) -> Decoded[Annotation]:
    """The shapes in a file, as an Annotation.

    Line strips, lines and points become lines of the brush; polygons, rectangles and masks are
    filled. Coordinates count from the corner of the upper left pixel.

    DataError if it is no file of labelme, or has shapes of another kind.
    """
    try:
        content = json.loads(decode_text(data, name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not well-formed JSON: {error}") from error
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise DataError(f"{name}: has no list 'shapes': no file of labelme")
    with reading(name, errors=ValueError):
        size = _size(content)
        marks = tuple(within_memory(mark for shape in shapes for mark in _marks(shape, size)))
    return Decoded(Annotation(marks, size))


def _size(content: dict[str, Json]) -> tuple[int, int] | None:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0:
        check_pixels(height, width)
        return height, width
    return None


def _marks(shape: dict[str, Json], size: tuple[int, int] | None) -> list[Line | Area]:
    label, kind = shape.get("label"), shape.get("shape_type") or "polygon"
    if not isinstance(label, str) or not label.strip():
        raise ValueError("a shape has no label")
    if kind not in SHAPE_TYPES:
        raise ValueError(f"shape {label!r} is a {kind}, expected {', '.join(SHAPE_TYPES)}")
    label = label.strip()
    points = centred(cast(ArrayLike, shape.get("points")), f"shape {label!r}")
    if kind == "mask":
        return [_mask(label, shape)]
    if kind in ("point", "points"):
        return [Line(label, points[k : k + 1]) for k in range(len(points))]
    if kind in ("line", "linestrip"):
        return [Line(label, points)]
    if size is None:
        raise ValueError(f"shape {label!r} is a {kind}, but there is no imageHeight and imageWidth")
    if kind == "rectangle":
        if len(points) != 2:
            raise ValueError(f"rectangle {label!r} has {len(points)} points, expected 2")
        points = rectangle(points)
    return [filled(label, points, size)]


def _mask(label: str, shape: dict[str, Json]) -> Area:
    """A mask: a PNG in base64, and in `points` the first and the last of its pixels, inclusive."""
    try:
        with opened(base64.b64decode(cast(str, shape.get("mask") or ""), validate=True)) as png:
            mask = np.asarray(png)
    except Exception as error:  # the decoders raise whatever they like at damaged files
        raise ValueError(f"mask {label!r} is no PNG in base64: {error}") from error
    corners = np.asarray(shape["points"], np.float64).round().tolist()
    if mask.ndim != 2 or len(corners) != 2:
        raise ValueError(f"mask {label!r} has shape {mask.shape} and {len(corners)} points")
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in corners)
    box = bottom - top + 1, right - left + 1
    # programs differ in whether the last is inside
    if max(abs(box[0] - mask.shape[0]), abs(box[1] - mask.shape[1])) > 1:
        raise ValueError(f"mask {label!r} has shape {mask.shape}, its points say {box}")
    return Area(label, (left, top), mask > 0)
