"""Columns of pictures: what `NAME=[VIEW:]DIR` means, and what is read for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.maps import ProbabilityMap
from wsstools.errors import UsageError
from wsstools.files.provenance import Decoded
from wsstools.formats import label_files, map_files
from wsstools.running.join import Input
from wsstools.running.settings import Selection
from wsstools.running.sources import Source
from wsstools.steps.inputs import image_input, label_input, map_input

Content: TypeAlias = "ProbabilityMap | NDArray[np.uint8]"
"""A map, labels or an image."""
PLAIN, HEAT, ENTROPY, ERRORS, DIFF = "", "heat", "entropy", "errors", "diff"
_FORMS = "NAME=DIR, NAME=heat:CLASS:MAPS, NAME=entropy:MAPS, NAME=errors:LABELS, NAME=diff:DIR,DIR"


@dataclass(frozen=True)
class Column:
    """A column of pictures with its title; of one folder, or two for DIFF.

    PLAIN shows scribbles, labels or maps as they are; HEAT the probability of a class, ENTROPY
    that of a map, ERRORS what is not the ground truth, DIFF where two folders differ. If
    `is_scored`, the accuracy is noted where there is ground truth; not for that itself.
    """

    name: str
    view: str
    folders: tuple[str, ...]
    class_id: int | None = None
    is_scored: bool = True


def parsed_columns(
    texts: Sequence[str], images: str, classes: str | None, gt: str | None
) -> tuple[list[Column], list[str] | None]:
    """The columns that texts, `NAME=[VIEW:]DIR` each, describe, and the names of the classes.

    These come from the file `classes`, or else the classes.txt in or beside the folders.
    """
    parts = [_split(text) for text in texts]
    named = [name for name, *_ in parts]
    if len(set(named)) < len(named):
        raise UsageError(f"columns need names of their own, found {', '.join(named)}")
    places = [folder for *_, folders in parts for folder in folders] + ([] if gt is None else [gt])
    if not classes:
        names = label_files.find_class_names(*places, images)
    else:
        names = label_files.read_class_names(Path(classes))
    columns = [
        Column(
            name,
            view,
            folders,
            _class_id(class_text, names) if view == HEAT else None,
            is_scored=not (view == PLAIN and gt is not None and _same(folders[0], gt)),
        )
        for name, view, class_text, folders in parts
    ]
    if gt is None and any(column.view == ERRORS for column in columns):
        raise UsageError("errors: needs the ground truth: --gt DIR")
    return columns, names


def column_inputs(
    columns: Sequence[Column],
    images: str | None,
    gt: str | None,
    run: Selection,
    *,
    is_optional: bool = False,
) -> list[Input]:
    """What is read for each image, in the order in which `draw_pictures` takes it."""
    inputs = [] if images is None else [image_input(images, run)]
    for column in columns:
        read = map_input if column.view in (HEAT, ENTROPY) else either_input
        inputs += [
            replace(read(folder, run), role=column.name, is_optional=is_optional)
            for folder in column.folders
        ]
    if gt is not None:
        inputs.append(label_input(gt, run, role="gt", is_optional=is_optional))
    return inputs


def either_input(place: str, run: Selection) -> Input:
    """Maps or labels: a folder, a file, or `-`."""
    suffixes = map_files.SUFFIXES + label_files.SUFFIXES
    source = Source(place, suffixes, "map or label file", rule=run.rule, null=run.null)
    return Input("labels", source, decode_either)


def decode_either(data: bytes, name: str) -> Decoded[Content]:
    """The map or the labels in a file, by its ending."""
    if name.lower().endswith(map_files.SUFFIXES):
        return map_files.decode_map(data, name)
    return label_files.decode_labels(data, name)


def _split(text: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Name, view, class and folders of a column."""
    name, equals, place = text.partition("=")
    view, colon, rest = place.partition(":")
    class_text = ""
    if not colon or view not in (HEAT, ENTROPY, ERRORS, DIFF):
        view, rest = PLAIN, place
    if view == HEAT:
        class_text, _, rest = rest.partition(":")
    folders = tuple(rest.split(",")) if view == DIFF else (rest,)
    is_whole = name and equals and all(folders) and (view != HEAT or class_text)
    if not is_whole or len(folders) != (2 if view == DIFF else 1):
        raise UsageError(f"{text}: expected a name and a folder: {_FORMS}")
    return name, view, class_text, folders


def _class_id(text: str, names: Sequence[str] | None) -> int:
    """The class that a name or an id means."""
    if names and text in names:
        return names.index(text)
    if text.isdecimal() and int(text) < 255:
        return int(text)
    known = f"one of {', '.join(names)}" if names else "an id, as there is no classes.txt"
    raise UsageError(f"heat:{text}: no such class; expected {known}")


def _same(place: str, other: str) -> bool:
    return Path(place).exists() and Path(other).exists() and Path(place).samefile(other)
