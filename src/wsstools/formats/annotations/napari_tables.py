"""Tables of napari: the shapes or the points of a layer as CSV."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from wsstools.core.scribbles.annotation import Annotation
from wsstools.core.scribbles.class_names import ClassName
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded
from wsstools.files.text import decode_text, parse_table
from wsstools.formats.annotations.content import Content
from wsstools.formats.annotations.label_arrays import Values
from wsstools.formats.annotations.shapes import Sketch, checked_points

_PLACES = ("index", "shape-type", "vertex-index")
_AXIS = "axis-"
_CLASS_COLUMNS = ("label", "class", "name")


def is_napari_table(content: Content) -> bool:
    """Whether the first line is that of a table of shapes or points."""
    return content.start.startswith((f"{','.join(_PLACES)},{_AXIS}", f"index,{_AXIS}"))


def decode_napari_table(content: Content, values: Values = Values()) -> Decoded[Annotation]:
    """The shapes or points of one image, whose classes are in a column of their own.

    Paths and lines become lines of the brush, points dots; polygons, rectangles and ellipses are
    filled. Coordinates are row and column, in the last two axes, from the centre of the upper left
    pixel. The file states no size. napari writes such a column for points only: without one all is
    class 0 if ids are changed by `values`.

    DataError if the class is not clear, or the shapes are in several slices of a stack.
    """
    text = decode_text(content.data, content.name)
    rows = parse_table(io.StringIO(text, newline=""), content.name)
    columns = list(rows[0]) if rows else []
    sketch = Sketch("centre")
    with reading(content.name, errors=ValueError):
        axes = [name for name in columns if name.startswith(_AXIS)]
        if len({tuple(row[axis] for axis in axes[:-2]) for row in rows}) > 1:
            raise ValueError("its shapes are in several slices; save those of each as a file")
        column = _class_column([name for name in columns if name not in ("", *_PLACES, *axes)])
        if rows and column is None and values.remapping is None:
            raise ValueError(
                "no column says the class (napari writes none for shapes): add a column 'label', "
                "or give --remap 0=K where all are of class K"
            )
        for _, group in groupby(rows, itemgetter("index")):
            shape = list(group)
            name = shape[0][column].removesuffix(".0") if column else 0  # ids are written as floats
            points = [[row[axis] for axis in axes[:-3:-1]] for row in shape]  # x, y
            _add(sketch, name, shape[0].get("shape-type", "point"), points)
        return sketch.decoded(None)


def _class_column(others: Sequence[str]) -> str | None:
    """The column that says the class: the only one, or that of several which is called so."""
    known = [name for name in others if name.casefold() in _CLASS_COLUMNS]
    if len(others) > 1 and len(known) != 1:
        raise ValueError(f"which of the columns {', '.join(others)} is the class? call it 'label'")
    return next(iter([*known, *others]), None)


def _add(sketch: Sketch, name: ClassName, kind: str, points: list[list[str]]) -> None:
    if kind == "point":
        sketch.add_dots(name, points)
    elif kind in ("path", "line"):
        sketch.add_line(name, points, kind)
    elif kind in ("polygon", "rectangle"):
        sketch.add_polygon(name, [points], kind)
    elif kind == "ellipse":  # the corners of the rectangle around it
        corners = checked_points(points, f"{kind} {name!r}", 4)
        across, down = corners[1] - corners[0], corners[3] - corners[0]
        radii = math.hypot(*across) / 2, math.hypot(*down) / 2
        degrees = math.degrees(math.atan2(across[1], across[0]))
        sketch.add_ellipse(name, corners.mean(axis=0).tolist(), radii, degrees=degrees)
    else:
        sketch.leave_out(kind)
