"""From pixels counted per image to the rows of a study, with intervals by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.bootstrap import resampled_reductions
from wsstools.core.evaluation.gap import BASELINE, FULL, gap_table
from wsstools.core.evaluation.intervals import Resampled, SeededInterval
from wsstools.core.evaluation.metrics import hits_and_unions, mean_iou
from wsstools.core.evaluation.study import Difference, Key, Part, StudyRow, groups

WHOLE = 0
"""Position of the whole image among the regions; the bands follow."""


@dataclass(frozen=True)
class Counts:
    """Pixels of each class on the images of a set.

    For each strategy, S label folders (one per seed), R regions (the whole image, then the bands)
    and N images: pixels hit, in the ground truth, in the labels (see `class_counts`). All
    strategies have the same R, N and C.
    """

    classes: NDArray[np.int64]  # (C,), the ids that occur, ascending, without 255
    of: Mapping[Key, NDArray[np.int64]]  # (S, R, N, 3, C) each


def measured_rows(
    val: Counts,
    widths: Sequence[int] = (),
    resampled: Resampled | None = None,
    *,
    pfa: Mapping[Key, Part] | None = None,
    train: Mapping[Key, Part] | None = None,
) -> list[StudyRow]:
    """The rows of what was measured, group by group: `full`, `baseline`, then the strategies.

    `val` counts the validation images; every group in it holds `full` and `baseline`. `widths` are
    those of the bands, in the order of the regions after the whole image. `resampled`, of
    `resample`, gives intervals. `pfa` and `train`, scores on the training images, may hold further
    names.
    """
    pfa, train = pfa or {}, train or {}
    rows = []
    for group in groups([*val.of, *pfa, *train]):
        here = Counts(val.classes, {key: of for key, of in val.of.items() if key.group == group})
        parts = parts_of(here, WHOLE, resampled)
        bands = {
            width: parts_of(here, region, resampled)
            for region, width in enumerate(widths, start=WHOLE + 1)
        }
        for row in gap_table({key.name: part.mean_iou for key, part in parts.items()}):
            key = Key(group, row.name)
            found = None if key.is_frame else _reduction_interval(key, row.reduction, resampled)
            rows.append(
                StudyRow(
                    key,
                    parts[key],
                    row.gap,
                    row.reduction,
                    None if found is None else found.interval,
                    1 if found is None else found.seeds,
                    pfa=pfa.get(key),
                    train=train.get(key),
                    bands={width: band[key] for width, band in bands.items()},
                )
            )
        extra = dict.fromkeys(key for key in [*pfa, *train] if key.group == group)
        rows += [
            StudyRow(key, pfa=pfa.get(key), train=train.get(key))
            for key in extra
            if key not in val.of
        ]
    return rows


def parts_of(
    counts: Counts, region: int = WHOLE, resampled: Resampled | None = None
) -> dict[Key, Part]:
    """The scores of all strategies in one region."""
    parts = {}
    for key, found in counts.of.items():
        hits, unions = hits_and_unions(found[:, region].sum(axis=1))  # (S, C)
        means = mean_iou(hits, unions, empty=np.nan)
        present = unions > 0
        iou = np.where(present, hits / np.where(present, unions, 1), 0).sum(axis=0)
        in_seeds = present.sum(axis=0)
        mean = float(means.mean())
        drawn = (
            None
            if resampled is None or math.isnan(mean)
            else resampled.interval(mean, np.positive, [key], region)
        )
        parts[key] = Part(
            mean_iou=mean,
            std=float(means.std(ddof=1)) if len(means) > 1 else None,
            interval=None if drawn is None else drawn.interval,
            interval_seeds=1 if drawn is None else drawn.seeds,
            iou={
                int(class_id): float(iou[k] / in_seeds[k])
                for k, class_id in enumerate(counts.classes)
                if in_seeds[k]
            },
        )
    return parts


def differences(
    rows: Sequence[StudyRow], resampled: Resampled, against: Key | None = None
) -> list[Difference]:
    """How much each strategy differs from another one, paired over images and seeds; by row.

    Without `against`, each is compared with the best strategy of its group. That one was chosen by
    the same images, which flatters it a little.
    """
    scored = {row.key: row.val.mean_iou for row in rows if row.val is not None}
    found = []
    for key, miou in scored.items():
        other = against or _best(scored, key.group)
        if other is None or key == other:
            continue
        value, pair = miou - scored[other], (key, other)
        better = float((resampled.values(np.subtract, pair, WHOLE) > 0).mean())
        interval, seeds = resampled.interval(value, np.subtract, pair, WHOLE)
        found.append(Difference(key, other, value, interval, better, seeds))
    return found


def _best(scored: Mapping[Key, float], group: str) -> Key | None:
    strategies = [key for key in scored if key.group == group and not key.is_frame]
    return max(strategies, key=lambda key: scored[key], default=None)


def _reduction_interval(
    key: Key, reduction: float | None, resampled: Resampled | None
) -> SeededInterval | None:
    if resampled is None or reduction is None:
        return None
    rows = [Key(key.group, FULL), Key(key.group, BASELINE), key]
    return resampled.interval(reduction, resampled_reductions, rows, WHOLE)
