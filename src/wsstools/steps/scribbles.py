"""Annotations of any format, or ground truth, become scribbles."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.scribbles.annotation import (
    VOC_CLASSES,
    Annotation,
    draw_annotation,
    points_outside,
    resolve_names,
)
from wsstools.core.scribbles.settings import ReadingSettings, SimulationSettings
from wsstools.core.scribbles.strokes import simulate_scribbles
from wsstools.errors import DataError, UsageError
from wsstools.formats.annotations import cvat, detection
from wsstools.formats.label_files import (
    CLASSES_FILE,
    carry_class_names,
    find_class_names,
    read_class_names,
)
from wsstools.running.join import Input
from wsstools.running.messages import say
from wsstools.running.settings import RunSettings, Selection
from wsstools.running.sources import Source
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
    if reading.format not in (None, *detection.FORMATS):
        expected = ", ".join(detection.FORMATS)
        raise UsageError(f"--format {reading.format}: expected one of {expected}")
    annotations = _open_source(source, reading.format, run)
    form = reading.format or _first_format(annotations)
    if reading.classes is not None:
        names: list[str] | None = read_class_names(Path(reading.classes))
    else:
        names = find_class_names(source, *([images] if images else []))
    if names is None and form == "scribblesup":
        names = list(VOC_CLASSES)
    # Names turn into ids only where annotations have names; elsewhere they are but checked.
    has_names = form is None or form in detection.NAMED_FORMATS
    decode = partial(
        detection.decode_annotation,
        form=reading.format,
        unlabelled=reading.unlabelled,
        first=reading.first_class,
    )
    inputs = [Input("annotation", annotations, decode)]
    if images is not None:
        inputs.append(image_input(images, run))
    step = Step(
        "scribbles",
        {
            "width": width,
            "format": reading.format,
            "classes": names if has_names else None,
            "unlabelled": reading.unlabelled,
            "first": reading.first_class,
        },
        kind="scribbles",
        compute=partial(_draw, names=names, width=width),
    )
    carry = partial(carry_class_names, names, Path(out)) if has_names and names else None
    n_others = _count_other_files(source, reading.format)
    if n_others:
        say(
            f"files in {source} of other formats, not read: {n_others} (--format chooses)",
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
        raise UsageError("--simulate takes ground truth alone, without --images, --format and such")
    simulate(source, out, width=width, simulation=simulation, run=run)


def _open_source(argument: str, form: str | None, run: Selection) -> Source:
    """The annotations that an argument names, one or more images a file.

    Of a folder, files of one kind are read: those of `form`, or of the first format that it
    holds. A file of CVAT counts as its images.
    """
    suffixes = detection.suffixes_of(argument, form)
    source = Source(
        argument, suffixes, "annotation", rule=run.rule, null=run.null, without=(CLASSES_FILE,)
    )
    if form in (None, "cvat"):
        source.unpack(cvat.split_file)
    return source


def _count_other_files(argument: str, form: str | None) -> int:
    """How many files of other formats a folder holds beside those that are read."""
    if not os.path.isdir(argument):
        return 0
    known = {suffix for suffixes in detection.FORMATS.values() for suffix in suffixes}
    others = known - set(detection.suffixes_of(argument, form))
    counts = detection.count_endings(argument)
    return sum(count for suffix, count in counts.items() if suffix in others)


def _first_format(source: Source) -> str | None:
    """The format of the first of the annotations; None for a stream, or a file of no format."""
    if source.is_stream:
        return None
    try:
        first = source.find_content(source.stems[0])
        return detection.detected_format(first.read_bytes(), str(first))
    except (DataError, OSError):
        return None


def _draw(
    annotation: Annotation,
    image: NDArray[np.uint8] | None = None,
    *,
    names: Sequence[str] | None,
    width: float,
) -> Computed:
    shape = annotation.shape if image is None else image.shape[:2]
    if shape is None:
        raise ValueError("the annotation does not state the size of the image; give --images")
    if annotation.shape not in (None, shape):
        raise ValueError(f"the annotation is of shape {annotation.shape}, the image {shape} (H, W)")
    marks = annotation.marks
    class_names = names or annotation.class_names
    try:
        class_ids = resolve_names([mark.name for mark in marks], class_names)
    except ValueError as error:
        hint = "" if class_names else "; write a classes.txt beside them, or give --classes"
        raise ValueError(f"{error}{hint}") from None
    drawn = draw_annotation(annotation, class_ids, shape, width=width)
    result = {"marks": len(marks), "points_outside": points_outside(annotation, shape)}
    return Computed(drawn, result, None if marks else "nothing is annotated")
