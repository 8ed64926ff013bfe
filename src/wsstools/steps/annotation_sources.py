"""Annotations that an argument names: their format, their files and the names of their classes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsstools.core.scribbles.colours import (
    ColourTable,
    cityscapes_colours,
    parse_colours,
    voc_colours,
)
from wsstools.core.scribbles.remapping import NAMED_REMAPPINGS, Remapping, parse_remapping
from wsstools.core.scribbles.settings import ReadingSettings
from wsstools.errors import DataError, UsageError
from wsstools.files.limits import read_file
from wsstools.files.names import named_examples
from wsstools.files.text import decode_text
from wsstools.formats.annotations import detection
from wsstools.formats.annotations.content import ImagePart
from wsstools.formats.annotations.label_arrays import Values
from wsstools.formats.label_files import CLASSES_FILE, find_class_names, read_class_names
from wsstools.running.messages import say
from wsstools.running.settings import Selection
from wsstools.running.sources import Source, content_of


@dataclass(frozen=True)
class OpenedAnnotations:
    """Annotations of one format, and what their classes are called."""

    source: Source
    wanted: str | None  # the format that the settings name
    form: str | None  # that, or the format of the first file; None where it is not known before
    values: Values
    files: Sequence[Path]
    names: list[str] | None  # of the classes, by id
    are_listed: bool  # whether the names are those that the files list
    has_names: bool  # whether the marks have names, which become ids by `names`
    revision: int
    command: str

    @property
    def carried(self) -> list[str] | None:
        """The names that go with the outputs."""
        return self.names if self.has_names else None

    def say_what_is_not_read(self) -> None:
        """Count the files of other formats beside them."""
        n_others = _count_other_files(self.source.argument, self.wanted)
        if n_others:
            say(
                f"files in {self.source.argument} of other formats, not read: {n_others} "
                "(--source-format chooses)",
                self.command,
            )


def open_annotations(
    source: str, images: str | None, reading: ReadingSettings, run: Selection, *, command: str
) -> OpenedAnnotations:
    """What an argument names; UsageError if the settings do not fit it."""
    values = _values(reading)
    wanted = "picture" if values.colours is not None else reading.format
    annotations, files, lists = open_source(source, wanted, run, command=command)
    form = wanted or _first_format(annotations)
    used = list(detection.FORMATS.values()) if form is None else [detection.FORMATS[form]]
    names, are_listed = _class_names(source, images, reading, values, used, lists)
    # Names turn into ids only where annotations have names; otherwise they are but checked.
    has_names = any(entry.has_names for entry in used) or _names_of(values.colours) is not None
    if form == "strokes":
        has_names = _have_names(files, names)
    if has_names and names and values.remapping is not None:
        raise UsageError(
            "--remap changes ids, but these classes have names; their ids are the order of the "
            "names, which --classes gives"
        )
    return OpenedAnnotations(
        annotations,
        wanted,
        form,
        values,
        files,
        names,
        are_listed,
        has_names,
        revision=max(entry.revision for entry in used),
        command=command,
    )


def _have_names(files: Sequence[Path], names: Sequence[str] | None) -> bool:
    """Whether strokes as text have names of classes, or numbers which may be such names."""
    if any(map(str.isdecimal, names or ())):
        return True
    lines = (
        line for path in files for line in read_file(path).decode(errors="replace").split("\n")
    )
    classes = (line.partition(",")[0].strip("\ufeff \t\r") for line in lines)
    return any(word and not word.startswith("#") and not word.isdecimal() for word in classes)


def _values(reading: ReadingSettings) -> Values:
    """What values mean, with the tables that the settings name; UsageError if one is not read."""
    if reading.format not in (None, *detection.FORMATS):
        expected = ", ".join(detection.FORMATS)
        raise UsageError(f"--source-format {reading.format}: expected one of {expected}")
    if reading.colours is not None and reading.format not in (None, "picture"):
        raise UsageError(f"--colours is for pictures, not for --source-format {reading.format}")
    if reading.colours is not None and (reading.unlabelled, reading.first_class) != (None, None):
        raise UsageError("--unlabelled and --first-class are for class ids, not for --colours")
    return Values(
        reading.unlabelled,
        reading.first_class,
        None if reading.remap is None else _read_remapping(reading.remap),
        None if reading.colours is None else _read_colours(reading.colours),
    )


def _read_colours(name: str) -> ColourTable:
    tables = {"voc": voc_colours, "cityscapes": cityscapes_colours}
    if name in tables:
        return tables[name]()
    try:
        return parse_colours(decode_text(read_file(name), name))
    except ValueError as error:
        raise UsageError(f"--colours {name}: {error}") from error


def _read_remapping(text: str) -> Remapping:
    try:
        if "=" in text and not Path(text).is_file():
            return parse_remapping(text)
        named = NAMED_REMAPPINGS.get(text)
        return parse_remapping(named or decode_text(read_file(text), text))
    except ValueError as error:
        raise UsageError(f"--remap {text}: {error}") from error


def _names_of(colours: ColourTable | None) -> list[str] | None:
    return None if colours is None else colours.class_names


def _class_names(
    source: str,
    images: str | None,
    reading: ReadingSettings,
    values: Values,
    used: Sequence[detection.Format],
    lists: Mapping[str, tuple[str, ...]],
) -> tuple[list[str] | None, bool]:
    """The names of the classes: those that are given, those beside the files, or in them.

    And whether they are those in them.
    """
    if reading.classes is not None:
        return read_class_names(Path(reading.classes)), False
    names = find_class_names(source, *([images] if images else []))
    if names is not None:
        return names, False
    listed = detection.common_class_names(lists)
    default = used[0].default_names if len(used) == 1 else None
    carried = _names_of(values.colours) or listed or default
    return list(carried) if carried else None, listed is not None


def open_source(
    argument: str, form: str | None, run: Selection, *, command: str
) -> tuple[Source, list[Path], dict[str, tuple[str, ...]]]:
    """The annotations that an argument names, their files, and the classes that those list.

    Of a folder, files of one kind are read: those of `form`, or of the first format that it
    holds. A file of several images counts as these.
    """
    suffixes = detection.suffixes_of(argument, form)
    source = Source(
        argument, suffixes, "annotation", rule=run.rule, null=run.null, without=(CLASSES_FILE,)
    )
    files: list[Path] = []
    lists: dict[str, tuple[str, ...]] = {}

    def split(path: Path) -> tuple[ImagePart, ...] | None:
        found = detection.unpack(path, form)
        files.append(path)
        lists.update(found.lists)
        if found.left_out:
            odd = named_examples(found.left_out)
            say(f"warning: {path}: left out, names that lead out of the archive: {odd}", command)
        return found.parts

    source.unpack(split)
    return source, files, lists


def _count_other_files(argument: str, form: str | None) -> int:
    """How many files of other formats a folder holds beside those that are read."""
    if not os.path.isdir(argument):
        return 0
    known = {suffix for entry in detection.FORMATS.values() for suffix in entry.suffixes}
    others = known - set(detection.suffixes_of(argument, form))
    counts = detection.count_endings(argument)
    return sum(count for suffix, count in counts.items() if suffix in others)


def _first_format(source: Source) -> str | None:
    """The format of the first of the annotations that is of one; None for a stream."""
    for stem in source.stems:
        with contextlib.suppress(DataError, OSError):
            first = source.find_content(stem)
            return detection.detected_format(content_of(first), str(first))
    return None
