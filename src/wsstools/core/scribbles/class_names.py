"""Names of classes, and the ids that they mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from unicodedata import normalize

from wsstools.core.labels import IGNORE_LABEL, IGNORED_NAME

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""The classes of PASCAL VOC, in the order of their ids."""

SYNONYMS = (
    ("aeroplane", "plane"),
    ("bicycle", "bike"),
    ("diningtable", "table"),
    ("pottedplant", "plant"),
    ("tvmonitor", "monitor"),
)
"""Names of one class: PASCAL VOC's, and the tag that ScribbleSup has for it."""

ClassName: TypeAlias = "str | int"


def resolve_names(
    names: Sequence[ClassName], class_names: Sequence[str] | None
) -> dict[ClassName, int]:
    """The class id of each name.

    A name is looked up as it is, then without regard to case and to blanks and strokes within it,
    then by its SYNONYMS; what so fits two classes is unknown. An id means itself, and so does
    a number where no class is called a number; without `class_names` (by id) only these do.
    IGNORED_NAME is IGNORE_LABEL. ValueError lists all names that are unknown or too large.
    """
    exact = {name: k for k, name in reversed(list(enumerate(class_names or ())))}
    folds = Counter(map(_folded, exact))
    folded = {_folded(name): k for name, k in exact.items() if folds[_folded(name)] == 1}
    for one, other in (*SYNONYMS, *(pair[::-1] for pair in SYNONYMS)):
        if one in folded:
            folded.setdefault(other, folded[one])
    largest = IGNORE_LABEL - 1 if class_names is None else len(class_names) - 1
    found: dict[ClassName, int] = {}
    unknown = []
    for name in dict.fromkeys(names):
        class_id = _class_id(name, exact, folded)
        if class_id is None or not (0 <= class_id <= largest or class_id == IGNORE_LABEL):
            unknown.append(str(name))
        else:
            found[name] = class_id
    if unknown:
        unknown_names = ", ".join(sorted(unknown))
        known_names = "none" if class_names is None else ", ".join(class_names)
        raise ValueError(f"no such class: {unknown_names} (classes: {known_names})")
    return found


def _folded(name: str) -> str:
    """A name in small letters without blanks and strokes within it; `CD3+` keeps its sign."""
    return re.sub(r"(?<=\w)[\s_/-]+(?=\w)", "", normalize("NFC", name).casefold().strip())


def _class_id(name: ClassName, exact: Mapping[str, int], folded: Mapping[str, int]) -> int | None:
    if isinstance(name, int):
        return name
    if name == IGNORED_NAME:
        return IGNORE_LABEL
    found = exact.get(name, folded.get(_folded(name)))
    is_id = name.isascii() and name.isdecimal() and not any(map(str.isdecimal, exact))
    return int(name) if found is None and is_id else found
