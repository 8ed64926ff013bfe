"""Pictures whose colours are classes: strokes of an image editor, colour labels."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.palette import colour_text
from wsstools.core.scribbles.annotation import Annotation, Area
from wsstools.core.scribbles.colours import ColourTable
from wsstools.errors import DataError
from wsstools.files import tiff
from wsstools.files.damage import reading
from wsstools.files.pillow import first_of, frame_count, opened, orientation_of, upright
from wsstools.files.provenance import Decoded

_OPAQUE = 255
_LISTED = 6
"""Colours that a message lists."""
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


def decode_colours(data: bytes, name: str, table: ColourTable) -> Decoded[Annotation]:
    """The pixels that have a colour of the table, a class each; what else is opaque is counted.

    Pixels that are not wholly opaque are unlabelled, and so are those of other colours, such as the
    edges of strokes that are drawn smoothly. The note lists these colours.

    DataError if the file is no picture or a JPEG, whose colours are not exact, or if no pixel has a
    colour of the table where there are several colours.
    """
    with reading(name, "not a readable picture: "):
        (packed, opaque, visible), n_pictures = _packed(data)
    marks = []
    n_soft = 0
    rest = opaque.copy()
    for class_name, colour in table.entries:
        has_colour = packed == _number(colour)
        mask = has_colour & opaque
        n_soft += int((has_colour & visible & ~opaque).sum())
        if mask.any():
            rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
            box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            marks.append(Area(class_name, (int(columns[0]), int(rows[0])), box))
            rest &= ~mask
    others, n_others = _listed(packed[rest])
    if not marks and n_others > 1:
        raise DataError(f"{name}: no pixel has a colour of --colours; its colours are {others}")
    what = "colour that is" if n_others == 1 else "colours that are"
    notes = [f"left out: {n_others} {what} not in --colours: {others}"] if n_others else []
    if n_soft:
        pixels, verb = ("pixel", "is") if n_soft == 1 else ("pixels", "are")
        notes.append(f"left out: {n_soft} {pixels} of these colours that {verb} partly transparent")
    height, width = packed.shape
    found = Annotation(tuple(marks), (height, width))
    return Decoded(found).noted(first_of(n_pictures), *notes)


def frequent_colours(data: bytes) -> str:
    """The most frequent colours in a picture, with their pixels; empty if it is not read."""
    try:
        (packed, opaque, _), _ = _packed(data)
    except MemoryError:
        raise
    except Exception:  # the decoders raise whatever they like
        return ""
    return _listed(packed[opaque])[0]


def _packed(
    data: bytes,
) -> tuple[tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.bool_]], int]:
    """The colours as numbers 0xrrggbb, and which pixels are opaque and visible, each (H, W).

    Behind them is how many pictures the file holds.
    """
    if data.startswith(tiff.MAGIC):
        values, n_pictures = tiff.read_colours(data)
    else:
        with opened(data) as picture:
            if picture.format == "JPEG":
                raise ValueError("a JPEG, whose colours are not exact; save it as PNG")
            if picture.mode not in _MODES:
                raise ValueError(f"colours of kind {picture.mode} are not read; save it as RGB PNG")
            orientation, n_pictures = orientation_of(picture), frame_count(picture)
            values = upright(np.asarray(picture.convert("RGBA")), orientation)
    if values.dtype == np.uint16:
        values = np.right_shift(values, 8).astype(np.uint8)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    elif values.shape[2] == 2:  # grey and alpha
        values = values[..., [0, 0, 0, 1]]
    if values.ndim != 3 or values.shape[2] not in (3, 4) or values.dtype != np.uint8:
        raise ValueError(
            f"holds {values.dtype} of shape {values.shape}, expected colours of 8 or 16 bits"
        )
    red, green, blue = (values[..., k].astype(np.int32) for k in range(3))
    has_alpha = values.shape[2] == 4
    alpha = values[..., 3] if has_alpha else np.full(values.shape[:2], _OPAQUE, np.uint8)
    packed = cast("NDArray[np.int32]", red << 16 | green << 8 | blue)
    return (packed, np.equal(alpha, _OPAQUE), np.greater(alpha, 0)), n_pictures


def _number(colour: tuple[int, int, int]) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _listed(packed: NDArray[np.int32]) -> tuple[str, int]:
    """The most frequent of the colours, (N,), as a text, and how many there are."""
    colours, counts = np.unique(packed, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = [
        f"{colour_text((c >> 16, c >> 8 & 255, c & 255))} ({n} pixels)"
        for c, n in zip(colours[order[:_LISTED]].tolist(), counts[order[:_LISTED]], strict=True)
    ]
    more = ["..."] if len(colours) > _LISTED else []
    return ", ".join([*shown, *more]), len(colours)
