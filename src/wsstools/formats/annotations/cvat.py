"""The XML of CVAT for images (1.1): one file holds the annotations of many images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from wsstools.core.scribbles.annotation import Annotation, Area, Line
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.limits import check_pixels, within_memory
from wsstools.files.provenance import Decoded
from wsstools.files.xml import number, parse_xml, root_name
from wsstools.formats.annotations.shapes import centred, filled, rectangle

ROOT = "annotations"
PART_ROOT = "image"
_HEAD = 4096
"""Bytes in which the first element begins."""
_SHAPES = ("polyline", "points", "polygon", "box", "mask")
_NO_SHAPES = ("tag", "attribute")
"""Elements of an image that mark no pixel."""


def split_file(path: Path) -> Mapping[str, bytes] | None:
    """The annotated images in a file, by stem, each an XML of its own.

    None if it is no file of CVAT, or one that cannot be read: `decode_cvat` tells what is wrong.
    """
    try:
        with path.open("rb") as file:
            if root_name(file.read(_HEAD)) != ROOT:
                return None
        return split(path.read_bytes(), str(path))
    except (DataError, OSError):
        return None


def split(data: bytes, name: str) -> dict[str, bytes]:
    """The annotated images in the content of a file, by stem, each an XML of its own.

    DataError if it is no file of CVAT for images, none is annotated, or two have the same stem.
    """
    root = parse_xml(data, name)
    if root.tag != ROOT:
        raise DataError(f"{name}: the root is <{root.tag}>, expected <{ROOT}> (CVAT)")
    if root.find("track") is not None:
        raise DataError(f"{name}: holds tracks; export it as CVAT for images, not for video")
    parts: dict[str, bytes] = {}
    for image in root.iter("image"):
        stem = _stem(image.get("name", ""))
        if stem in parts:
            raise DataError(f"{name}: two images are called {stem!r} (without folder and ending)")
        image.tail = None
        if any(element.tag not in _NO_SHAPES for element in image):
            try:
                parts[stem] = ElementTree.tostring(image)
            except (RecursionError, ValueError) as error:
                raise DataError(f"{name}: image {stem!r} cannot be told apart: {error}") from error
    if not parts:
        raise DataError(f"{name}: no image in it is annotated")
    return parts


def decode_cvat(data: bytes, name: str) -> Decoded[Annotation]:
    """The shapes of one image: an `image` element, or a file of one annotated image.

    Polylines and points become lines of the brush; polygons, boxes and masks are filled. Shapes
    are drawn in their `z_order`. Coordinates count from the corner of the upper left pixel.
    DataError if it is neither, or has shapes of another kind.
    """
    if root_name(data[:_HEAD]) == ROOT:
        parts = split(data, name)
        if list(parts) != [Path(name).stem]:
            raise DataError(
                f"{name}: holds images of other names; give the file itself, not standard input"
            )
        data = next(iter(parts.values()))
    image = parse_xml(data, name)
    if image.tag != PART_ROOT:
        raise DataError(f"{name}: the root is <{image.tag}>, expected <{PART_ROOT}> (CVAT)")
    shape = int(number(image, "height", name)), int(number(image, "width", name))
    if min(shape) < 1:
        raise DataError(f"{name}: the image has shape {shape}")
    shapes = [element for element in image if element.tag not in _NO_SHAPES]
    with reading(name, errors=ValueError):
        check_pixels(*shape)
        shapes.sort(key=lambda element: float(element.get("z_order") or 0))
        marks = tuple(
            within_memory(mark for element in shapes for mark in _marks(element, shape, name))
        )
    return Decoded(Annotation(marks, shape))


def _stem(name: str) -> str:
    """The stem of an image's name, which may lie in folders of any system."""
    return PurePosixPath(PureWindowsPath(name).as_posix()).stem


def _marks(element: Element, shape: tuple[int, int], name: str) -> list[Line | Area]:
    label, kind = element.get("label", "").strip(), element.tag
    if not label:
        raise ValueError(f"a {kind} has no label")
    if kind not in _SHAPES:
        raise ValueError(f"{label!r} is a {kind}, expected {', '.join(_SHAPES)}")
    if kind == "mask":
        return [_mask(element, label, shape, name)]
    if kind == "box":
        sides = [number(element, side, name) for side in ("xtl", "ytl", "xbr", "ybr")]
        corners = centred(np.reshape(sides, (2, 2)), f"box {label!r}")
        return [filled(label, rectangle(corners), shape)]
    pairs = [pair.split(",") for pair in element.get("points", "").split(";")]
    points = centred(pairs, f"{kind} {label!r}")
    if kind == "polyline":
        return [Line(label, points)]
    if kind == "points":
        return [Line(label, points[k : k + 1]) for k in range(len(points))]
    return [filled(label, points, shape)]


def _mask(element: Element, label: str, shape: tuple[int, int], name: str) -> Area:
    """A mask: lengths of runs along the rows of a box, of pixels out of it and in it in turn."""
    left, top, width, height = (
        int(number(element, key, name)) for key in ("left", "top", "width", "height")
    )
    text = element.get("rle", "")
    if not re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", text):
        raise ValueError(f"mask {label!r} has no run lengths (rle)")
    if not (0 < height <= shape[0] and 0 < width <= shape[1]):
        raise ValueError(f"mask {label!r} is {height} x {width}, the image {shape[0]} x {shape[1]}")
    runs = [int(run) for run in text.split(",")]
    if sum(runs) != height * width:
        raise ValueError(f"mask {label!r} has runs of {sum(runs)} pixels, its box {height * width}")
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return Area(label, (left, top), values.reshape(height, width))
