"""What a study found, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wsstools.core.evaluation.gap import BASELINE, FULL
from wsstools.core.evaluation.study import Difference, Part, Study, StudyRow, groups
from wsstools.view.gap_values import interval_text, share_text


def blocks(study: Study) -> Iterator[tuple[str, list[StudyRow]]]:
    """The groups with their rows; those that were published by others come too."""
    for group in groups(row.key for row in study.rows):
        yield group, [row for row in study.rows if row.key.group == group]


def best_row(rows: Sequence[StudyRow]) -> StudyRow | None:
    """The strategy of a group with the highest mIoU, or None if there is none."""
    scored = [row for row in rows if not row.key.is_frame and is_scored(row)]
    return max(scored, key=lambda row: row.val.mean_iou if row.val else -1.0, default=None)


def is_scored(row: StudyRow) -> bool:
    """Whether the row has a mIoU on the validation images."""
    return is_known(row.val)


def is_known(part: Part | None) -> bool:
    """Whether there is a mIoU."""
    return part is not None and not math.isnan(part.mean_iou)


@dataclass(frozen=True)
class KeyFigures:
    """The gap of a group in points, and how much of it the best strategy closes; as texts."""

    group: str
    gap: str
    strategy: str = ""
    reduction: str = ""
    interval: str = ""


def key_figures(study: Study) -> list[KeyFigures]:
    """The numbers to see first, for each group that was measured or given here."""
    found = []
    for group, rows in blocks(study):
        named = {row.key.name: row for row in rows}
        full, baseline, best = named.get(FULL), named.get(BASELINE), best_row(rows)
        if full is None or baseline is None or full.val is None or baseline.val is None:
            continue
        gap = f"{100 * (full.val.mean_iou - baseline.val.mean_iou):.1f} points"
        if any(row.source for row in rows) or best is None or best.reduction is None:
            found += [] if any(row.source for row in rows) else [KeyFigures(group, gap)]
            continue
        interval = interval_text(best.reduction_interval, " %")
        reduction = share_text(best.reduction)
        found.append(KeyFigures(group, gap, best.key.name, reduction, interval))
    return found


def summary(study: Study) -> list[str]:
    """A few sentences for each group that was measured or given here."""
    texts = []
    for group, rows in blocks(study):
        sentences = _group_sentences(rows, study.differences)
        if sentences and not any(row.source for row in rows):
            texts.append(" ".join([f"{group}:"] * bool(group) + sentences))
    return [text.replace(" %", "\N{NO-BREAK SPACE}%") for text in texts]


def _group_sentences(rows: Sequence[StudyRow], found: Sequence[Difference]) -> list[str]:
    named = {row.key.name: row for row in rows}
    full, baseline, best = named.get(FULL), named.get(BASELINE), best_row(rows)
    if full is None or baseline is None or full.val is None or baseline.val is None:
        return []
    gap = full.val.mean_iou - baseline.val.mean_iou
    sentences = [
        f"Full supervision reaches {share_text(full.val.mean_iou)} mIoU and the baseline, trained "
        f"on the scribbles alone, {share_text(baseline.val.mean_iou)}"
        + (f": a full gap of {100 * gap:.1f} points." if gap > 0 else ", so there is no gap.")
    ]
    if best is None or best.val is None:
        return sentences
    strategies = sum(not row.key.is_frame and is_scored(row) for row in rows)
    which = "The strategy" if strategies == 1 else f"The best of {strategies} strategies,"
    reached = f"{which} {best.key.name} reaches {share_text(best.val.mean_iou)}"
    if gap <= 0 or best.reduction is None:
        return [*sentences, f"{reached}."]
    reduction, interval = share_text(best.reduction), interval_text(best.reduction_interval, " %")
    interval = interval and f" (95 % interval {interval})"
    if best.reduction <= 0:
        what = f"none of the gap: its gap reduction is {reduction}{interval}"
    else:
        points = 100 * (full.val.mean_iou - best.val.mean_iou)
        what = f"{reduction} of the gap{interval}; {points:.1f} points remain"
    return [*sentences, f"{reached} and closes {what}.", *_lead(best, found)]


def _lead(best: StudyRow, found: Sequence[Difference]) -> list[str]:
    """Over which other strategies the lead of the best is more than a matter of the images."""
    others = [one for one in found if one.against == best.key and not one.key.is_frame]
    open_ = [one.key.name for one in others if one.interval.high >= 0]
    if not others:
        return []
    if open_:
        runs = all(one.seeds > 1 for one in others)
        what = "the images or of the training runs" if runs else "the images"
        return [f"Its lead over {_and(open_)} may be a matter of {what}."]
    over = "the other strategy" if len(others) == 1 else f"each of the {len(others)} others"
    return [f"The 95 % interval of its lead over {over} leaves out zero."]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
