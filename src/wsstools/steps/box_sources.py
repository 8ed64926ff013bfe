"""Boxes that an argument names: in annotations, or around the regions of ground truth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wsstools.core.boxes.box import BACKGROUND, Box, boxes_of_annotation, boxes_of_labels
from wsstools.core.scribbles.annotation import Annotation
from wsstools.core.scribbles.class_names import ClassName, resolve_names
from wsstools.core.scribbles.remapping import remapped
from wsstools.core.scribbles.settings import ReadingSettings
from wsstools.errors import UsageError
from wsstools.files.provenance import Json
from wsstools.formats.annotations.boxes import decode_boxes
from wsstools.formats.label_files import find_class_names
from wsstools.running.join import Input
from wsstools.running.settings import RunSettings
from wsstools.steps.annotation_sources import open_annotations
from wsstools.steps.inputs import label_input

_BACKGROUND_NAMES = ("background", "_background_", "bg")
"""What lists of classes call what is outside all objects, where they name it."""


@dataclass(frozen=True)
class BoxFinder:
    """What turns the content of a file into boxes."""

    names: list[str] | None  # of the classes, by id
    min_area: int | None  # of a region of ground truth; see `boxes_of_labels`

    def __call__(
        self, held: Annotation | NDArray[np.uint8], shape: tuple[int, int] | None
    ) -> tuple[list[Box], tuple[int, int]]:
        """The boxes of one image, and its shape (H, W), which is `shape` if that is known.

        ValueError if they do not fit it, or if a class is unknown or BACKGROUND.
        """
        stated = held.shape
        shape = shape or stated
        if shape is None:
            raise ValueError("the annotation does not state the size of the image; give --images")
        if stated not in (None, shape):
            raise ValueError(f"the boxes are in an image of shape {stated}, not {shape} (H, W)")
        if not isinstance(held, Annotation):
            return boxes_of_labels(held, self.min_area), shape
        return boxes_of_annotation(held, self._class_ids(held), shape), shape

    def _class_ids(self, held: Annotation) -> dict[ClassName, int]:
        names = self.names or held.class_names
        known = names if held.remapping is None else None
        try:
            class_ids = resolve_names([mark.name for mark in held.marks], known)
        except ValueError as error:
            hint = "" if names else "; write a classes.txt beside them, or give --classes"
            raise ValueError(f"{error}{hint}") from None
        if held.remapping is not None:
            new = remapped(np.array(list(class_ids.values()), np.int64), held.remapping).tolist()
            resolve_names(new, names)
            class_ids = dict(zip(class_ids, new, strict=True))
        odd = [str(name) for name, class_id in class_ids.items() if class_id == BACKGROUND]
        if odd:
            raise ValueError(
                f"a box of {odd[0]} is of class {BACKGROUND}, which is what is outside all boxes: "
                "the first line of classes.txt is background; --remap 0=1,1=2,... changes ids"
            )
        return class_ids


@dataclass(frozen=True)
class BoxSource:
    """Boxes that an argument names."""

    entry: Input  # each an Annotation of boxes, or ground truth
    find: BoxFinder
    carried: list[str] | None  # names of the classes that go with the outputs
    options: dict[str, Json]  # that change the boxes
    revision: int = 1  # of their format


def open_boxes(
    source: str,
    images: str | None,
    *,
    is_simulated: bool,
    min_area: int | None,
    reading: ReadingSettings,
    run: RunSettings,
    command: str,
) -> BoxSource:
    """The boxes that an argument names: of annotations, or simulated from ground truth.

    UsageError if options do not fit them.
    """
    if is_simulated:
        if any(value is not None for value in dataclasses.astuple(reading)):
            raise UsageError("--simulate takes ground truth, without --source-format and such")
        names = find_class_names(source)
        options: dict[str, Json] = {"simulate": True, "min_area": min_area}
        finder = BoxFinder(names, min_area)
        return BoxSource(label_input(source, run, role="gt"), finder, names, options)
    if min_area is not None:
        raise UsageError("--min-area is for --simulate; annotations hold the boxes that they hold")
    if (reading.unlabelled, reading.first_class, reading.colours) != (None, None, None):
        raise UsageError("--unlabelled, --first-class and --colours are for pictures, not boxes")
    opened = open_annotations(source, images, reading, run, command=command)
    opened.say_what_is_not_read()
    names = opened.names
    if opened.are_listed and names and names[0].casefold() not in _BACKGROUND_NAMES:
        names = [_BACKGROUND_NAMES[0], *names]  # files list the classes of objects only
    carried = names if opened.has_names else None
    remap = opened.values.remapping
    options = {
        "format": reading.format,
        "classes": carried,
        "remap": None if remap is None else str(remap),
    }
    decode = partial(decode_boxes, form=opened.wanted, values=opened.values)
    entry = Input("annotation", opened.source, decode)
    return BoxSource(entry, BoxFinder(names, None), carried, options, opened.revision)
