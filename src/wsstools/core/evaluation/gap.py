"""The gap between weak and full supervision, and how much of it a strategy closes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

FULL = "full"
BASELINE = "baseline"


@dataclass(frozen=True)
class GapRow:
    """One training strategy. All numbers are in the unit of the given mIoUs.

    Attributes
    ----------
    name : str
        The strategy; `full` and `baseline` frame the others.
    miou : float
        Mean IoU of the network trained this way.
    gap : float
        Full gap for the baseline, remaining gap for a strategy, 0 for full supervision.
    reduction : float or None
        Share of the full gap that is closed: 0 for the baseline, 1 for full supervision,
        negative if worse than the baseline; None if there is no gap to close.
    """

    name: str
    miou: float
    gap: float
    reduction: float | None


def gap_table(mious: Mapping[str, float]) -> list[GapRow]:
    """Full gap, remaining gaps and gap reductions.

    Parameters
    ----------
    mious : mapping of str to float
        Mean IoU per strategy, in any one unit; it holds `full` and `baseline`.

    Returns
    -------
    list of GapRow
        `full`, `baseline`, then the strategies in the given order.

    Raises
    ------
    ValueError
        If `full` or `baseline` is missing.

    Notes
    -----
    full gap = mIoU(full) - mIoU(baseline); remaining gap = mIoU(full) - mIoU(strategy);
    reduction = (full gap - remaining gap) / full gap. Where full supervision is not better than
    the baseline there is no gap, and no reduction is given.

    References
    ----------
    C. Mayer, R. Timofte, G. Paul: Towards Closing the Gap in Weakly Supervised Semantic
    Segmentation with DCNNs: Combining Local and Global Models, arXiv:1808.01625, section 3.
    """
    for name in (FULL, BASELINE):
        if name not in mious:
            raise ValueError(f"the row {name!r} is missing; there is {', '.join(mious) or 'none'}")
    full = mious[FULL]
    full_gap = full - mious[BASELINE]
    order = [FULL, BASELINE, *(name for name in mious if name not in (FULL, BASELINE))]
    rows = []
    for name in order:
        remaining = full - mious[name]
        reduction = (full_gap - remaining) / full_gap if full_gap > 0 else None
        rows.append(GapRow(name, mious[name], remaining, reduction))
    return rows


@dataclass(frozen=True)
class Slip:
    """A printed gap reduction that its own mIoUs do not give. All numbers are fractions.

    Attributes
    ----------
    printed, computed : float
        Gap reduction as printed, and as recomputed from the mIoUs beside it.
    low, high : float
        What the reduction could be, given that the mIoUs are rounded.
    """

    printed: float
    computed: float
    low: float
    high: float

    @property
    def is_rounding(self) -> bool:
        """Whether mIoUs with more digits could give the printed number."""
        return self.low <= self.printed <= self.high


def find_slip(
    printed: float,
    full: float,
    baseline: float,
    miou: float,
    *,
    printed_error: float,
    miou_error: float,
) -> Slip | None:
    """What is wrong with a printed gap reduction, or None.

    Parameters
    ----------
    printed : float
        Gap reduction as printed, a fraction.
    full, baseline, miou : float
        mIoUs as printed; `full` is above `baseline`.
    printed_error, miou_error : float
        Half a unit of the last printed digit: how far rounding may have moved the printed number,
        and each mIoU.

    Raises
    ------
    ValueError
        If there is no gap.
    """
    if full <= baseline:
        raise ValueError(f"no gap: full supervision {full}, baseline {baseline}")
    computed = (miou - baseline) / (full - baseline)
    slack = 1e-9  # decimal fractions are not exact
    if abs(printed - computed) <= printed_error + slack:
        return None
    if full - baseline <= 2 * miou_error:
        return Slip(printed, computed, -math.inf, math.inf)
    corners = [
        (miou + c - baseline - b) / (full + a - baseline - b)
        for a, b, c in product((-miou_error, miou_error), repeat=3)
    ]  # monotone in each of the three, so the corners hold the extremes
    low, high = min(corners) - printed_error - slack, max(corners) + printed_error + slack
    return Slip(printed, computed, low, high)
