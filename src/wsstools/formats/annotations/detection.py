"""Annotations in any format that is read: which one it is, by its content, and what it holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from wsstools.core.scribbles.annotation import Annotation, Line
from wsstools.core.scribbles.strokes import parse_strokes
from wsstools.errors import DataError
from wsstools.files import npy, tiff
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded
from wsstools.files.text import decode_text
from wsstools.files.xml import root_name
from wsstools.formats.annotations import cvat, label_arrays, matlab
from wsstools.formats.annotations.labelme import decode_labelme
from wsstools.formats.annotations.sbd import decode_sbd
from wsstools.formats.annotations.scribblesup import decode_scribblesup
from wsstools.formats.label_files import CLASSES_FILE

FORMATS: Mapping[str, tuple[str, ...]] = {
    "labelme": (".json",),
    "scribblesup": (".xml",),
    "cvat": (".xml",),
    "strokes": (".txt",),
    "napari": (".tif", ".tiff", ".npy"),
    "sbd": (".mat",),
    "picture": (".png", ".bmp", ".gif", ".pgm", ".tif", ".tiff"),
}
"""Endings of each format's files; those of the first format that a folder holds are read."""
NAMED_FORMATS = ("labelme", "scribblesup", "cvat")
"""Formats whose classes have names."""
_PICTURE_MAGIC = (b"\x89PNG", b"BM", b"GIF8", b"P5", b"P2", b"\xff\xd8")
_HEAD = 4096


def detected_format(data: bytes, name: str) -> str:
    """The format of a file's content; DataError if it is none of FORMATS."""
    if data.startswith(tiff.MAGIC) or data.startswith(npy.MAGIC):
        return "napari"
    if data.startswith(matlab.MAGIC):
        return "sbd"
    if data.startswith(_PICTURE_MAGIC):
        return "picture"
    start = data[:_HEAD].decode("utf-8", "replace").replace("\0", "").lstrip("\ufeff\ufffd \t\r\n")
    if start.startswith("{"):
        return "labelme"
    if not start.startswith("<"):
        return "strokes"
    root = root_name(data[:_HEAD])
    if root in (cvat.ROOT, cvat.PART_ROOT):
        return "cvat"
    if root == "annotation":
        return "scribblesup"
    raise DataError(
        f"{name}: the root is <{root}>, expected <annotation> (ScribbleSup) or <annotations> (CVAT)"
    )


def decode_annotation(
    data: bytes,
    name: str,
    *,
    form: str | None = None,
    unlabelled: int | None = None,
    first: int | None = None,
) -> Decoded[Annotation]:
    """What a file says of one image; the format is `form`, one of FORMATS, or that of the content.

    In pictures and arrays `unlabelled` is the value that carries no class, and `first` that of
    class 0; None is the format's own. DataError if the file is damaged or of no such format.
    """
    form = form or detected_format(data, name)
    decoders: Mapping[str, Callable[[bytes, str], Decoded[Annotation]]] = {
        "labelme": decode_labelme,
        "scribblesup": decode_scribblesup,
        "cvat": cvat.decode_cvat,
        "strokes": _decode_strokes,
        "napari": partial(label_arrays.decode_napari, unlabelled=unlabelled, first=first),
        "sbd": decode_sbd,
        "picture": partial(label_arrays.decode_picture, unlabelled=unlabelled, first=first),
    }
    return decoders[form](data, name)


def _decode_strokes(data: bytes, name: str) -> Decoded[Annotation]:
    with reading(name, errors=ValueError):
        strokes = parse_strokes(decode_text(data, name))
    return Decoded(Annotation(tuple(Line(stroke.label, stroke.points) for stroke in strokes)))


def suffixes_of(argument: str, form: str | None) -> tuple[str, ...]:
    """The endings of the files that are read where an argument names a folder, or anything else."""
    if form is not None:
        return FORMATS[form]
    held = count_endings(argument) if os.path.isdir(argument) else {}
    for suffixes in FORMATS.values():
        if any(suffix in held for suffix in suffixes):
            return suffixes
    return tuple(dict.fromkeys(suffix for suffixes in FORMATS.values() for suffix in suffixes))


def count_endings(folder: str) -> dict[str, int]:
    """How many files of each ending a folder holds, hidden ones and classes.txt apart."""
    counts: dict[str, int] = {}
    for entry in os.scandir(folder):
        if not entry.name.startswith(".") and entry.name != CLASSES_FILE:
            suffix = Path(entry.name).suffix.lower()
            counts[suffix] = counts.get(suffix, 0) + 1
    return counts
