"""Predicted labels corrected by boxes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.boxes.denoising import LEAST_IOU, denoise_labels
from wsstools.core.boxes.settings import BoxSettings
from wsstools.core.scribbles.annotation import Annotation
from wsstools.core.scribbles.settings import ReadingSettings
from wsstools.formats.label_files import class_names_carrier, find_class_names
from wsstools.running.settings import RunSettings
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.box_labels import NO_BOXES, BoxRule
from wsstools.steps.box_sources import BoxFinder, open_boxes
from wsstools.steps.inputs import image_input, label_input


def denoise(
    labels: str,
    boxes: str,
    out: str | Path,
    *,
    least_iou: float = LEAST_IOU,
    rule: str = "box",
    images: str | None = None,
    settings: BoxSettings = BoxSettings(),
    is_simulated: bool = False,
    min_area: int | None = None,
    reading: ReadingSettings = ReadingSettings(),
    seed: int = 0,
    run: RunSettings = RunSettings(),
) -> None:
    """Write predicted labels without what the boxes contradict.

    Parameters
    ----------
    labels : str
        Labels that a network predicts of training images: a folder, a file, or `-`.
    boxes : str
        Annotations that hold boxes, or with `is_simulated` ground truth.
    out : str or Path
        Folder to write to; made if missing.
    least_iou : float
        A box in which the segment of its class has a smaller IoU with it is reset.
    rule : str
        What a box is reset to: `box`, `inner` or `grabcut`.
    images : str or None
        The images, for `grabcut`.
    settings : BoxSettings
        What the rules are like.
    is_simulated : bool
        Take a box around each connected region of the ground truth.
    min_area : int or None
        Smaller regions have no box, as of `wsstools.core.boxes.box.boxes_of_labels`.
    reading : ReadingSettings
        How the annotations are read.
    seed : int
        Of the runs of GrabCut.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If options do not fit, or `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    how = BoxRule(rule, settings, seed)
    how.check(images)
    source = open_boxes(
        boxes,
        images,
        is_simulated=is_simulated,
        min_area=min_area,
        reading=reading,
        run=run,
        command="denoise",
    )
    inputs = [label_input(labels, run), source.entry]
    if images is not None:
        inputs.append(image_input(images, run))
    step = Step(
        "denoise",
        {"least_iou": least_iou} | how.options | source.options,
        kind="labels",
        compute=partial(_compute, find=source.find, rule=how, least_iou=least_iou),
        revision=source.revision,
        seed=how.seed_of_chance,
    )
    names = find_class_names(labels) or source.carried
    carry = class_names_carrier(names, Path(out), overwrite=run.overwrite)
    run_step(step, inputs, out, run, afterwards=carry)


def _compute(
    labels: NDArray[np.uint8],
    held: Annotation | NDArray[np.uint8],
    image: NDArray[np.uint8] | None = None,
    *,
    find: BoxFinder,
    rule: BoxRule,
    least_iou: float,
    rng: np.random.Generator | None = None,
) -> Computed:
    boxes, shape = find(held, labels.shape)
    found = denoise_labels(
        labels, boxes, rule.labels(boxes, shape, image, rng).labels, least_iou=least_iou
    )
    result = {"boxes": len(boxes), "outside": found.outside, "reset": found.reset}
    return Computed(found.labels, result, None if boxes else NO_BOXES)
