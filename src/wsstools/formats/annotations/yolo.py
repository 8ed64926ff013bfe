"""The labels of YOLO segmentation: text, a polygon a line in shares of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wsstools.core.scribbles.annotation import Annotation
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded
from wsstools.files.text import decode_text
from wsstools.formats.annotations.content import Content
from wsstools.formats.annotations.shapes import Sketch

_LENGTH_OF_BOX = 4
_VISIBILITIES = (0, 1, 2)
"""Of a key point: not labelled, hidden, visible."""
_LONGEST_POSE = 300
"""Numbers of a pose; the longest in use, of a body with face and hands, has 133 key points."""
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
    Lines of a box (a class id, then x, y of its centre, width and height) are left out, unless
    boxes are wanted. The file states no size.

    DataError if a line is not of this form, or the lines are poses. Poses whose key points have no
    visibility have the form of polygons: a note says where they look like it.
    """
    sketch = Sketch("centre")  # a share of the image starts at its corner in any case
    with reading(content.name, errors=ValueError):
        text = decode_text(content.data, content.name)
        lines = [
            (number, *_parsed(line.split(), number))
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        polygons = [values for _, _, values in lines if len(values) != _LENGTH_OF_BOX]
        _check_no_poses(polygons)
        for number, class_id, values in lines:
            _add(sketch, class_id, values, number, only_boxes=content.only_boxes)
        found = sketch.decoded(None, unit="image")
    if not _resemble_poses(polygons):
        return found
    return found.noted("lines look like poses (a box, then key points) and are drawn as polygons")


def _parsed(words: list[str], number: int) -> tuple[int, NDArray[np.float64]]:
    """The class id and the numbers of a line; ValueError if it is of another form."""
    if not words[0].isdecimal() or not all(map(_is_number, words[1:])):
        raise ValueError(
            f"line {number}: expected a class id and numbers, separated by blanks (YOLO)"
        )
    return int(words[0]), np.array(words[1:], np.float64)


def _add(
    sketch: Sketch, class_id: int, values: NDArray[np.float64], number: int, *, only_boxes: bool
) -> None:
    if not ((values >= -_SLACK) & (values <= 1 + _SLACK)).all():
        raise ValueError(f"line {number}: coordinates are not in 0..1, shares of the image (YOLO)")
    if len(values) == _LENGTH_OF_BOX:
        centre, size = values.reshape(2, 2)
        if only_boxes:
            sketch.add_box(class_id, [centre - size / 2, centre + size / 2])
        else:
            sketch.leave_out("box")
        return
    if len(values) < 6 or len(values) % 2:
        raise ValueError(
            f"line {number}: {len(values)} numbers after the class, expected x, y of 3 points or "
            "more"
        )
    sketch.add_polygon(class_id, [values.reshape(-1, 2)], "polygon")


def _check_no_poses(lines: Sequence[NDArray[np.float64]]) -> None:
    """Raise ValueError if all lines are a box, then x, y and visibility of as many key points."""
    if len({len(values) for values in lines}) == 1 and all(
        (len(values) - _LENGTH_OF_BOX) % 3 == 0
        and np.isin(values[_LENGTH_OF_BOX + 2 :: 3], _VISIBILITIES).all()
        and _begins_with_box(values)
        for values in lines
    ):
        raise ValueError(
            "holds poses (a box, then x, y and visibility of key points), which mark no areas; "
            "export segments"
        )


def _resemble_poses(lines: Sequence[NDArray[np.float64]]) -> bool:
    """Whether all lines may be a box, then x, y of as many key points in it, 0 0 if missing.

    Small polygons may be read so too, but hardly ever cross themselves.
    """
    if len({len(values) for values in lines}) != 1 or len(lines[0]) > _LONGEST_POSE:
        return False
    for values in lines:
        points = values.reshape(-1, 2)
        centre, size, rest = points[0], points[1], points[2:]
        is_inside = (np.abs(rest - centre) <= size / 2 + _SLACK) | (rest == 0)
        if not (_begins_with_box(values) and is_inside.all() and _crosses_itself(points)):
            return False
    return True


def _begins_with_box(values: NDArray[np.float64]) -> bool:
    """Whether the first four numbers are x, y of the centre, width and height in the image."""
    if len(values) < _LENGTH_OF_BOX:
        return False
    centre, size = values[:2], values[2:_LENGTH_OF_BOX]
    is_in_image = np.abs(centre - 0.5) + size / 2 <= 0.5 + _SLACK
    return bool((size > 0).all() and is_in_image.all())


def _crosses_itself(ring: NDArray[np.float64]) -> bool:
    """Whether two sides of a closed line, (N, 2), cross within both."""
    along = (np.roll(ring, -1, axis=0) - ring)[:, None]
    offset = ring[None] - ring[:, None]
    side = along[..., 0] * offset[..., 1] - along[..., 1] * offset[..., 0]  # of j about line i
    is_cut = side * np.roll(side, -1, axis=1) < 0
    return bool((is_cut & is_cut.T).any())


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
