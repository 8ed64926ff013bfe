"""Where the labels of dots go, so that they overlap neither dots nor each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    centres = np.array(dots, np.float64).reshape(-1, 2)
    obstacles = np.hstack([centres - radius, centres + radius])
    tried = {
        position: _candidates(dots[position], size, radius)
        for position, size in enumerate(sizes)
        if size is not None
    }
    costs = {
        position: distances
        + _OUTSIDE * (_areas(boxes) - _overlaps(boxes, np.array([frame]))[:, 0])
        + _ON_DOT * _overlaps(boxes, obstacles).sum(axis=1)
        for position, (boxes, distances) in tried.items()
    }
    remote_folder: dict[int, NDArray[np.float64]] = {}
    for _ in range(_ROUNDS):
        for position, (boxes, _distances) in tried.items():
            others = [box for other, box in remote_folder.items() if other != position]
            shared = _overlaps(boxes, np.array(others).reshape(-1, 4))
            touching = _TOUCH * (shared > 0).sum(axis=1) + _ON_LABEL * shared.sum(axis=1)
            remote_folder[position] = boxes[np.argmin(costs[position] + touching)]
    return [
        Box(*map(float, remote_folder[k])) if k in remote_folder else None for k in range(len(dots))
    ]


def _candidates(
    dot: tuple[float, float], size: tuple[float, float], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes around a dot, (N, 4), and what the distance of each costs, (N,)."""
    (x, y), (width, height) = dot, size
    distance = np.repeat(_DISTANCES, len(_DIRECTIONS))
    angle = np.tile(_DIRECTIONS, len(_DISTANCES))
    across, down, reach = np.cos(angle), np.sin(angle), radius + distance
    # The box lies beyond the point at that distance, so that its nearest edge touches it.
    left = x + reach * across + width * (across - 1) / 2
    top = y + reach * down + height * (down - 1) / 2
    order = np.tile(np.arange(len(_DIRECTIONS)), len(_DISTANCES))
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    return boxes, distance + _LATER * order


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area that each box, (A, 4), shares with each of the others, (B, 4): (A, B)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2)
