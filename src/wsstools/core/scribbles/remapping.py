"""Class ids that replace others: of data sets that number their classes in another way."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL

OTHERS = "others"
"""Means all ids that are not named, apart from IGNORE_LABEL."""

CITYSCAPES = ",".join(
    [
        *(f"{old}={new}" for new, old in enumerate(
            (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
        )),
        f"{OTHERS}={IGNORE_LABEL}",
    ]
)  # fmt: skip
"""The labelIds of Cityscapes, as its trainIds (cityscapesScripts, helpers/labels.py)."""
NAMED_REMAPPINGS = {"cityscapes": CITYSCAPES}

_LARGEST_ID = (1 << 31) - 1


@dataclass(frozen=True)
class Remapping:
    """New class ids of old ones.

    Attributes
    ----------
    pairs : tuple of (int, int)
        Old id and new id.
    others : int or None
        New id of those that are not named, apart from IGNORE_LABEL; None: they stay.
    """

    pairs: tuple[tuple[int, int], ...]
    others: int | None = None

    def __str__(self) -> str:
        named = [f"{old}={new}" for old, new in self.pairs]
        return ",".join(named if self.others is None else [*named, f"{OTHERS}={self.others}"])


def parse_remapping(text: str) -> Remapping:
    """The Remapping in a text: `OLD=NEW` or `OLD NEW`, separated by commas or ends of lines.

    OLD may be `others`. Blank lines and lines that start with `#` are skipped.

    Raises
    ------
    ValueError
        If an entry is not of this form, a new id is above 255, or an old one is named twice.

    Examples
    --------
    >>> parse_remapping("255=1, others=0")
    Remapping(pairs=((255, 1),), others=0)
    """
    found: dict[str, int] = {}
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for entry in (part.strip() for line in lines for part in line.split(",")):
        if not entry:
            continue
        match = re.fullmatch(rf"(\d{{1,10}}|{OTHERS})\s*[=\s]\s*(\d{{1,10}})", entry)
        if match is None:
            raise ValueError(f"{entry!r}: expected OLD=NEW, two class ids such as 255=1")
        old, new = match[1] if match[1] == OTHERS else str(int(match[1])), int(match[2])
        if new > IGNORE_LABEL or (old != OTHERS and int(old) > _LARGEST_ID):
            raise ValueError(
                f"{entry!r}: expected class ids, and a new id of at most {IGNORE_LABEL}"
            )
        if found.setdefault(old, new) != new:
            raise ValueError(f"{entry!r}: {old} becomes {found[old]} already")
    if not found:
        raise ValueError("no class id is named, expected OLD=NEW such as 255=1")
    pairs = sorted((int(old), new) for old, new in found.items() if old != OTHERS)
    return Remapping(tuple(pairs), found.get(OTHERS))


def remapped(labels: NDArray[np.integer], remapping: Remapping) -> NDArray[np.integer]:
    """The labels, of any shape, with new ids for old ones; an id that is not named stays.

    Examples
    --------
    >>> remapped(np.array([0, 7, 255]), Remapping(((255, 1),), others=3))
    array([3, 3, 1])
    """
    new = np.array(labels)
    if remapping.others is not None:
        new[labels != IGNORE_LABEL] = remapping.others
    for old, replacement in remapping.pairs:
        new[labels == old] = replacement
    return new
