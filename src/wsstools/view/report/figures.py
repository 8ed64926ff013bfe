"""The sections of plots: what labels and networks have to do with each other, images, classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Key, Part, Study, StudyRow, groups
from wsstools.core.labels import class_name
from wsstools.view.figures.rows import bars
from wsstools.view.figures.scatter import Dot, scatter
from wsstools.view.gap_tables import Table, class_tables
from wsstools.view.report.sections import Figure, Section
from wsstools.view.report.summary import best_row, blocks, is_known, is_scored

MOST_BARS = 6
"""Rows of the gap table in one picture of the classes."""
_NAMED = 2
"""Images that are named at either end of a scatter plot."""


def pfa_section(study: Study) -> Section:
    """The labels that a network is trained on against what it then reaches."""
    anchor, heading = "pfa", "Labels trained on, and what they give"
    rows = [row for row in study.rows if is_scored(row) and is_known(row.pfa)]
    if not rows:
        why = "no strategy has the labels that it was trained on (--pfa) beside its network's."
        return Section(anchor, heading, missing=[why])
    names = list(groups(row.key for row in rows))
    dots = []
    for row in rows:
        pfa, val = _percent(row.pfa), _percent(row.val)
        tooltip = f"{row.key}: PFA {pfa:.1f} %, val {val:.1f} %"
        dots.append(Dot(pfa, val, tooltip, row.key.name, names.index(row.key.group)))
    plot = scatter(
        dots,
        x_label="PFA mIoU (%)",
        y_label="val mIoU (%)",
        description="mIoU of predicted full annotations against that of the networks",
        series=[name or "this study" for name in names] if len(names) > 1 else (),
        has_trend=True,
    )
    caption = (
        "The mIoU of the labels that a network was trained on (PFA, predicted full "
        "annotations) against what it reaches on the validation images"
        + (", with the line of least squares." if len(rows) > 2 else ".")
    )
    return Section(anchor, heading, [Figure(plot, caption)])


def images_section(study: Study) -> Section:
    """Each image under a strategy against the same under the baseline."""
    anchor, heading = "images", "Image by image"
    scored = image_accuracies(study)
    figures = [
        figure for group, rows in blocks(study) for figure in _image_figures(group, rows, scored)
    ]
    why = "the study holds no images; it was made from given scores."
    return Section(anchor, heading, figures, () if figures else [why])


def image_accuracies(study: Study) -> dict[Key, dict[str, float]]:
    """The pixel accuracy of each validation image by strategy; the mean over the seeds."""
    found = {}
    for one in study.measurement.labels if study.measurement else ():
        if one.val:
            first, *others = (folder.images for folder in one.val)
            shared = [stem for stem in first if all(stem in images for images in others)]
            means = {
                stem: sum(folder.images[stem].pixel_accuracy for folder in one.val) / len(one.val)
                for stem in shared
            }
            found[one.key] = {stem: mean for stem, mean in means.items() if not math.isnan(mean)}
    return found


def paired_images(
    base: Mapping[str, float], other: Mapping[str, float]
) -> list[tuple[str, float, float]]:
    """The images that both hold, with both values."""
    return [(stem, base[stem], value) for stem, value in other.items() if stem in base]


def _image_figures(
    group: str, rows: Sequence[StudyRow], scored: Mapping[Key, Mapping[str, float]]
) -> Iterator[Figure]:
    base = scored.get(Key(group, BASELINE), {})
    for key in [*(row.key for row in rows if not row.key.is_frame), Key(group, FULL)]:
        pairs = paired_images(base, scored.get(key, {}))
        both = [(stem, 100 * x, 100 * y) for stem, x, y in pairs]
        if not both:
            continue
        both.sort(key=lambda one: one[2] - one[1])
        named = {stem for stem, *_ in (*both[:_NAMED], *both[-_NAMED:])}
        plot = scatter(
            [
                Dot(x, y, f"{stem}: {x:.1f} % → {y:.1f} %", stem if stem in named else "")
                for stem, x, y in both
            ],
            x_label="baseline: pixel accuracy (%)",
            y_label=f"{key.name}: pixel accuracy (%)",
            description=f"pixel accuracy of each image, {key} against the baseline",
            has_diagonal=True,
        )
        better = sum(y > x for _, x, y in both)
        where = f"better on {better} of {len(both)}"
        yield Figure(plot, f"{key} against the baseline on each image: {where}.")


@dataclass(frozen=True)
class ClassBlock:
    """The classes of one group: as a figure, and as tables."""

    figure: Figure
    tables: Sequence[Table]


def classes_section(study: Study) -> Section:
    """The IoU of each class, and the gap tables of the classes."""
    anchor, heading = "classes", "Class by class"
    content, missing = [], []
    for group, rows in blocks(study):
        shown, left_out = _bar_rows(rows)
        if not shown:
            continue
        block = Study(rows, class_names=study.class_names)
        content.append(ClassBlock(_class_figure(study, group, shown), class_tables(block)))
        if left_out:
            without_bars = ", ".join(str(row.key) for row in left_out)
            missing.append(f"bars of {without_bars}, which the table has.")
    if not content:
        why = "the study holds no classes; it was made from given scores."
        return Section(anchor, heading, missing=[why])
    return Section(anchor, heading, content, missing)


def _bar_rows(rows: Sequence[StudyRow]) -> tuple[list[StudyRow], list[StudyRow]]:
    """The rows that get bars, the frame and the best strategies, and the others."""
    known = [row for row in rows if row.val and row.val.iou]
    strategies = [row for row in known if not row.key.is_frame]
    frame = [row for row in known if row.key.is_frame]
    ranked = sorted(strategies, key=lambda row: -_percent(row.val))
    kept = ranked[: MOST_BARS - len(frame)]
    return (
        [*frame, *(row for row in strategies if row in kept)],
        [row for row in strategies if row not in kept],
    )


def _class_figure(study: Study, group: str, rows: Sequence[StudyRow]) -> Figure:
    iou = {row.key.name: dict(row.val.iou) if row.val else {} for row in rows}
    classes = sorted({c for of_row in iou.values() for c in of_row})
    about = f"{group}: " if group else ""
    plot = bars(
        [class_name(study.class_names, c) for c in classes],
        {
            name: [None if c not in of_row else 100 * of_row[c] for c in classes]
            for name, of_row in iou.items()
        },
        x_label="IoU on the validation images (%)",
        description=f"{about}IoU of each class",
        unit=" %",
    )
    best = best_row(rows)
    more = f"; the best strategy is {best.key.name}" if best else ""
    return Figure(plot, f"{about}IoU of each class{more}.")


def _percent(part: Part | None) -> float:
    return math.nan if part is None else 100 * part.mean_iou
