"""Colours that indexed pictures show their values in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.palette import Colour, colour_text
from wsstools.files.limits import open_file
from wsstools.files.pillow import opened

_HEAD_OF_PICTURE = 1 << 16
"""Bytes in which the palette is."""
_DARK = 64
"""Greys below it are hardly chosen to be seen; they may be class ids."""


def palette_clash(palettes: Iterable[tuple[Path, Mapping[int, Colour]]]) -> str | None:
    """Where one index has different colours in two files, as a text, or None.

    Programs that number colours anew in each picture give one index several classes.
    """
    known: dict[int, tuple[Colour, Path]] = {}  # of each index: its colour, and a file that has it
    for path, palette in palettes:
        for index, colour in palette.items():
            other, first = known.setdefault(index, (colour, path))
            if colour != other:
                one, two = colour_text(other), colour_text(colour)
                return f"index {index} is {one} in {first.name} and {two} in {path.name}"
    return None


def stated_colours(path: Path) -> dict[int, Colour]:
    """The colours of the palette at the beginning of a picture; empty for any other file."""
    with contextlib.suppress(Exception):  # what is wrong with it is reported when it is read
        with open_file(path) as file:
            head = file.read(_HEAD_OF_PICTURE)
        with opened(head) as picture:
            if picture.mode == "P" and picture.palette is not None:
                levels = bytes(picture.palette.palette)
                return {k: _colour(levels, k) for k in range(len(levels) // 3)}
    return {}


def used_colours(data: bytes) -> dict[int, Colour]:
    """The colour of each value but 255 in a palette picture; empty for any other file."""
    # the decoders raise whatever they like at damaged files
    with contextlib.suppress(Exception), opened(data) as picture:
        palette = picture.getpalette() if picture.mode == "P" else None
        if palette is not None:
            values = np.unique(np.asarray(picture)).tolist()
            return {v: _colour(bytes(palette), v) for v in values if v != IGNORE_LABEL}
    return {}


def grey_ids(picture: Image.Image, values: NDArray[np.uint8]) -> str | None:
    """What is said of a palette that shows values as dark greys of other numbers, or None.

    Programs that make palettes of grey pictures number the greys, which were the class ids.
    """
    levels = np.array(picture.getpalette() or [], np.int64).reshape(-1, 3)
    used = np.flatnonzero(np.bincount(values.ravel()))
    used = used[(used < len(levels)) & (used != IGNORE_LABEL)]
    greys = levels[used, 0]
    is_id = greys != IGNORE_LABEL
    if len({*greys.tolist()}) < len(used) or (levels[used] != greys[:, None]).any():
        return None
    if (greys[is_id] >= _DARK).any() or (greys == used)[is_id].all():
        return None
    shown = ", ".join(f"{v} as {g}" for v, g in zip(used.tolist(), greys.tolist(), strict=True))
    return f"its palette shows values as greys ({shown}); if these are the ids, save a grey PNG"


def _colour(levels: bytes, index: int) -> Colour:
    red, green, blue = levels[3 * index : 3 * index + 3]
    return red, green, blue
