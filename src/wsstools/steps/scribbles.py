"""Annotations of any format, or ground truth, become scribbles."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.boxes.settings import BoxSettings
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.palette import Colour
from wsstools.core.scribbles.annotation import Annotation, draw_annotation, points_outside
from wsstools.core.scribbles.class_names import ClassName, resolve_names
from wsstools.core.scribbles.colours import ColourTable
from wsstools.core.scribbles.settings import ReadingSettings, SimulationSettings
from wsstools.core.scribbles.strokes import simulate_scribbles
from wsstools.errors import UsageError
from wsstools.files.names import named_examples
from wsstools.files.provenance import Json
from wsstools.formats.annotations import detection
from wsstools.formats.annotations.label_arrays import Values
from wsstools.formats.label_files import (
    class_names_carrier,
    find_class_names,
)
from wsstools.formats.palettes import palette_clash, stated_colours
from wsstools.running.join import Input
from wsstools.running.messages import say
from wsstools.running.settings import RunSettings
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.annotation_sources import open_annotations
from wsstools.steps.box_labels import labels_from_boxes
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
    opened = open_annotations(source, images, reading, run, command="scribbles")
    values, names, form = opened.values, opened.names, opened.form
    decode = partial(detection.decode_annotation, form=opened.wanted, values=values)
    inputs = [Input("annotation", opened.source, decode)]
    if images is not None:
        inputs.append(image_input(images, run))
    step = Step(
        "scribbles",
        _options(width, reading, values, opened.carried),
        kind="scribbles",
        compute=partial(_draw, names=names, width=width, colours=values.colours),
        revision=opened.revision,
    )
    carry = class_names_carrier(opened.carried, Path(out), overwrite=run.overwrite)
    opened.say_what_is_not_read()
    if form == "picture" and values.colours is None:
        _warn_of_palettes(opened.files)
    if form == "napari" and opened.wanted is None and values.first is None:
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
    carry = class_names_carrier(find_class_names(gt), Path(out), overwrite=run.overwrite)
    run_step(step, [label_input(gt, run, role="gt")], out, run, afterwards=carry)


def draw_or_simulate(
    source: str,
    out: str | Path,
    *,
    is_simulated: bool,
    from_boxes: str | None,
    images: str | None,
    width: float,
    reading: ReadingSettings,
    simulation: SimulationSettings,
    boxes: BoxSettings,
    run: RunSettings,
) -> None:
    """`labels_from_boxes`, `simulate` or `scribbles`; UsageError if options are of another one."""
    if from_boxes is not None:
        labels_from_boxes(
            source,
            out,
            rule=from_boxes,
            images=images,
            settings=boxes,
            is_simulated=is_simulated,
            min_area=simulation.min_area,
            reading=reading,
            seed=simulation.seed,
            run=run,
        )
        return
    if not is_simulated:
        scribbles(source, out, images=images, width=width, reading=reading, run=run)
        return
    if images is not None or any(v is not None for v in dataclasses.astuple(reading)):
        raise UsageError(
            "--simulate takes ground truth alone, without --images, --source-format and such"
        )
    simulate(source, out, width=width, simulation=simulation, run=run)


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


def _warn_of_palettes(files: Sequence[Path]) -> None:
    """Say where an index has different colours, as where an editor numbers those of each file."""
    clash = palette_clash((path, stated_colours(path)) for path in files)
    if clash is not None:
        say(f"warning: {clash}; if the colours are the classes, give --colours FILE", "scribbles")


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
