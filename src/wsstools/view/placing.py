"""Where the labels of dots go, so that they overlap neither dots nor each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_ROUNDS = 3
_DISTANCES = (3.0, 9.0, 18.0, 30.0, 44.0, 60.0, 80.0)
_DIRECTIONS = tuple(k * math.pi / 8 for k in (0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 7, 9, 3, 13, 5, 11))
"""Right, left, below, above, then between them; the first that is free is taken."""
_OUTSIDE, _ON_LABEL, _ON_DOT = 50.0, 10.0, 4.0
"""What a square pixel of each fault costs, in pixels of distance from the dot."""
_TOUCH = 25.0
"""What it costs to overlap another label at all."""
_LATER = 0.1
"""What the next direction costs."""


class Box(NamedTuple):
    """A rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Its area, in square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: Box) -> float:
        """Area that both share, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0


def place_labels(
    dots: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float] | None],
    frame: Box,
    radius: float,
) -> list[Box | None]:
    """The boxes of the labels, None for dots without.

    Parameters
    ----------
    dots : sequence of (x, y), pixels
        Centres of all dots.
    sizes : sequence of (width, height) or None, pixels
        Size of each dot's label.
    frame : Box
        Labels stay in it if they can.
    radius : float, pixels
        Of the dots.

    Notes
    -----
    Each label tries some places around its dot, near ones first, and takes the one with the least
    overlap; three rounds let the first ones give way to the later ones.
    """
    obstacles = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in dots]
    placed: list[Box | None] = [None] * len(dots)
    for _ in range(_ROUNDS):
        for position, size in enumerate(sizes):
            if size is None:
                continue
            others = [box for k, box in enumerate(placed) if box is not None and k != position]
            candidates = _candidates(dots[position], size, radius)
            costs = [
                distance + _faults(box, others, obstacles, frame) for box, distance in candidates
            ]
            placed[position] = candidates[costs.index(min(costs))][0]
    return placed


def _candidates(
    dot: tuple[float, float], size: tuple[float, float], radius: float
) -> list[tuple[Box, float]]:
    """Boxes around a dot, each with what its distance costs."""
    (x, y), (width, height) = dot, size
    found = []
    for distance in _DISTANCES:
        for order, angle in enumerate(_DIRECTIONS):
            across, down = math.cos(angle), math.sin(angle)
            reach = radius + distance
            # The box lies beyond the point at that distance, so that its nearest edge touches it.
            left = x + reach * across + width * (across - 1) / 2
            top = y + reach * down + height * (down - 1) / 2
            found.append((Box(left, top, left + width, top + height), distance + _LATER * order))
    return found


def _faults(box: Box, labels: Sequence[Box], dots: Sequence[Box], frame: Box) -> float:
    outside = box.area - box.overlap(frame)
    on_labels = [area for other in labels if (area := box.overlap(other))]
    on_dots = sum(box.overlap(other) for other in dots)
    touching = _TOUCH * len(on_labels) + _ON_LABEL * sum(on_labels)
    return _OUTSIDE * outside + touching + _ON_DOT * on_dots
