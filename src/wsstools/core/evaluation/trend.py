"""The line of least squares through points, and how well it fits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Trend(NamedTuple):
    """`y = intercept + slope * x`, and Pearson's correlation `r` (NaN where all y are equal)."""

    slope: float
    intercept: float
    r: float


def linear_trend(x: ArrayLike, y: ArrayLike) -> Trend | None:
    """The line of least squares through the points, or None where there is none.

    Parameters
    ----------
    x, y : (N,) float
        The points. Fewer than three, or points at a single x, have no trend.

    Raises
    ------
    ValueError
        If there are not as many x as y.

    Notes
    -----
    slope = S_xy / S_xx, intercept = mean(y) - slope * mean(x), r = S_xy / sqrt(S_xx * S_yy), with
    S_ab the sum of (a - mean(a)) * (b - mean(b)).
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"x has shape {x.shape}, y {y.shape}, expected (N,) both")
    if len(x) < 3 or np.ptp(x) == 0:
        return None
    from_mean_x, from_mean_y = x - x.mean(), y - y.mean()
    s_xx, s_yy = from_mean_x @ from_mean_x, from_mean_y @ from_mean_y
    s_xy = from_mean_x @ from_mean_y
    slope = s_xy / s_xx
    r = s_xy / np.sqrt(s_xx * s_yy) if np.ptp(y) > 0 else np.nan
    return Trend(float(slope), float(y.mean() - slope * x.mean()), float(r))
