"""The XML of CVAT for images (1.1): one file holds the annotations of many images."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from wsstools.core.scribbles.annotation import Annotation
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded
from wsstools.files.xml import number
from wsstools.formats.annotations.content import Content, ImagePart, image_stem
from wsstools.formats.annotations.run_lengths import mask_of_runs
from wsstools.formats.annotations.shapes import Sketch

ROOT = "annotations"
PART_ROOT = "image"
_SHAPES = ("polyline", "points", "polygon", "box", "ellipse", "mask")
_NO_MARKS = ("tag", "attribute")
"""Elements of an image that mark no pixel."""


def split_cvat(content: Content) -> list[ImagePart]:
    """The annotated images in a file, each an XML of its own.

    DataError if it is no file of CVAT for images, or none is annotated.
    """
    name, root = content.name, content.xml
    if root.tag != ROOT:
        raise DataError(f"{name}: the root is <{root.tag}>, expected <{ROOT}> (CVAT)")
    if root.find("track") is not None:
        raise DataError(f"{name}: holds tracks; export it as CVAT for images, not for video")
    parts = []
    for image in root.iter(PART_ROOT):
        stem = image_stem(image.get("name", ""))
        image.tail = None
        if any(element.tag not in _NO_MARKS for element in image):
            try:
                parts.append(ImagePart(stem, ElementTree.tostring(image)))
            except (RecursionError, ValueError) as error:
                raise DataError(f"{name}: image {stem!r} cannot be split off: {error}") from error
    if not parts:
        raise DataError(f"{name}: no image in it is annotated")
    return parts


def class_names_of_cvat(content: Content) -> list[str]:
    """The labels of the tasks or the project, as the file lists them; parts of skeletons apart."""
    meta = content.xml.find("meta")
    labels = [] if meta is None else list(meta.iter("label"))
    names = [(label.findtext("name") or "").strip() for label in labels if _is_whole(label)]
    return list(dict.fromkeys(name for name in names if name))


def _is_whole(label: Element) -> bool:
    """Whether a label is no part of a skeleton's."""
    return not (label.findtext("parent") or "").strip()


def decode_cvat(content: Content) -> Decoded[Annotation]:
    """The shapes of one `image` element.

    Polylines and points become lines of the brush; polygons, boxes, ellipses and masks are filled.
    Shapes are drawn in their `z_order`. Coordinates count from the corner of the upper left pixel.
    Cuboids, skeletons and tags are left out.
    DataError if it is no such element.
    """
    name, image = content.name, content.xml
    if image.tag != PART_ROOT:
        raise DataError(f"{name}: the root is <{image.tag}>, expected <{PART_ROOT}> (CVAT)")
    shape = int(number(image, "height", name)), int(number(image, "width", name))
    if min(shape) < 1:
        raise DataError(f"{name}: the image has shape {shape}")
    with reading(name, errors=ValueError):
        elements = sorted(image, key=lambda element: float(element.get("z_order") or 0))
        sketch = Sketch()
        for element in elements:
            _add(sketch, element, shape, name)
        return sketch.decoded(shape)


def _add(sketch: Sketch, element: Element, shape: tuple[int, int], name: str) -> None:
    label, kind = element.get("label", "").strip(), element.tag
    if kind not in _SHAPES:
        if kind != "attribute":
            sketch.leave_out(kind)
        return
    degrees = number(element, "rotation", name) if element.get("rotation") else 0.0
    if kind == "mask":
        _add_mask(sketch, element, label, shape, name)
    elif kind == "box":
        sides = [number(element, side, name) for side in ("xtl", "ytl", "xbr", "ybr")]
        sketch.add_box(label, np.reshape(sides, (2, 2)), degrees=degrees)
    elif kind == "ellipse":
        x, y, *radii = (number(element, key, name) for key in ("cx", "cy", "rx", "ry"))
        sketch.add_ellipse(label, (x, y), radii, degrees=degrees)
    else:
        pairs = [pair.split(",") for pair in element.get("points", "").split(";")]
        if kind == "polyline":
            sketch.add_line(label, pairs, kind)
        elif kind == "points":
            sketch.add_dots(label, pairs, kind)
        else:
            sketch.add_polygon(label, [pairs], kind)


def _add_mask(
    sketch: Sketch, element: Element, label: str, shape: tuple[int, int], name: str
) -> None:
    """A mask: lengths of runs along the rows of a box, of pixels out of it and in it in turn."""
    left, top, width, height = (
        int(number(element, key, name)) for key in ("left", "top", "width", "height")
    )
    text = element.get("rle", "")
    if not re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", text):
        raise ValueError(f"mask {label!r} has no run lengths (rle)")
    if not (0 < height <= shape[0] and 0 < width <= shape[1]):
        raise ValueError(f"mask {label!r} is {height} x {width}, the image {shape[0]} x {shape[1]}")
    try:
        mask = mask_of_runs([int(run) for run in text.split(",")], (height, width))
    except ValueError as error:
        raise ValueError(f"mask {label!r} {error}") from None
    sketch.add_mask(label, (left, top), mask)
