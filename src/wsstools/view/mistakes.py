"""Where labels are wrong, and where two differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.view.overlay import colour_labels, paled

WRONG = (214, 39, 40)
FIRST_RIGHT, SECOND_RIGHT, NONE_RIGHT = (230, 126, 20), (31, 119, 180), (70, 72, 78)
_TINT = 0.75
"""How much of a colour stands over the image."""


def mistakes_picture(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    gt: NDArray[np.uint8],
    palette: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """The wrong pixels in the colours of the classes that they were given, (H, W, 3) uint8.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB; pale where the labels are right or the ground truth is 255.
    labels, gt : (H, W) uint8
        Class ids; 255 in `labels` is wrong, and red.
    palette : (N, 3) uint8
        Row i is the colour of class i.
    """
    wrong = (labels != gt) & (gt != IGNORE_LABEL)
    colours = colour_labels(labels, palette)
    colours[labels == IGNORE_LABEL] = WRONG
    return _marked(image, wrong, colours)


def agreement_picture(
    image: NDArray[np.uint8],
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    gt: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Which of two label maps is right at each pixel, (H, W, 3) uint8.

    The image is pale where both are or the ground truth is 255; `agreement_legend` tells the
    colours of the others.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    first, second, gt : (H, W) uint8
        Class ids.
    """
    picture = paled(image).astype(np.float64)
    judged = gt != IGNORE_LABEL
    for colour, where in (
        (FIRST_RIGHT, (first == gt) & (second != gt)),
        (SECOND_RIGHT, (first != gt) & (second == gt)),
        (NONE_RIGHT, (first != gt) & (second != gt)),
    ):
        picture[where & judged] *= 1 - _TINT
        picture[where & judged] += _TINT * np.array(colour)
    return np.rint(picture).astype(np.uint8)


def agreement_legend(first: str, second: str) -> Mapping[str, tuple[int, int, int]]:
    """The colours of `agreement_picture`, by what they say of two label maps of these names."""
    return {
        f"only {first} right": FIRST_RIGHT,
        f"only {second} right": SECOND_RIGHT,
        "both wrong": NONE_RIGHT,
    }


def difference_picture(
    image: NDArray[np.uint8],
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    palette: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Where two label maps differ, in the colours of the second, (H, W, 3) uint8.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB; pale where they agree.
    first, second : (H, W) uint8
        Class ids.
    palette : (N, 3) uint8
        Row i is the colour of class i.
    """
    return _marked(image, first != second, colour_labels(second, palette))


def _marked(
    image: NDArray[np.uint8], where: NDArray[np.bool_], colours: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    return np.where(where[:, :, None], colours, paled(image))
