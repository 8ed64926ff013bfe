"""The boxes in annotations of any format."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from wsstools.core.boxes.box import is_box
from wsstools.core.scribbles.annotation import Annotation, Area, Line, Mark
from wsstools.errors import DataError
from wsstools.files.provenance import Decoded
from wsstools.formats.annotations.detection import decode_annotation
from wsstools.formats.annotations.label_arrays import Values
from wsstools.formats.annotations.shapes import counted


def decode_boxes(
    data: bytes, name: str, *, form: str | None = None, values: Values = Values()
) -> Decoded[Annotation]:
    """What a file says of the boxes in one image, as of `decode_annotation`.

    Marks that are no upright rectangles are left out, with a note. DataError if there are only
    such.
    """
    found = decode_annotation(data, name, form=form, values=values, only_boxes=True)
    boxes = tuple(filter(is_box, found.value.marks))
    others = Counter(_kind(mark) for mark in found.value.marks if not is_box(mark))
    named = ", ".join(counted(n, kind) for kind, n in others.items())
    if not boxes and others:
        hint = "; --simulate takes ground truth" if list(others) == ["mask"] else ""
        raise DataError(f"{name}: holds no box: {named}{hint}")
    note = f"no boxes, left out: {named}" if others else None
    return replace(found, value=replace(found.value, marks=boxes)).noted(note)


def _kind(mark: Mark) -> str:
    if isinstance(mark, Line):
        return "line" if len(mark.points) > 1 else "point"
    return "mask" if isinstance(mark, Area) else "polygon"
