"""The contact sheets of a report: which images, and how they are laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Key, Study
from wsstools.view.report.figures import image_accuracies, paired_images
from wsstools.view.report.sections import Section
from wsstools.view.report.summary import best_row, blocks
from wsstools.view.sheet import fit

THUMBNAIL = 256
"""Width of a picture, in pixels; twice what it takes on a screen."""
IMAGE, TRUTH = "image", "ground truth"


@dataclass(frozen=True)
class SheetPlan:
    """One sheet: the images on which the best strategy of a group and the baseline differ most.

    `folders` gives the folder of labels under the title of each column; `gains` and `losses` are
    (stem, baseline, strategy): images with their pixel accuracies, largest differences first.
    """

    key: Key
    folders: Mapping[str, str]
    gains: Sequence[tuple[str, float, float]]
    losses: Sequence[tuple[str, float, float]]

    @property
    def stems(self) -> list[str]:
        """The images, each once."""
        return list(dict.fromkeys(stem for stem, *_ in (*self.gains, *self.losses)))


@dataclass(frozen=True)
class Pictures:
    """What could be read for the sheets: JPEG files by (group, stem, column).

    `columns` come before the labels: the image and the ground truth, where they are given. The
    legend has (name, RGB) of the classes that occur; `missing` says what is left out, and why.
    """

    found: Mapping[tuple[str, str, str], bytes] = field(default_factory=dict)
    columns: Sequence[str] = ()
    legend: Sequence[tuple[str, Sequence[int]]] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Sheets:
    """The contact sheets: what was to be shown, what could be read, and why there is no sheet."""

    plans: Sequence[SheetPlan] = ()
    pictures: Pictures = Pictures()
    why_none: str = ""

    def columns(self, plan: SheetPlan) -> list[str]:
        """The titles of the pictures of an image."""
        return [*self.pictures.columns, *plan.folders]


def sheet_plans(study: Study, count: int) -> list[SheetPlan]:
    """A sheet for each group that holds images, with at most `count` of them either way.

    Of several seeds the first gives the strategy's labels; the differences are of the means.
    """
    scored = image_accuracies(study)
    labels = study.measurement.labels if study.measurement else ()
    folders = {one.key: one.val[0].folder for one in labels if one.val}
    plans = []
    for group, rows in blocks(study):
        best = best_row(rows)
        base = Key(group, BASELINE)
        if count == 0 or best is None or best.key not in scored or base not in scored:
            continue
        pairs = paired_images(scored[base], scored[best.key])
        pairs.sort(key=lambda one: (one[1] - one[2], one[0]))
        gains = [one for one in pairs if one[2] > one[1]][:count]
        losses = [one for one in pairs[::-1] if one[2] < one[1]][:count]
        shown = {name: Key(group, name) for name in (FULL, BASELINE, best.key.name)}
        columns = {name: folders[key] for name, key in shown.items() if key in folders}
        if gains or losses:
            plans.append(SheetPlan(best.key, columns, gains, losses))
    return plans


def thumbnail(picture: NDArray[np.uint8], width: int = THUMBNAIL) -> NDArray[np.uint8]:
    """The picture, (H, W, 3) uint8, reduced to that width if it is wider."""
    return picture if picture.shape[1] <= width else fit(picture, width)


def sheets_section(sheets: Sheets) -> Section:
    """The sheets, with a legend."""
    anchor, heading = "sheets", "Where they differ"
    pictures = sheets.pictures
    if not sheets.plans or not pictures.found:
        return Section(anchor, heading, missing=pictures.missing or [sheets.why_none])
    return Section(anchor, heading, sheets, pictures.missing)
