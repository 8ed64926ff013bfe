"""`wss scribbles`: annotations of any format, or ground truth, become scribble pictures."""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from typing import Annotated, Any, Optional

import typer

from wsstools.cli._simulated import SimulateOptions
from wsstools.cli.options import FOLDER_HELP, Out, StepOptions


def scribbles(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"Annotations: {FOLDER_HELP}.")],
    out: Out,
    run: StepOptions,
    simulated: SimulateOptions,
    images: Annotated[
        Optional[str],
        typer.Option(
            "--images",
            metavar="DIR",
            help="The images, which give the sizes; needed where the annotations do not state "
            "them.",
        ),
    ] = None,
    form: Annotated[
        Optional[str],
        typer.Option(
            "--format",
            metavar="FORM",
            help="labelme, scribblesup, cvat, strokes, napari, sbd or picture; default: what "
            "the content looks like.",
        ),
    ] = None,
    classes: Annotated[
        Optional[str],
        typer.Option(
            "--classes",
            metavar="FILE",
            help="Names of the classes, one a line, line number = id from 0; default: the "
            "classes.txt in or beside SOURCE or the images.",
        ),
    ] = None,
    width: Annotated[
        float, typer.Option("--width", metavar="PIXELS", min=1.0, help="Width of the brush.")
    ] = 3.0,
    unlabelled: Annotated[
        Optional[int],
        typer.Option(
            "--unlabelled",
            metavar="VALUE",
            help="Value of unlabelled pixels in pictures (default 255) and in layers of napari "
            "(default 0).",
        ),
    ] = None,
    first_class: Annotated[
        Optional[int],
        typer.Option(
            "--first-class",
            metavar="VALUE",
            help="Value of class 0 in pictures (default 0) and in layers of napari (default 1).",
        ),
    ] = None,
) -> None:
    """Draw annotations as scribbles, the index PNGs that the other steps read.

    Read are: labelme (JSON); the XML of ScribbleSup; the XML of CVAT for images, one file with
    many images; text, a stroke a line as class,x,y,x,y,... in pixels; palette and grey pictures;
    the class labels of SBD (MATLAB); and labels layers of napari as TIFF or NPY, whose label 0 is
    unlabelled and label 1 is class 0. A folder is read for files of one format.

    A line is drawn open, with a round brush; a single point is a dot. Polygons, boxes and masks
    are filled. Later marks cover earlier ones, and what lies outside the image is cut off. Class
    names are those of classes.txt; without one, ScribbleSup has the classes of PASCAL VOC, and
    plane, bike, table, plant and monitor are the VOC names of those. classes.txt is written to
    the output where names were used and none stands in or beside it.

    With --simulate strokes are drawn from ground truth: smooth lines through each connected
    region, away from its border, the same for the same seed.

    \b
    Examples:
      wss scribbles strokes/ --images images/ -o scribbles/
      wss scribbles annotations.xml -o scribbles/
      wss scribbles --simulate gt/ --share 0.02 -o scribbles/
    """
    from wsstools.errors import UsageError
    from wsstools.formats import label_files
    from wsstools.running.join import Input
    from wsstools.running.step import run_step

    if not simulated.simulate:
        reading = _Reading(form, unlabelled, first_class, classes, width)
        _draw(source, images, out, run, reading)
        return
    if any(option is not None for option in (images, form, classes, unlabelled, first_class)):
        raise UsageError("--simulate takes ground truth alone, without --images, --format and such")
    gt = run.source(source, label_files.SUFFIXES, "ground truth")
    step = simulated.step("scribbles", width)
    run_step(step, [Input("gt", gt, label_files.decode_labels)], out, run.settings())


@dataclasses.dataclass(frozen=True)
class _Reading:
    """How annotations are read and drawn."""

    form: str | None
    unlabelled: int | None
    first_class: int | None
    classes: str | None
    width: float


def _draw(source: str, images: str | None, out: str, run: StepOptions, reading: _Reading) -> None:
    """Draw the annotations of a folder, a file or standard input."""
    from pathlib import Path

    from wsstools.core.scribbles.annotation import VOC_CLASSES
    from wsstools.errors import UsageError
    from wsstools.formats import image_files, label_files
    from wsstools.formats.annotations import detection
    from wsstools.running.join import Input
    from wsstools.running.step import Step, run_step

    if reading.form not in (None, *detection.FORMATS):
        expected = ", ".join(detection.FORMATS)
        raise UsageError(f"--format {reading.form}: expected one of {expected}")
    annotations = detection.open_source(source, reading.form, null=run.null)
    form = reading.form or detection.first_format(annotations)
    names = _class_names(reading.classes, source, images)
    if names is None and form == "scribblesup":
        names = list(VOC_CLASSES)
    # Names turn into ids only where annotations have names; elsewhere they are but checked.
    has_names = form is None or form in detection.NAMED_FORMATS
    values: dict[str, Any] = {"unlabelled": reading.unlabelled, "first": reading.first_class}
    decode = partial(detection.decode_annotation, form=reading.form, **values)
    inputs = [Input("annotation", annotations, decode)]
    if images is not None:
        sizes = run.source(images, image_files.SUFFIXES, "image")
        inputs.append(Input("image", sizes, image_files.decode_image))
    step = Step(
        "scribbles",
        "scribbles",
        partial(_compute, names=names, width=reading.width),
        options={
            "width": reading.width,
            "format": reading.form,
            "classes": names if has_names else None,
            **values,
        },
    )

    def carry_names() -> None:
        if has_names and names is not None:
            label_files.carry_class_names(names, Path(out))

    passed_over = detection.passed_over(source, reading.form)
    if passed_over:
        print(
            f"wss scribbles: files in {source} of other formats, not read: {passed_over} "
            "(--format chooses)",
            file=sys.stderr,
        )
    run_step(step, inputs, out, run.settings(), afterwards=carry_names)


def _class_names(classes: str | None, source: str, images: str | None) -> list[str] | None:
    from pathlib import Path

    from wsstools.formats.label_files import find_class_names, read_class_names

    if classes is not None:
        return read_class_names(Path(classes))
    return find_class_names(source, *([images] if images else []))


def _compute(annotation: Any, image: Any = None, *, names: Any, width: float) -> Any:
    from wsstools.core.scribbles.annotation import draw_annotation, points_outside, resolve_names
    from wsstools.running.step import Computed

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
