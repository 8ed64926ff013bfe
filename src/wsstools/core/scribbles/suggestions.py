"""Places of an image in which a stroke helps most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.map_operations import fuse_maps
from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.settings import SuggestionSettings

_CLEAR = 0.5
"""Of the reach: nearer to a stroke no other is suggested."""
_LEAST_CLEAR = 4.0
"""The same in pixels."""
_BOX = 2.0
"""Of the reach: half the side of the box."""


@dataclass(frozen=True)
class Suggestion:
    """A place for a stroke.

    Attributes
    ----------
    x, y : int
        A pixel to draw through.
    box : (4,) of int
        Left, top, right and bottom, the last two exclusive, of two reaches around it.
    gain : float
        Expected share of the image's pixels that are wrong around the place.
    likeliest, second : int
        The two likeliest classes around the place; -1: there is no second.
    prob : float
        Of the likeliest one.
    is_new : bool
        Whether it has no stroke in the image yet, as without scribbles none has.
    size : (2,) of int
        (H, W) of the maps.
    """

    x: int
    y: int
    box: tuple[int, int, int, int]
    gain: float
    likeliest: int
    second: int
    prob: float
    is_new: bool
    size: tuple[int, int]


def suggested_places(
    maps: Sequence[ProbabilityMap],
    scribbles: NDArray[np.uint8] | None = None,
    *,
    settings: SuggestionSettings = SuggestionSettings(),
) -> list[Suggestion]:
    """Places of one image, the best first.

    Parameters
    ----------
    maps : sequence of ProbabilityMap
        Of several annotators, or of one.
    scribbles : (H, W) uint8 or None
        What is drawn already; no place is near it.
    settings : SuggestionSettings
        How many places at most, and how far a stroke helps.

    Raises
    ------
    ValueError
        If sizes or numbers of classes differ.

    Notes
    -----
    With P the mean of the maps, 1 - max_c P_c is how probably a pixel is wrong: large where each
    annotator is unsure, and where sure ones contradict each other. The gain of a place is its sum
    over the image, weighted by exp(-d^2 / 2 r^2) with the distance d to the place and r the reach
    in pixels: a wrong border is thin, a wrong region is not. After each place the weight is taken
    off, and the next is found.
    """
    mean = fuse_maps(maps, [1.0] * len(maps))
    height, width = mean.shape
    drawn = np.full(mean.shape, IGNORE_LABEL, np.uint8) if scribbles is None else scribbles
    if drawn.shape != mean.shape:
        raise ValueError(f"scribbles have shape {drawn.shape}, the maps {mean.shape} (H, W)")
    radius = settings.reach * math.sqrt(height * width)
    error = 1 - mean.probs.max(axis=0).astype(np.float64)
    free = _far_from(drawn != IGNORE_LABEL, max(_LEAST_CLEAR, _CLEAR * radius))
    found: list[Suggestion] = []
    for _ in range(settings.per_image):
        gains = np.where(free, _summed(error, radius), -1)
        y, x = np.unravel_index(gains.argmax(), gains.shape)
        if gains[y, x] <= 0:
            break
        weights = _weights(mean.shape, int(y), int(x), radius)
        found.append(_described(mean, drawn, weights, int(y), int(x), radius, gains[y, x]))
        error *= 1 - weights
        free &= weights < math.exp(-2)  # two reaches
    return found


def _summed(error: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Shares of the image that are expected to be wrong around each pixel."""
    smooth = ndimage.gaussian_filter(error, radius, mode="constant")
    gains: NDArray[np.float64] = smooth * (2 * math.pi * radius**2 / error.size)
    return gains


def _weights(shape: tuple[int, int], y: int, x: int, radius: float) -> NDArray[np.float64]:
    """exp(-d^2 / 2 r^2) of the distances to a pixel, (H, W)."""
    rows, columns = (
        np.exp(-((np.arange(side) - place) ** 2) / (2 * radius**2))
        for side, place in zip(shape, (y, x), strict=True)
    )
    return np.outer(rows, columns)


def _far_from(drawn: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """Which pixels are at least so far from all drawn ones."""
    if not drawn.any():
        return np.ones(drawn.shape, bool)
    far: NDArray[np.bool_] = ndimage.distance_transform_edt(~drawn) >= distance
    return far


def _described(
    mean: ProbabilityMap,
    drawn: NDArray[np.uint8],
    weights: NDArray[np.float64],
    y: int,
    x: int,
    radius: float,
    gain: float,
) -> Suggestion:
    probs = (mean.probs * weights).sum(axis=(1, 2)) / weights.sum()
    order = np.argsort(-probs, kind="stable")
    likeliest = int(mean.classes[order[0]])
    side = math.ceil(_BOX * radius)
    height, width = mean.shape
    box = max(0, x - side), max(0, y - side), min(width, x + side + 1), min(height, y + side + 1)
    return Suggestion(
        x,
        y,
        box,
        float(gain),
        likeliest,
        int(mean.classes[order[1]]) if len(order) > 1 else -1,
        float(probs[order[0]]),
        not bool((drawn == likeliest).any()),
        mean.shape,
    )
