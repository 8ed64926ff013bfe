"""Labels from boxes, of annotations or around the regions of ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.boxes.box import Box
from wsstools.core.boxes.rules import BoxLabels, label_boxes
from wsstools.core.boxes.settings import RULES, BoxSettings
from wsstools.core.scribbles.annotation import Annotation
from wsstools.core.scribbles.settings import ReadingSettings
from wsstools.errors import UsageError
from wsstools.files.provenance import Json
from wsstools.formats.label_files import class_names_carrier
from wsstools.running.settings import RunSettings
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.box_sources import BoxFinder, open_boxes
from wsstools.steps.inputs import image_input

NO_BOXES = "no box in it: all of it is background"


@dataclass(frozen=True)
class BoxRule:
    """A rule by which boxes become labels, and its settings."""

    name: str
    settings: BoxSettings
    seed: int

    def check(self, images: str | None) -> None:
        """Raise UsageError unless there is such a rule, and images if it needs them."""
        if self.name not in RULES:
            raise UsageError(f"--from-boxes {self.name}: expected {', '.join(RULES)}")
        if self.name == "grabcut" and images is None:
            raise UsageError("--from-boxes grabcut looks at the images: give --images")

    @property
    def seed_of_chance(self) -> int | None:
        """The seed, where the rule uses chance."""
        return self.seed if self.name == "grabcut" else None

    @property
    def options(self) -> dict[str, Json]:
        """The options that change what it gives."""
        options: dict[str, Json] = {"from_boxes": self.name}
        if self.name != "box":
            options["inner_share"] = self.settings.inner_share
        if self.name == "grabcut":
            options |= {"runs": self.settings.runs, "seed": self.seed}
        return options

    def labels(
        self,
        boxes: list[Box],
        shape: tuple[int, int],
        image: NDArray[np.uint8] | None,
        rng: np.random.Generator | None,
    ) -> BoxLabels:
        """The labels of an image, (H, W), with these boxes."""
        return label_boxes(
            boxes, shape, rule=self.name, settings=self.settings, image=image, rng=rng
        )


def labels_from_boxes(
    source: str,
    out: str | Path,
    *,
    rule: str = "box",
    images: str | None = None,
    settings: BoxSettings = BoxSettings(),
    is_simulated: bool = False,
    min_area: int | None = None,
    reading: ReadingSettings = ReadingSettings(),
    seed: int = 0,
    run: RunSettings = RunSettings(),
) -> None:
    """Write the labels that follow from boxes.

    Parameters
    ----------
    source : str
        Annotations that hold boxes, or with `is_simulated` ground truth: a folder, a file, or `-`.
    out : str or Path
        Folder to write to; made if missing.
    rule : str
        `box`, `inner` or `grabcut`, as of `wsstools.core.boxes.rules.label_boxes`.
    images : str or None
        The images: for `grabcut`, and where the annotations do not state the sizes.
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
    boxes = open_boxes(
        source,
        images,
        is_simulated=is_simulated,
        min_area=min_area,
        reading=reading,
        run=run,
        command="scribbles",
    )
    inputs = [boxes.entry, *([] if images is None else [image_input(images, run)])]
    step = Step(
        "scribbles",
        how.options | boxes.options,
        kind="labels",
        compute=partial(_compute, find=boxes.find, rule=how),
        revision=boxes.revision,
        seed=how.seed_of_chance,
    )
    carry = class_names_carrier(boxes.carried, Path(out), overwrite=run.overwrite)
    run_step(step, inputs, out, run, afterwards=carry)


def _compute(
    held: Annotation | NDArray[np.uint8],
    image: NDArray[np.uint8] | None = None,
    *,
    find: BoxFinder,
    rule: BoxRule,
    rng: np.random.Generator | None = None,
) -> Computed:
    boxes, shape = find(held, None if image is None else image.shape[:2])
    found = rule.labels(boxes, shape, image, rng)
    result: dict[str, Json] = {"boxes": len(boxes)}
    if rule.name == "grabcut":
        result["failed"] = found.failed
    return Computed(found.labels, result, None if boxes else NO_BOXES)
