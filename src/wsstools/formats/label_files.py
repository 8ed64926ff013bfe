"""Labels and scribbles: index PNG with the VOC palette, 255 = ignore or unlabelled."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast
from unicodedata import category, normalize

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL, IGNORED_NAME
from wsstools.core.palette import voc_palette
from wsstools.errors import DataError, UsageError
from wsstools.files import png, pnm, tiff
from wsstools.files.atomic import write_atomic
from wsstools.files.damage import reading
from wsstools.files.limits import read_file
from wsstools.files.pillow import first_of, frame_count, opened, orientation_of, upright
from wsstools.files.provenance import Decoded, Meta
from wsstools.files.targets import is_taken
from wsstools.files.text import decode_text
from wsstools.formats.palettes import grey_ids

SUFFIX = ".png"
SUFFIXES = (".png", ".bmp", ".gif", ".tif", ".tiff", ".pgm")
CLASSES_FILE = "classes.txt"
_ROWS = 256
"""Rows of a colour picture that are compared at once; all of a large one would take gigabytes."""
_LOSSY = ("JPEG", "MPO", "WEBP")
"""Formats whose pixels are not, or need not be, the values that were saved."""
_GREY = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")
_FEWER_BITS = re.compile(r";(15|16)")
"""In Pillow's names of stored colours: 5 bits a colour, or 16, of which it gives 8."""


def encode_labels(labels: NDArray[np.uint8], meta: Meta) -> bytes:
    """The bytes of a palette PNG of labels, (H, W) uint8, with their record in a text chunk."""
    picture = Image.fromarray(np.ascontiguousarray(labels, np.uint8))
    picture.putpalette(voc_palette().ravel().tolist())
    return png.encode_png(picture, meta)


def decode_labels(data: bytes, name: str) -> Decoded[NDArray[np.uint8]]:
    """The class ids in a palette or grey picture, as (H, W) uint8.

    DataError as of `read_indices`, or if an index is above 255.
    """
    found = read_indices(data, name)
    values = found.value
    if values.size and (values.min() < 0 or values.max() > IGNORE_LABEL):
        raise DataError(f"{name}: labels reach {values.max()}, expected class ids up to 255")
    return Decoded(values.astype(np.uint8), found.meta, found.note)


def read_indices(data: bytes, name: str) -> Decoded[NDArray[np.integer]]:
    """The stored values of a palette or grey picture, (H, W) of any integer type, turned as images.

    Colours whose three planes are equal count as grey. Of several pictures the first is taken, with
    a note; another says where greys of a palette may be the ids. DataError if the file is no
    picture, too large or damaged, holds other colours, or is stored in a way that changes values,
    such as JPEG.
    """
    note = None
    with reading(name, "not a readable label picture: "):
        if data.startswith(tiff.MAGIC):
            (values, n_pictures), mode = tiff.read_values(data), "planes of"
        elif data.startswith(pnm.MAGIC):
            values, mode, n_pictures = pnm.read_values(data), "PPM", 1
        else:
            if data.startswith(png.MAGIC):
                png.check_sums(data)
            with opened(data) as picture:
                _check_form(picture)
                orientation, n_pictures = orientation_of(picture), frame_count(picture)
                picture.load()
                mode = picture.mode
                values = _stored(picture)
                note = grey_ids(picture, values.astype(np.uint8)) if mode == "P" else None
                step = _grey_step(data)
                values = upright(values // step if step > 1 else values, orientation)
    values = _single_plane(values)
    if values.ndim != 2 or values.dtype.kind not in "iub":
        raise DataError(
            f"{name}: labels are stored as {mode} {_what(values)}, expected class indices "
            "(save them as a palette or grey PNG whose pixel value is the class id; wss scribbles "
            "--colours FILE reads colours)"
        )
    found = cast("NDArray[np.integer]", values)
    return Decoded(found, png.read_record(data), first_of(n_pictures)).noted(note)


def read_meta(path: Path) -> Meta | None:
    """The record in a PNG of ours, or None if it carries none that can be read."""
    try:
        return png.read_record(read_file(path))
    except OSError:
        return None


def read_class_names(path: Path) -> list[str]:
    """The names in a `classes.txt`: one per line, line number = class id (from 0).

    A first line `__ignore__`, as labelme has it, is no class. DataError if a line is empty, a
    comment, a name that another line has, or holds control characters: ids would be shifted.
    """
    text = decode_text(read_file(path), str(path))
    lines = re.split("\r\n|\r|\n", normalize("NFC", text))
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    if names[:1] == [IGNORED_NAME]:
        del names[0]
    if not 1 <= len(names) <= IGNORE_LABEL:
        raise DataError(f"{path}: {len(names)} class names, expected 1 to {IGNORE_LABEL}")
    for number, name in enumerate(names):
        why = _why_no_class_name(name, names[:number])
        if why:
            raise DataError(
                f"{path}: the line of class {number} {why}; "
                "expected one class name per line, from class 0 on"
            )
    return names


def _why_no_class_name(name: str, earlier: Sequence[str]) -> str | None:
    """What is wrong with a line, or None."""
    if not name:
        return "is empty"
    if name.startswith("#"):
        return f"is a comment: {name!r}"
    if any(category(letter) == "Cc" for letter in name):
        return f"holds control characters: {name!r}"
    if name == IGNORED_NAME:
        return f"is {name}, which is no class and comes first, if at all"
    if name in earlier:
        return f"is {name!r}, as that of class {earlier.index(name)}"
    return None


def find_class_names(*places: str) -> list[str] | None:
    """The class names that travel with a folder: `classes.txt` in it or beside it, or None."""
    path = find_classes_file(*places)
    return None if path is None else read_class_names(path)


def find_classes_file(*places: str) -> Path | None:
    """The first `classes.txt` in a folder or beside it, or None."""
    for place in places:
        folder = Path(place)
        for candidate in (folder / CLASSES_FILE, folder.parent / CLASSES_FILE):
            if place != "-" and candidate.is_file():
                return candidate
    return None


def class_count(n_classes: int | None, *places: str) -> int:
    """The number of classes: as given, or the lines of the classes.txt that travels along.

    UsageError if it is neither given nor found.
    """
    if n_classes is not None:
        return n_classes
    names = find_class_names(*places)
    if names is None:
        raise UsageError(
            f"how many classes? there is no classes.txt in or beside {places[0]}; "
            "write one (a name per line, from class 0 on) or give --n-classes"
        )
    return len(names)


def class_names_carrier(
    names: Sequence[str] | None, folder: Path, *, overwrite: bool = False
) -> Callable[[], None] | None:
    """What writes the class names into a folder of labels when these are there; None without names.

    It writes nothing where they are in it or beside it; other names beside it are those of other
    labels. UsageError, now, if there are others in it, unless they may be overwritten; DataError if
    the file would not be read back as these.
    """
    if not names:
        return None
    for number, name in enumerate(names):
        if why := _why_no_class_name(name, names[:number]):
            raise DataError(f"the name of class {number} {why}; {CLASSES_FILE} cannot hold it")
    path = folder / CLASSES_FILE
    is_there = is_taken(path, overwrite=overwrite)
    known = read_class_names(path) if is_there and not overwrite else None
    if known not in (None, list(names)):
        raise UsageError(
            f"{path} names other classes than these labels: {', '.join(map(str, known or ()))}, "
            f"not {', '.join(names)}; write to another place, or give --overwrite"
        )
    return partial(_carry_class_names, list(names), folder)


def _carry_class_names(names: list[str], folder: Path) -> None:
    if find_class_names(str(folder)) != names:
        write_atomic(folder / CLASSES_FILE, "".join(f"{name}\n" for name in names).encode())


def _check_form(picture: ImageFile.ImageFile) -> None:
    """Raise ValueError where pixels are not the values that were saved."""
    if picture.format in _LOSSY:
        raise ValueError(
            f"it is {picture.format} data, in which class ids do not keep their values, whatever "
            "the name ends in (save labels as a palette or grey PNG)"
        )
    stored = picture.tile[0][3] if picture.tile else ""
    form = stored[0] if isinstance(stored, tuple) else stored
    if _FEWER_BITS.search(str(form)) and picture.mode not in _GREY:
        raise ValueError(f"its colours are stored as {form}, expected class indices")


def _stored(picture: Image.Image) -> AnyArray:
    """The values of a picture, (H, W); of colours whose planes differ a part, (h, W, C)."""
    if picture.mode not in ("RGB", "RGBA"):
        return np.asarray(picture)
    alpha = set()
    for top in range(0, picture.height, _ROWS):
        box = (0, top, picture.width, min(top + _ROWS, picture.height))
        part = np.asarray(picture.crop(box))
        alpha |= set(np.unique(part[:, :, 3:]).tolist())
        if _single_plane(part).ndim != 2 or len(alpha) > 1:
            return part
    return np.asarray(picture.getchannel(0))


def _single_plane(values: AnyArray) -> AnyArray:
    """(H, W) of (H, W, 2 to 4) whose colours are equal, and alpha, the last of 2 or 4, constant."""
    if values.ndim != 3 or values.shape[2] not in (2, 3, 4) or 0 in values.shape:
        return values
    n_colours = values.shape[2] - (values.shape[2] != 3)
    is_grey = all(bool((values[:, :, k] == values[:, :, 0]).all()) for k in range(1, n_colours))
    alpha = values[:, :, n_colours:]
    is_opaque = not alpha.size or alpha.min() == alpha.max() > 0
    return values[:, :, 0] if is_grey and is_opaque else values


def _grey_step(data: bytes) -> int:
    """What Pillow multiplies the values of a grey PNG of 2 or 4 bits by, so that white is 255."""
    is_png = data.startswith(png.MAGIC)
    depth, colour_type = (data[24], data[25]) if is_png and len(data) > 25 else (8, 0)
    return 255 // (2**depth - 1) if colour_type == 0 and depth in (2, 4) else 1


def _what(values: AnyArray) -> str:
    return "colours" if values.ndim != 2 else f"{values.dtype} numbers"
