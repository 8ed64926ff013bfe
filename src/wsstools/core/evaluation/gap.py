"""The gap between weak and full supervision, and how much of it a strategy closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
