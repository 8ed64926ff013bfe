"""The contact sheets of a report: which images, and how they are laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Key, Study
from wsstools.view.report.figures import image_accuracies
from wsstools.view.report.sections import Section
from wsstools.view.report.summary import best_row, blocks

THUMBNAIL = 256
"""Width of a picture, in pixels; twice what it takes on a screen."""
IMAGE, TRUTH = "image", "ground truth"


@dataclass(frozen=True)
class SheetPlan:
    """One sheet: the images on which a strategy and the baseline differ most.

    Attributes
    ----------
    key : Key
        The strategy, the best of its group.
    folders : mapping of str to str
        Title of each column of labels to the folder that holds them.
    gains, losses : sequence of (stem, baseline, strategy)
        Images with their pixel accuracies, the largest differences first.
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
    """What could be read for the sheets.

    Attributes
    ----------
    found : mapping of (group, stem, column) to bytes
        JPEG files.
    columns : sequence of str
        Columns that stand before the labels: the image and the ground truth, where they are given.
    legend : sequence of (name, (red, green, blue))
        Of the classes that occur.
    missing : sequence of str
        What is left out, and why.
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

    Of several seeds the first stands for the strategy's labels; the differences are of the means.
    """
    scored = image_accuracies(study)
    folders = {
        one.key: one.val[0].folder
        for one in (study.measurement.labels if study.measurement else ())
        if one.val
    }
    plans = []
    for group, rows in blocks(study):
        best = best_row(rows)
        base = Key(group, BASELINE)
        if count == 0 or best is None or best.key not in scored or base not in scored:
            continue
        pairs = [
            (stem, scored[base][stem], value)
            for stem, value in scored[best.key].items()
            if stem in scored[base]
        ]
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
    if picture.shape[1] <= width:
        return picture
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    small = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
    return np.array(small, np.uint8)


def sheets_section(sheets: Sheets) -> Section:
    """Fig. 5: the sheets, with a legend."""
    anchor, heading = "sheets", "Where they differ"
    pictures = sheets.pictures
    if not sheets.plans or not pictures.found:
        return Section(anchor, heading, missing=pictures.missing or [sheets.why_none])
    return Section(anchor, heading, sheets, pictures.missing)
