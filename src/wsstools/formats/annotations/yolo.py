"""The labels of YOLO segmentation: text, a polygon a line in shares of the image."""

from __future__ import annotations

import numpy as np

from wsstools.core.scribbles.annotation import Annotation
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded
from wsstools.files.text import decode_text
from wsstools.formats.annotations.content import Content
from wsstools.formats.annotations.shapes import Sketch

_LENGTH_OF_BOX = 4
_SLACK = 0.01
"""By which programs let coordinates leave the image."""


def is_yolo(content: Content) -> bool:
    """Whether the first line is numbers separated by blanks."""
    lines = (line.strip() for line in content.start.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    words = first.split()
    return len(words) > 2 and "," not in first and words[0].isdecimal() and _is_number(words[1])


def decode_yolo(content: Content) -> Decoded[Annotation]:
    """The polygons of one image, whose classes are ids.

    A line is a class id and x, y, x, y, ... from 0 to 1, where (0, 0) is the corner of the image.
    Lines of a box (a class id and four numbers) are left out. The file states no size.

    DataError if a line is not of this form, such as those of poses.
    """
    sketch = Sketch("centre")  # a share of the image starts at its corner in any case
    with reading(content.name, errors=ValueError):
        for number, line in enumerate(decode_text(content.data, content.name).splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                try:
                    _add(sketch, line.split())
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from None
        return sketch.decoded(None, unit="image")


def _add(sketch: Sketch, words: list[str]) -> None:
    if not words[0].isdecimal() or not all(map(_is_number, words[1:])):
        raise ValueError("expected a class id and numbers, separated by blanks (YOLO)")
    values = np.array(words[1:], np.float64)
    if not ((values >= -_SLACK) & (values <= 1 + _SLACK)).all():
        raise ValueError("coordinates are not in 0..1, shares of the image (YOLO)")
    if len(values) == _LENGTH_OF_BOX:
        sketch.leave_out("box")
        return
    if len(values) < 6 or len(values) % 2:
        raise ValueError(
            f"{len(values)} numbers after the class, expected x, y of 3 points or more"
        )
    sketch.add_polygon(int(words[0]), [values.reshape(-1, 2)], "polygon")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
