"""Annotations of any format, or ground truth, become scribbles."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.scribbles.annotation import (
    Annotation,
    ClassName,
    draw_annotation,
    points_outside,
    resolve_names,
)
from wsstools.core.scribbles.colours import (
    Colour,
    ColourTable,
    cityscapes_colours,
    parse_colours,
    voc_colours,
)
from wsstools.core.scribbles.remapping import NAMED_REMAPPINGS, Remapping, parse_remapping
from wsstools.core.scribbles.settings import ReadingSettings, SimulationSettings
from wsstools.core.scribbles.strokes import simulate_scribbles
from wsstools.errors import DataError, UsageError
from wsstools.files.limits import read_file
from wsstools.files.names import named_examples
from wsstools.files.provenance import Json
from wsstools.files.text import decode_text
from wsstools.formats.annotations import detection
from wsstools.formats.annotations.content import ImagePart
from wsstools.formats.annotations.label_arrays import Values
from wsstools.formats.label_files import (
    CLASSES_FILE,
    class_names_carrier,
    find_class_names,
    read_class_names,
)
from wsstools.formats.palettes import palette_clash, stated_colours
from wsstools.running.join import Input
from wsstools.running.messages import say
from wsstools.running.settings import RunSettings, Selection
from wsstools.running.sources import Source, content_of
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.inputs import image_input, label_input


def scribbles(
    source: str,
    out: str | Path,
    *,
    images: str | None = None,
    width: float = 3.0,
    reading: ReadingSettings = ReadingSettings(),
    run: RunSettings = RunSettings(),
) -> None:
    """Write the annotations of a folder as scribbles, the index PNGs that other steps read.

    Parameters
    ----------
    source : str
        Annotations of one format: a folder, a file, or `-`.
    out : str or Path
        Folder to write to; made if missing.
    images : str or None
        The images, which give the sizes where the annotations do not state them.
    width : float
        Diameter of the brush in pixels.
    reading : ReadingSettings
        How the annotations are read.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If there is no such format, or `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    values = _values(reading)
    wanted = "picture" if values.colours is not None else reading.format
    annotations, files, lists = _open_source(source, wanted, run)
    form = wanted or _first_format(annotations)
    used = list(detection.FORMATS.values()) if form is None else [detection.FORMATS[form]]
    names = _class_names(source, images, reading, values, used, lists)
    # Names turn into ids only where annotations have names; elsewhere they are but checked.
    has_names = any(entry.has_names for entry in used) or _names_of(values.colours) is not None
    if has_names and names and values.remapping is not None:
        raise UsageError(
            "--remap changes ids, but these classes have names; their ids are the order of the "
            "names, which --classes gives"
        )
    carried = names if has_names else None
    decode = partial(detection.decode_annotation, form=wanted, values=values)
    inputs = [Input("annotation", annotations, decode)]
    if images is not None:
        inputs.append(image_input(images, run))
    step = Step(
        "scribbles",
        _options(width, reading, values, carried),
        kind="scribbles",
        compute=partial(_draw, names=names, width=width, colours=values.colours),
        revision=max(entry.revision for entry in used),
    )
    carry = class_names_carrier(carried, Path(out), overwrite=run.overwrite)
    n_others = _count_other_files(source, wanted)
    if n_others:
        say(
            f"files in {source} of other formats, not read: {n_others} (--source-format chooses)",
            "scribbles",
        )
    if form == "picture" and values.colours is None:
        _warn_of_palettes(files)
    if form == "napari" and wanted is None and values.first is None:
        unlabelled = " --unlabelled 255" if values.unlabelled is None else ""
        say(
            "label 1 becomes class 0 (0 is unlabelled in layers of napari and ilastik); "
            f"--first-class 0{unlabelled} keeps the ids",
            "scribbles",
        )
    run_step(step, inputs, out, run, afterwards=carry)


def simulate(
    gt: str,
    out: str | Path,
    *,
    width: float = 3.0,
    simulation: SimulationSettings = SimulationSettings(),
    run: RunSettings = RunSettings(),
) -> None:
    """Write scribbles that are drawn over ground truth as a person would draw them.

    Parameters
    ----------
    gt : str
        Ground truth: a folder of index PNGs, a file, or `-`.
    out : str or Path
        Folder to write to; made if missing.
    width : float
        Diameter of the brush in pixels.
    simulation : SimulationSettings
        What the strokes are like.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    seed, min_area = simulation.seed, simulation.min_area
    share, strokes = simulation.share, simulation.strokes
    step = Step(
        "scribbles",
        {
            "simulate": True,
            "seed": seed,
            "width": width,
            "share": share,
            "max_strokes": strokes,
            "min_area": min_area,
        },
        kind="scribbles",
        compute=partial(
            simulate_scribbles,
            width=width,
            share=share,
            min_area=min_area,
            max_strokes=strokes,
            every_class=min_area is None,
        ),
        seed=seed,
    )
    run_step(step, [label_input(gt, run, role="gt")], out, run)


def draw_or_simulate(
    source: str,
    out: str | Path,
    *,
    is_simulated: bool,
    images: str | None,
    width: float,
    reading: ReadingSettings,
    simulation: SimulationSettings,
    run: RunSettings,
) -> None:
    """`simulate` or `scribbles`; UsageError if options of the latter are given to the former."""
    if not is_simulated:
        scribbles(source, out, images=images, width=width, reading=reading, run=run)
        return
    if images is not None or any(v is not None for v in dataclasses.astuple(reading)):
        raise UsageError(
            "--simulate takes ground truth alone, without --images, --source-format and such"
        )
    simulate(source, out, width=width, simulation=simulation, run=run)


def _values(reading: ReadingSettings) -> Values:
    """What values mean, with the tables that the settings name; UsageError if one is not read."""
    if reading.format not in (None, *detection.FORMATS):
        expected = ", ".join(detection.FORMATS)
        raise UsageError(f"--source-format {reading.format}: expected one of {expected}")
    if reading.colors is not None and reading.format not in (None, "picture"):
        raise UsageError(f"--colors is for pictures, not for --source-format {reading.format}")
    if reading.colors is not None and (reading.unlabelled, reading.first_class) != (None, None):
        raise UsageError("--unlabelled and --first-class are for class ids, not for --colors")
    return Values(
        reading.unlabelled,
        reading.first_class,
        None if reading.remap is None else _read_remapping(reading.remap),
        None if reading.colors is None else _read_colours(reading.colors),
    )


def _read_colours(name: str) -> ColourTable:
    tables = {"voc": voc_colours, "cityscapes": cityscapes_colours}
    if name in tables:
        return tables[name]()
    try:
        return parse_colours(decode_text(read_file(name), name))
    except ValueError as error:
        raise UsageError(f"--colors {name}: {error}") from error


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


def _options(
    width: float, reading: ReadingSettings, values: Values, names: list[str] | None
) -> dict[str, Json]:
    """The options that change what is drawn; those that came later only where they are given."""
    options: dict[str, Json] = {
        "width": width,
        "format": reading.format,
        "classes": names,
        "unlabelled": reading.unlabelled,
        "first": reading.first_class,
    }
    if values.colours is not None:
        options["colors"] = values.colours.lines()
    if values.remapping is not None:
        options["remap"] = str(values.remapping)
    return options


def _class_names(
    source: str,
    images: str | None,
    reading: ReadingSettings,
    values: Values,
    used: Sequence[detection.Format],
    lists: Mapping[str, tuple[str, ...]],
) -> list[str] | None:
    """The names of the classes: those that are given, those beside the files, or in them."""
    if reading.classes is not None:
        return read_class_names(Path(reading.classes))
    names = find_class_names(source, *([images] if images else []))
    if names is not None:
        return names
    listed = detection.common_class_names(lists)
    default = used[0].default_names if len(used) == 1 else None
    carried = _names_of(values.colours) or listed or default
    return list(carried) if carried else None


def _open_source(
    argument: str, form: str | None, run: Selection
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
            say(
                f"warning: {path}: left out, names that lead out of the archive: {odd}", "scribbles"
            )
        return found.parts

    source.unpack(split)
    return source, files, lists


def _warn_of_palettes(files: Sequence[Path]) -> None:
    """Say where an index has different colours, as where an editor numbers those of each file."""
    clash = palette_clash((path, stated_colours(path)) for path in files)
    if clash is not None:
        say(f"warning: {clash}; if the colours are the classes, give --colors FILE", "scribbles")


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


def _draw(
    annotation: Annotation,
    image: NDArray[np.uint8] | None = None,
    *,
    names: Sequence[str] | None,
    width: float,
    colours: ColourTable | None,
) -> Computed:
    shape = annotation.shape if image is None else image.shape[:2]
    if shape is None:
        raise ValueError("the annotation does not state the size of the image; give --images")
    if annotation.shape not in (None, shape):
        raise ValueError(f"the annotation is of shape {annotation.shape}, the image {shape} (H, W)")
    marks = annotation.marks
    class_names = names or annotation.class_names
    # Ids that are about to change need not be those of the classes.
    known = class_names if annotation.remapping is None else None
    try:
        class_ids = resolve_names([mark.name for mark in marks], known)
        drawn = draw_annotation(annotation, class_ids, shape, width=width)
        if annotation.remapping is not None:
            resolve_names(np.unique(drawn).tolist(), class_names)
    except ValueError as error:
        hint = "" if class_names else "; write a classes.txt beside them, or give --classes"
        raise ValueError(f"{error}{hint}") from None
    result = {"marks": len(marks), "points_outside": points_outside(annotation, shape)}
    warning = None if marks else "nothing is annotated"
    if annotation.remapping is None:
        warning = warning or _lost_classes(class_ids, drawn)
    if colours is not None and image is not None:
        n_alike = _count_alike(
            image, drawn, {colour: class_ids.get(n) for n, colour in colours.entries}
        )
        if n_alike:
            warning = f"{n_alike} labelled pixels have the colour of their class in the image too"
    return Computed(drawn, result, warning)


def _lost_classes(class_ids: Mapping[ClassName, int], drawn: NDArray[np.uint8]) -> str | None:
    """What is said where all marks of a class leave no pixel of it, or None."""
    is_drawn = np.bincount(drawn.ravel(), minlength=IGNORE_LABEL + 1) > 0
    lost = [str(name) for name, k in class_ids.items() if k != IGNORE_LABEL and not is_drawn[k]]
    if not lost:
        return None
    return f"no pixel is of {named_examples(lost)}: marks are too small, outside or covered"


def _count_alike(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], ids: Mapping[Colour, int | None]
) -> int:
    """How many pixels of a class have a colour of that class in the image as well."""
    return sum(
        int(((labels == class_id) & (image == colour).all(axis=2)).sum())
        for colour, class_id in ids.items()
        if class_id is not None
    )
