"""The scribbles of DAVIS interactive: JSON with paths on the frames of a sequence."""

from __future__ import annotations

from typing import cast

from numpy.typing import ArrayLike

from wsstools.core.scribbles.annotation import Annotation
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded
from wsstools.formats.annotations.content import (
    Content,
    ImagePart,
    as_list,
    as_object,
    as_objects,
    json_part,
)
from wsstools.formats.annotations.shapes import Sketch

NAME = "davis"
KEY = "scribbles"


def split_davis(content: Content) -> list[ImagePart]:
    """The frames that have scribbles, called by their number in five digits as in DAVIS.

    DataError if there are none.
    """
    frames = as_list(as_object(content.json).get(KEY))
    parts = [
        json_part(NAME, f"{number:05}", scribbles=frame)
        for number, frame in enumerate(frames)
        if as_objects(frame)
    ]
    if not parts:
        raise DataError(f"{content.name}: no frame in it is annotated")
    return parts


def decode_davis(content: Content) -> Decoded[Annotation]:
    """The paths of one frame as lines, whose classes are the ids of the objects.

    Coordinates are shares: 0 is the centre of the first pixel, 1 that of the last. DAVIS states no
    size.

    References
    ----------
    Caelles et al., The 2018 DAVIS Challenge on Video Object Segmentation; `scribbles2mask` in
    davisinteractive, utils/scribbles.py.
    """
    sketch = Sketch("centre")
    with reading(content.name, errors=ValueError):
        for scribble in as_objects(as_object(content.json).get(KEY)):
            class_id = scribble.get("object_id")
            if not isinstance(class_id, int) or isinstance(class_id, bool):
                raise ValueError(f"a scribble has object_id {class_id!r}, expected a number")
            sketch.add_line(class_id, cast(ArrayLike, scribble.get("path")), "scribble")
        return sketch.decoded(None, unit="span")
