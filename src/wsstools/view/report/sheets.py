"""The contact sheets of a report: which images, and how they are laid out."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Key, Study
from wsstools.view.markup import Markup, element
from wsstools.view.report.figures import image_accuracies
from wsstools.view.report.parts import Section
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


@dataclass
class Pictures:
    """What could be read for the sheets.

    Attributes
    ----------
    found : dict of (group, stem, column) to bytes
        JPEG files.
    columns : list of str
        Columns that stand before the labels: the image and the ground truth, where they are given.
    legend : list of (name, colour)
        Of the classes that occur.
    missing : list of str
        What is left out, and why.
    """

    found: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    legend: list[tuple[str, ArrayLike]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def sheet_plans(study: Study, count: int) -> list[SheetPlan]:
    """A sheet for each group that holds images, with at most `count` of them either way.

    Of several seeds the first stands for the strategy's labels; the differences are of the means.
    """
    scored = image_accuracies(study)
    folders = {
        Key(entry["group"], entry["name"]): entry["val"][0]["folder"]
        for entry in study.facts.get("labels", [])
        if entry["val"]
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
    return np.asarray(small).copy()


def sheets_section(plans: Sequence[SheetPlan], pictures: Pictures, why_none: str) -> Section:
    """Fig. 5: the sheets, with a legend.

    Parameters
    ----------
    plans : sequence of SheetPlan
        What was to be shown.
    pictures : Pictures
        What could be read.
    why_none : str
        Why there is no sheet, if there is none.
    """
    anchor, heading = "sheets", "Where they differ"
    if not plans or not pictures.found:
        return Section(anchor, heading, missing=[*pictures.missing] or [why_none])
    content = [part for plan in plans for part in _sheet(plan, pictures)]
    content.append(_legend(pictures.legend))
    return Section(anchor, heading, content, pictures.missing)


def _sheet(plan: SheetPlan, pictures: Pictures) -> Iterator[Markup]:
    about = str(plan.key)
    note = (
        f"Fig. 5. Images on which {about} and the baseline differ most in pixel accuracy. Labels "
        "are colours over the image."
    )
    yield element("p", note, class_="note")
    for told, rows in (("better", plan.gains), ("worse", plan.losses)):
        if rows:
            yield element("h3", f"{about} is {told} than the baseline")
            for row in rows:
                yield _strip(plan, row, pictures)
        else:
            yield element("p", f"There is no image on which {about} is {told}.", class_="note")


def _strip(plan: SheetPlan, row: tuple[str, float, float], pictures: Pictures) -> Markup:
    stem, base, value = row
    cells = []
    for column in (*pictures.columns, *plan.folders):
        data = pictures.found.get((plan.key.group, stem, column))
        cells.append(
            element(
                "figure",
                _picture(data, f"{stem}: {column}")
                if data
                else element("div", "not found", class_="absent"),
                element("figcaption", column),
            )
        )
    heading = element(
        "h4",
        stem,
        element("span", f"{100 * base:.1f} % → {100 * value:.1f} % "),
        element("b", f"{100 * (value - base):+.1f}"),
    )
    return element("div", heading, element("div", *cells, class_="cells"), class_="strip")


def _picture(data: bytes, alt: str) -> Markup:
    coded = base64.b64encode(data).decode("ascii")
    return element("img", src=f"data:image/jpeg;base64,{coded}", alt=alt)


def _legend(entries: Sequence[tuple[str, ArrayLike]]) -> Markup:
    items = []
    for name, colour in entries:
        told = ", ".join(str(int(value)) for value in np.asarray(colour))
        items.append(element("li", element("i", style=f"background: rgb({told})"), name))
    return element("ul", *items, class_="legend", aria_label="colours of the classes")
