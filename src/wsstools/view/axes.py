"""Axes of plots: round ticks, and from values to pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from wsstools.view.markup import MINUS

MOST_TICKS = 6


class Axis(NamedTuple):
    """An axis from its first tick to its last.

    Attributes
    ----------
    ticks : tuple of float
        Round numbers, evenly spaced.
    start, end : float, pixels
        Where the first and the last tick lie.
    """

    ticks: tuple[float, ...]
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a value lies, in pixels."""
        low, high = self.ticks[0], self.ticks[-1]
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def texts(self) -> list[str]:
        """The ticks as text, all with the same number of decimals."""
        step = self.ticks[1] - self.ticks[0]
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [f"{tick:.{decimals}f}".replace("-", MINUS) for tick in self.ticks]


def nice_ticks(values: Iterable[float], most: int = MOST_TICKS) -> tuple[float, ...]:
    """Round numbers, evenly spaced, from at or below the least value to at or above the largest.

    Parameters
    ----------
    values : floats
        At least one; finite.
    most : int, at least 3
        How many ticks there may be. Steps are 1, 2 or 5 times a power of ten, the smallest that
        needs no more.

    Raises
    ------
    ValueError
        If there is no value, or one is not finite.
    """
    values = list(values)
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"values are {values}, expected finite numbers, at least one")
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        half = 0.05 * abs(low) or 1.0
        low, high = low - half, high + half
    exponent = math.floor(math.log10((high - low) / most))
    for power in range(exponent, exponent + 3):
        for digit in (1, 2, 5):
            step = digit * 10.0**power
            slack = 1e-9  # 0.3 / 0.1 is a little less than 3
            first = math.floor(low / step + slack)
            last = math.ceil(high / step - slack)
            if last - first + 1 <= most:
                decimals = max(0, -power)
                last = max(last, first + 1)
                return tuple(round(k * step, decimals) for k in range(first, last + 1))
    raise AssertionError("a step of a hundredth of the range always fits")  # pragma: no cover
