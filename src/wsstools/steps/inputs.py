"""The inputs of steps: what a folder argument names, and how one of its files is read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.settings import FIGURE_FORMATS
from wsstools.core.labels import IGNORE_LABEL, check_class_ids, is_mask
from wsstools.core.palette import Colour
from wsstools.errors import DataError, UsageError
from wsstools.files.damage import reading
from wsstools.files.limits import read_file
from wsstools.files.provenance import Decoded, InputRecord, Meta, digest, set_record
from wsstools.formats import image_files, label_files, map_files
from wsstools.formats.palettes import palette_clash, used_colours
from wsstools.running.join import Input, check_predictions
from wsstools.running.messages import say
from wsstools.running.settings import Selection
from wsstools.running.sources import Source

T = TypeVar("T")
_NO_SCRIBBLES = (
    "every pixel is labelled; are these labels of whole images, or is another value than 255 "
    "unlabelled (wss scribbles --unlabelled)?"
)
_MASK = "a mask of 0 and 255, which is unlabelled; wss scribbles --remap 255=1 makes it class 1"
_PALETTES = 20
"""Files of a folder whose palettes are compared."""


@dataclass(frozen=True)
class Digested(Generic[T]):
    """What a file holds, and the digest of its bytes."""

    value: T
    digest: str


def map_input(place: str, run: Selection) -> Input:
    """Maps: a folder, a file, or `-`; so are the others."""
    source = Source(place, map_files.SUFFIXES, "map", rule=run.rule, null=run.null)
    return Input("map", source, map_files.decode_map)


def stored_map_input(place: str, run: Selection) -> Input:
    """Maps as their files hold them, as `StoredMap`, for steps that work on a part at a time."""
    return replace(map_input(place, run), decode=map_files.decode_stored_map)


def image_input(place: str, run: Selection) -> Input:
    """Images."""
    source = Source(place, image_files.SUFFIXES, "image", rule=run.rule, null=run.null)
    return Input("image", source, image_files.decode_image)


def label_input(
    place: str, run: Selection, *, role: str = "labels", is_optional: bool = False
) -> Input:
    """Labels; `role` is `labels`, `scribbles` or `gt`."""
    what = "ground truth" if role == "gt" else role
    source = Source(place, label_files.SUFFIXES, what, rule=run.rule, null=run.null)
    return Input(role, source, label_files.decode_labels, is_optional)


def scored_inputs(labels: str, gt: str, run: Selection) -> list[Input]:
    """Labels and their ground truth, of the classes that classes.txt names.

    DataError if there is ground truth without labels.
    """
    read = [label_input(labels, run), label_input(gt, run, role="gt")]
    inputs = [of_known_classes(entry, gt, labels) for entry in read]
    check_predictions(inputs[1].source, inputs[0].source, run)
    return inputs


def of_known_classes(entry: Input, *places: str) -> Input:
    """The same input of labels, of which a file fails whose ids the first classes.txt in or beside
    the places does not name."""
    path = label_files.find_classes_file(*places)
    if path is None:
        return entry
    n_classes = len(label_files.read_class_names(path))
    decode = partial(_decode_known, decode=entry.decode, n_classes=n_classes, names=str(path))
    return replace(entry, decode=decode)


def _decode_known(
    data: bytes,
    name: str,
    *,
    decode: Callable[[bytes, str], Decoded[object]],
    n_classes: int,
    names: str,
) -> Decoded[object]:
    found = decode(data, name)
    if isinstance(found.value, np.ndarray):
        with reading(name, errors=ValueError):
            check_class_ids(found.value, n_classes, names)
    return found


def local_inputs(
    images: str, scribbles: str, run: Selection, command: str, n_classes: int | None
) -> list[Input]:
    """What a local model takes: images, and scribbles of some of them.

    Where `n_classes` is None, the scribbles are of the classes that classes.txt names.
    """
    of_some = label_input(scribbles, run, role="scribbles", is_optional=True)
    warn_of_palettes(of_some.source, command)
    entry = replace(of_some, decode=_decode_scribbles)
    known = of_known_classes(entry, scribbles) if n_classes is None else entry
    return [image_input(images, run), known]


def _decode_scribbles(data: bytes, name: str) -> Decoded[NDArray[np.uint8]]:
    """Scribbles, with a note where they leave no pixel open, as labels of whole images do."""
    found = label_files.decode_labels(data, name)
    if found.meta is None and is_mask(found.value) and not used_colours(data):
        return found.noted(_MASK)
    if found.value.size and (found.value != IGNORE_LABEL).all():
        return found.noted(_NO_SCRIBBLES)
    return found


def warn_of_palettes(source: Source, command: str) -> None:
    """Warn if an index has one colour in a file of a folder and another in the next.

    Some files of the folder are looked at.
    """
    files = [] if source.is_stream else source.files()
    some = files[:: max(1, len(files) // _PALETTES)][:_PALETTES]
    pictures = (path for path in some if path.suffix.lower() in label_files.SUFFIXES)
    clash = palette_clash((path, _used_colours(path)) for path in pictures)
    if clash is not None:
        say(
            f"warning: {clash}; does it mean one class? wss scribbles --colours reads colours",
            command,
        )


def _used_colours(path: Path) -> dict[int, Colour]:
    with contextlib.suppress(OSError):  # which is reported when it is read
        return used_colours(read_file(path))
    return {}


def check_same_images(sources: Sequence[Source]) -> None:
    """Raise DataError unless all folders hold the same images."""
    for source in sources[1:]:
        first = sources[0]
        if source.stems != first.stems:
            odd = sorted(set(source.stems) ^ set(first.stems))
            raise DataError(
                f"{first.argument} and {source.argument} hold different images: {len(odd)} are "
                f"in one only, such as {odd[0]!r} (--ids chooses the images)"
            )


def check_format(form: str) -> None:
    """Raise UsageError unless figures can be printed so."""
    if form not in FIGURE_FORMATS:
        raise UsageError(f"--format {form}: expected table, csv or json")


def check_truth(classes: Sequence[int] | NDArray[np.int64], gt: str, command: str) -> None:
    """Warn if ground truth holds one class only, as masks of 0 and 255 do.

    Parameters
    ----------
    classes : (C,) of int
        The ids that it holds.
    gt : str
        Where it is.
    command : str
        Who warns.

    Raises
    ------
    DataError
        If it holds none.
    """
    if len(classes) == 0:
        raise DataError(f"no pixel of the ground truth in {gt} counts: all are 255 (ignored)")
    if len(classes) == 1:
        say(
            f"warning: the ground truth in {gt} holds class {classes[0]} only, besides 255, which "
            "is ignored; if 255 is a class, wss scribbles --remap 255=1 makes it class 1",
            command,
        )


def source_record(
    entry: Input,
    stems: Sequence[str],
    digests: Sequence[str],
    read_meta: Callable[[Path], Meta | None] | None,
) -> InputRecord:
    """The record of some files of an input, whose digests are known.

    `read_meta` reads how the first of them was made; None leaves it out.
    """
    paths = [entry.source.find(stem) for stem in stems]
    meta = read_meta(paths[0]) if read_meta else None
    return set_record(entry.role, [path.name for path in paths], digests, meta)


def digested(entry: Input) -> Input:
    """The same input, whose contents come with the digests of their files, as `Digested`."""
    return replace(entry, decode=partial(_decode_digested, decode=entry.decode))


def _decode_digested(
    data: bytes, name: str, *, decode: Callable[[bytes, str], Decoded[T]]
) -> Decoded[Digested[T]]:
    decoded = decode(data, name)
    return Decoded(Digested(decoded.value, digest(data)), decoded.meta, decoded.note)
