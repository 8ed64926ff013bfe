"""The XML files of ScribbleSup: one `polygon` is one open stroke."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

import numpy as np

from wsstools.core.scribbles.annotation import Annotation, Line
from wsstools.core.scribbles.class_names import VOC_CLASSES
from wsstools.core.scribbles.strokes import FARTHEST
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.limits import check_pixels
from wsstools.files.provenance import Decoded
from wsstools.formats.annotations.content import Content


def decode_scribblesup(content: Content) -> Decoded[Annotation]:
    """The strokes in a file, as an Annotation.

    The file holds the picture's `size` and any number of `polygon`, each with a `tag`, the class,
    and `point`s with `X` and `Y`, counted from 0. A polygon is a line from its first to its last
    point and is not closed. Points may be outside the image or repeat. A polygon without a point
    is left out and reported.

    DataError if it is no such file, a stroke has no tag, or a coordinate is no number.

    References
    ----------
    Lin et al., ScribbleSup: Scribble-Supervised Convolutional Networks for Semantic Segmentation,
    CVPR 2016.
    """
    name, root = content.name, content.xml
    if root.tag != "annotation":
        raise DataError(f"{name}: the root is <{root.tag}>, expected <annotation> (ScribbleSup)")
    polygons = root.findall("polygon")
    if not polygons and root.find("object") is not None:
        raise DataError(f"{name}: holds <object>, but no <polygon>: no file of ScribbleSup")
    lines = [_line(polygon, name) for polygon in polygons]
    drawn = tuple(line for line in lines if len(line.points))
    empty = len(lines) - len(drawn)
    note = f"{empty} stroke{'s' if empty > 1 else ''} without a point left out" if empty else None
    return Decoded(Annotation(drawn, stated_shape(root, name), VOC_CLASSES), note=note)


def _line(polygon: Element, name: str) -> Line:
    tag = (polygon.findtext("tag") or "").strip()
    if not tag:
        raise DataError(f"{name}: a <polygon> has no <tag>, which names its class")
    points = [[_coordinate(point, axis, name) for axis in "XY"] for point in polygon.iter("point")]
    return Line(tag, np.array(points, np.float64).reshape(-1, 2))


def _coordinate(point: Element, axis: str, name: str) -> float:
    text = point.findtext(axis) or ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= FARTHEST:
        raise DataError(f"{name}: a <point> has {axis}={text!r}, expected a number")
    return value


def stated_shape(root: Element, name: str) -> tuple[int, int] | None:
    """The shape (H, W) that a `size` states; None where it states none."""
    height, width = ((root.findtext(f"size/{side}") or "").strip() for side in ("height", "width"))
    if not (height.isdecimal() and width.isdecimal()) or "0" in (height, width):
        return None
    with reading(name, "<size> says ", errors=ValueError):
        shape = int(height), int(width)
        check_pixels(*shape)
    return shape
