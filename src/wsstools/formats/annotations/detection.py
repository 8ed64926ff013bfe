"""Annotations in any format that is read: which one it is, by its content, and what it holds."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from wsstools.core.labels import IGNORED_NAME
from wsstools.core.scribbles.annotation import Annotation, Line
from wsstools.core.scribbles.class_names import VOC_CLASSES
from wsstools.core.scribbles.strokes import parse_strokes
from wsstools.errors import DataError
from wsstools.files import npy, pnm, tiff
from wsstools.files.damage import reading
from wsstools.files.limits import LARGEST_MAP, open_file
from wsstools.files.provenance import Decoded
from wsstools.files.text import decode_text
from wsstools.formats.annotations import cvat, matlab, napari_tables, voc_detection, yolo
from wsstools.formats.annotations.content import HEAD, Content, ImagePart, image_stem, stem_of_file
from wsstools.formats.annotations.json_files import (
    coco,
    davis,
    geojson,
    label_studio,
    labelme,
    points,
    via,
)
from wsstools.formats.annotations.label_arrays import Values, decode_napari, decode_picture
from wsstools.formats.annotations.sbd import decode_sbd
from wsstools.formats.annotations.scribblesup import decode_scribblesup
from wsstools.formats.label_files import CLASSES_FILE

_LAST_SUFFIXES = (".csv", ".zip")
"""Endings of tables and archives, which are read where a folder holds nothing else that is."""
_ZIP_MAGIC = b"PK\x03\x04"
_PICTURE_MAGIC = (b"\x89PNG", b"BM", b"GIF8", *pnm.MAGIC, b"\xff\xd8", b"RIFF")
_OF_ONE_IMAGE = (b'"shapes"', b'"FeatureCollection"')
"""What is at the beginning of JSON that holds one image: labelme's and QuPath's."""
_MOST_MEMBERS = 100_000
_UNNAMED = "arr_0.npy"
"""The array in an archive of NumPy that was saved without a name, as napari saves layers."""
_TEXT_SUFFIX = ".txt"
"""Files with this ending may be empty: nothing is drawn in the image."""

Decode = Callable[[Content, Values], Decoded[Annotation]]


@dataclass(frozen=True)
class Format:
    """A format of annotations.

    Attributes
    ----------
    suffixes : tuple of str
        Endings of its files.
    is_of : function
        Whether a content is of this format; those before it in FORMATS are asked first.
    decode : function
        The annotation of one image, and what values mean in it.
    has_values : bool
        Whether it is a picture or a layer, to which Values apply.
    split : function or None
        The images of a file that holds several; `decode` then takes a part of it.
    class_names : function or None
        The names of the classes that a file lists, in the order of their ids.
    default_names : tuple of str or None
        The names of the classes where there are no others.
    has_names : bool
        Whether its classes have names.
    revision : int
        Raised by a commit that changes what is drawn of the same file.
    """

    suffixes: tuple[str, ...]
    is_of: Callable[[Content], bool]
    decode: Decode
    has_values: bool = False
    split: Callable[[Content], list[ImagePart]] | None = None
    class_names: Callable[[Content], list[str] | None] | None = None
    default_names: tuple[str, ...] | None = None
    has_names: bool = False
    revision: int = 1


def _shapes(decode: Callable[[Content], Decoded[Annotation]]) -> Decode:
    """The function for a format of shapes, to which Values do not apply."""
    return lambda content, values: decode(content)


def _decode_strokes(content: Content) -> Decoded[Annotation]:
    with reading(content.name, errors=ValueError):
        strokes = parse_strokes(decode_text(content.data, content.name))
    return Decoded(Annotation(tuple(Line(name, points) for name, points in strokes)))


FORMATS: Mapping[str, Format] = {
    "labelme": Format(
        (".json",),
        lambda content: labelme.KEY in content.json_keys,
        _shapes(labelme.decode_labelme),
        has_names=True,
        revision=2,
    ),
    "coco": Format(
        (".json",),
        coco.is_coco,
        _shapes(coco.decode_coco),
        split=coco.split_coco,
        class_names=coco.class_names_of_coco,
        has_names=True,
    ),
    "labelstudio": Format(
        (".json",),
        label_studio.is_label_studio,
        _shapes(label_studio.decode_label_studio),
        split=label_studio.split_label_studio,
        has_names=True,
    ),
    "via": Format(
        (".json",),
        via.is_via,
        _shapes(via.decode_via),
        split=via.split_via,
        class_names=via.class_names_of_via,
        has_names=True,
    ),
    "davis": Format(
        (".json",),
        lambda content: davis.KEY in content.json_keys,
        _shapes(davis.decode_davis),
        split=davis.split_davis,
    ),
    "points": Format(
        (".json",),
        points.is_point_list,
        _shapes(points.decode_points),
        split=points.split_points,
        has_names=True,
    ),
    "voc": Format(
        (".xml",),
        voc_detection.is_voc_detection,
        _shapes(voc_detection.decode_voc_detection),
        default_names=VOC_CLASSES,
        has_names=True,
    ),
    "scribblesup": Format(
        (".xml",),
        lambda content: content.root == "annotation",
        _shapes(decode_scribblesup),
        default_names=VOC_CLASSES,
        has_names=True,
    ),
    "cvat": Format(
        (".xml",),
        lambda content: content.root in (cvat.ROOT, cvat.PART_ROOT),
        _shapes(cvat.decode_cvat),
        split=cvat.split_cvat,
        class_names=cvat.class_names_of_cvat,
        has_names=True,
        revision=2,
    ),
    "yolo": Format((".txt",), yolo.is_yolo, _shapes(yolo.decode_yolo), revision=2),
    "napari-csv": Format(
        (), napari_tables.is_napari_table, napari_tables.decode_napari_table, has_names=True
    ),
    "strokes": Format(
        (".txt",),
        lambda content: not content.start.startswith(("<", "{", "[")),
        _shapes(_decode_strokes),
    ),
    "napari": Format(
        (".tif", ".tiff", ".npy"),
        lambda content: content.data.startswith((*tiff.MAGIC, npy.MAGIC)),
        decode_napari,
        has_values=True,
        revision=2,
    ),
    "sbd": Format(
        (".mat",), lambda content: content.data.startswith(matlab.MAGIC), _shapes(decode_sbd)
    ),
    "picture": Format(
        (".png", ".bmp", ".gif", ".pgm", ".tif", ".tiff"),
        lambda content: content.data.startswith(_PICTURE_MAGIC),
        decode_picture,
        has_values=True,
        revision=2,
    ),
    "geojson": Format(
        (".geojson", ".json"),
        geojson.is_geojson,
        _shapes(geojson.decode_geojson),
        has_names=True,
        revision=2,
    ),
}
"""The formats by name. The files of a folder that are read are those of the first that it holds."""
_BINARY = ("napari", "sbd", "picture")


@dataclass(frozen=True)
class Unpacked:
    """What a file holds: its images, if they are several, and the names of classes it lists.

    `lists` are by the name of the file; an archive may hold several that list some. `left_out` are
    the files of an archive whose names lead out of it.
    """

    parts: tuple[ImagePart, ...] | None = None
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def detected_format(data: bytes, name: str) -> str:
    """The name of the format of a file's content; DataError if it is none of FORMATS."""
    return _detected(Content(data, name))


def decode_annotation(
    data: bytes,
    name: str,
    *,
    form: str | None = None,
    values: Values = Values(),
    only_boxes: bool = False,
) -> Decoded[Annotation]:
    """What a file says of one image; the format is `form`, one of FORMATS, or that of the content.

    `values` says what those in pictures and layers mean; `only_boxes` that boxes are taken where
    a format has them beside other shapes. DataError if the file is damaged, of no such format, or
    holds several images.
    """
    content = Content(data, name, only_boxes=only_boxes)
    used = FORMATS[form or _detected(content)]
    if used.split is not None and not _is_part(content):
        parts = used.split(content)
        if not all(part.stem for part in parts):
            raise DataError(f"{name}: an image in it has no name")
        if [part.stem for part in parts] != [stem_of_file(name)]:
            raise DataError(
                f"{name}: holds images of other names; give the file itself, not standard input"
            )
        content = Content(parts[0].data, name, only_boxes=only_boxes)
    found = used.decode(content, values)
    if used.has_values or values.remapping is None:
        return found
    return replace(found, value=replace(found.value, remapping=values.remapping))


def unpack(path: Path, form: str | None = None) -> Unpacked:
    """The images in a file that holds several, and the names of classes that it lists.

    It has no parts if it holds one image, or cannot be read: `decode_annotation` says what is
    wrong. The files in a zip archive are read as those of a folder.
    """
    try:
        with open_file(path) as file:
            if not _may_hold_several(file.read(HEAD), form):
                return Unpacked()
            file.seek(0)
            data = file.read()
        if data.startswith(_ZIP_MAGIC):
            return _unpack_archive(data, str(path), form)
        return _unpack_file(Content(data, str(path)), form)
    except (DataError, OSError):
        return Unpacked()


def _may_hold_several(head: bytes, form: str | None) -> bool:
    """Whether a file that begins so is worth reading before its turn."""
    if head.startswith(_ZIP_MAGIC):
        return True
    if form is not None:
        return FORMATS[form].split is not None
    content = Content(head, "")
    if content.is_json:
        return not any(key in head for key in _OF_ONE_IMAGE)
    return content.root == cvat.ROOT or via.is_via(content)


def suffixes_of(argument: str, form: str | None) -> tuple[str, ...]:
    """The endings of the files that are read where an argument names a folder, or anything else."""
    held = count_endings(argument) if os.path.isdir(argument) else {}
    return _suffixes_read(held, form)


def count_endings(folder: str) -> dict[str, int]:
    """How many files of each ending a folder holds, hidden ones and classes.txt apart."""
    counts: dict[str, int] = {}
    for entry in os.scandir(folder):
        if not entry.name.startswith(".") and entry.name != CLASSES_FILE:
            suffix = Path(entry.name).suffix.lower()
            counts[suffix] = counts.get(suffix, 0) + 1
    return counts


def _suffixes_read(held: Mapping[str, int], form: str | None) -> tuple[str, ...]:
    """The endings of the format, or of the first that is held."""
    chosen = [FORMATS[form]] if form is not None else list(FORMATS.values())
    for entry in chosen:
        if any(suffix in held for suffix in entry.suffixes):
            return entry.suffixes
    for suffix in _LAST_SUFFIXES:
        if suffix in held:
            return (suffix,)
    every = [suffix for entry in chosen for suffix in entry.suffixes]
    return tuple(dict.fromkeys([*every, *_LAST_SUFFIXES]))


def _detected(content: Content) -> str:
    if not content.data.strip() and Path(content.name).suffix.lower() != _TEXT_SUFFIX:
        raise DataError(f"{content.name}: the file is empty")
    if (whole := content.part_of()) in FORMATS:
        return str(whole)
    if content.data.startswith(_ZIP_MAGIC):
        _unpack_archive(content.data, content.name, None)
        raise DataError(f"{content.name}: an archive; give the file itself, not standard input")
    found = next((name for name in _BINARY if FORMATS[name].is_of(content)), None)
    found = found or next((name for name, entry in FORMATS.items() if entry.is_of(content)), None)
    if found is not None:
        return found
    if content.is_json:
        raise DataError(
            f"{content.name}: JSON of no program that is read: it has no list 'shapes' (labelme), "
            "'images' and 'annotations' (COCO), tasks (Label Studio), 'regions' (VIA), 'features' "
            "(QuPath), 'scribbles' (DAVIS) or points by name"
        )
    raise DataError(
        f"{content.name}: the root is <{content.root}>, expected <annotation> (ScribbleSup, "
        "PASCAL VOC) or <annotations> (CVAT)"
    )


def _is_part(content: Content) -> bool:
    return content.part_of() is not None or content.root == cvat.PART_ROOT


def _unpack_file(content: Content, form: str | None) -> Unpacked:
    used = FORMATS[form or _detected(content)]
    names = used.class_names(content) if used.class_names is not None else None
    names = [name for name in names or () if name != IGNORED_NAME]
    if all(name.isascii() and name.isdecimal() for name in names):
        names = []  # they are ids
    parts = None
    if used.split is not None and not _is_part(content):
        parts = tuple(used.split(content))
        if not all(part.stem for part in parts):
            raise DataError(f"{content.name}: an image in it has no name")
    return Unpacked(parts, {content.name: tuple(names)} if names else {})


def _unpack_archive(data: bytes, name: str, form: str | None) -> Unpacked:
    """The images in the files of an archive; DataError if it is damaged, or holds none."""
    parts: list[ImagePart] = []
    lists: dict[str, tuple[str, ...]] = {}
    members, left_out = _members(data, name, form)
    for member, content in members.items():
        held = Unpacked()
        if not content.startswith(_ZIP_MAGIC):  # one in another might have no end
            with contextlib.suppress(DataError):  # it fails alone
                held = _unpack_file(Content(content, f"{name} ({member})"), form)
        stem = stem_of_file(name) if member == _UNNAMED else image_stem(member)
        parts.extend(held.parts or (ImagePart(stem, content),))
        lists.update(held.lists)
    if not parts:
        raise DataError(f"{name}: no annotations in this archive are read; unpack it")
    return Unpacked(tuple(parts), lists, left_out)


def _members(data: bytes, name: str, form: str | None) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of an archive that are annotations, by name, and the names that lead out of it."""
    with reading(name, "not a readable archive: "), zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        left_out = tuple(entry.filename for entry in files if _leads_out(entry.filename))
        held = [entry for entry in files if _is_visible(entry.filename)]
        endings = {PurePosixPath(entry.filename).suffix.lower(): 1 for entry in held}
        suffixes = _suffixes_read(endings, form)
        chosen = [entry for entry in held if entry.filename.lower().endswith(suffixes)]
        if len(chosen) > _MOST_MEMBERS or sum(e.file_size for e in chosen) > LARGEST_MAP:
            raise ValueError("it unpacks to too much")
        return {entry.filename: archive.read(entry) for entry in chosen}, left_out


def _leads_out(member: str) -> bool:
    """Whether the name of a file in an archive is absolute, or goes up, on any system."""
    path = PureWindowsPath(member)
    return bool(path.anchor) or ".." in path.parts


def _is_visible(member: str) -> bool:
    path = PurePosixPath(member)
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    is_other = path.name == CLASSES_FILE or path.suffix.lower() == ".zip"
    return not (is_hidden or is_other or _leads_out(member))


def common_class_names(lists: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """The names of the classes that files list, by the name of the file; None if none does.

    DataError if two files list different names.
    """
    first = next(iter(lists), "")
    for name, names in lists.items():
        if list(names) != list(lists[first]):
            raise DataError(
                f"{first} and {name} list different classes ({', '.join(lists[first])}; "
                f"{', '.join(names)}); write a classes.txt, or give --classes"
            )
    return tuple(lists[first]) if lists else None
