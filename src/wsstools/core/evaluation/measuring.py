"""From pixels counted per image to the rows of a study, with intervals by the bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.bootstrap import (
    Interval,
    percentile_interval,
    resampled_mean_ious,
    resampled_reductions,
)
from wsstools.core.evaluation.gap import BASELINE, FULL, gap_table
from wsstools.core.evaluation.metrics import hits_and_unions, mean_iou
from wsstools.core.evaluation.study import Difference, Key, Part, StudyRow, groups

WHOLE = 0
"""Position of the whole image among the regions; the bands follow."""
Resampled = Mapping[Key, NDArray[np.float64]]  # (R, B) each


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
            rows.append(
                StudyRow(
                    key,
                    parts[key],
                    row.gap,
                    row.reduction,
                    None if key.is_frame else _reduction_interval(key, row.reduction, resampled),
                    pfa.get(key),
                    train.get(key),
                    {width: found[key] for width, found in bands.items()},
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
        has_score = np.isfinite(means).all()
        parts[key] = Part(
            mean_iou=float(means.mean()),
            std=float(means.std(ddof=1)) if len(means) > 1 else None,
            interval=percentile_interval(resampled[key][region])
            if resampled is not None and has_score
            else None,
            iou={
                int(class_id): float(iou[k] / in_seeds[k])
                for k, class_id in enumerate(counts.classes)
                if in_seeds[k]
            },
        )
    return parts


def resample(
    counts: Counts, rng: np.random.Generator, n_resamples: int
) -> dict[Key, NDArray[np.float64]]:
    """Mean IoUs of every strategy and region on the same resamples of the images, (R, B) each.

    They are means over the seeds.
    """
    shapes = [found.shape[:2] for found in counts.of.values()]
    flat = np.concatenate([found.reshape(-1, *found.shape[2:]) for found in counts.of.values()])
    drawn = iter(resampled_mean_ious(*hits_and_unions(flat), rng, n_resamples))  # (B,) each
    return {
        key: np.array([next(drawn) for _ in range(seeds * regions)])
        .reshape(seeds, regions, n_resamples)
        .mean(axis=0)
        for key, (seeds, regions) in zip(counts.of, shapes, strict=True)
    }


def differences(
    rows: Sequence[StudyRow], resampled: Resampled, against: Key | None = None
) -> list[Difference]:
    """How much each strategy differs from another one, paired over the images; by row.

    Without `against`, each is compared with the best strategy of its group. That one was chosen by
    the same images, which flatters it a little.
    """
    scored = {row.key: row.val.mean_iou for row in rows if row.val is not None}
    found = []
    for key, miou in scored.items():
        other = against or _best(scored, key.group)
        if other is None or key == other:
            continue
        drawn = resampled[key][WHOLE] - resampled[other][WHOLE]
        interval, better = percentile_interval(drawn), float((drawn > 0).mean())
        found.append(Difference(key, other, miou - scored[other], interval, better))
    return found


def _best(scored: Mapping[Key, float], group: str) -> Key | None:
    strategies = [key for key in scored if key.group == group and not key.is_frame]
    return max(strategies, key=lambda key: scored[key], default=None)


def _reduction_interval(
    key: Key, reduction: float | None, resampled: Resampled | None
) -> Interval | None:
    if resampled is None or reduction is None:
        return None
    full, baseline = (resampled[Key(key.group, name)][WHOLE] for name in (FULL, BASELINE))
    return percentile_interval(resampled_reductions(full, baseline, resampled[key][WHOLE]))
