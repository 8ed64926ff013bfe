"""Where labels are wrong, and where two of them differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.view.overlay import GREY_WEIGHTS

SAME, LEFT_OUT, WRONG, DIFFERENT, FIRST_RIGHT, SECOND_RIGHT, BOTH_WRONG = range(7)
"""What a pixel is; see `error_marks` and `difference_marks`."""
MARK_COLOURS = {
    LEFT_OUT: (176, 190, 206),
    WRONG: (214, 39, 40),
    DIFFERENT: (136, 72, 181),
    FIRST_RIGHT: (217, 108, 10),
    SECOND_RIGHT: (31, 98, 190),
    BOTH_WRONG: (64, 64, 64),
}
_PALE = 0.6
"""How far what is not marked is mixed with white."""


def error_marks(labels: NDArray[np.uint8], gt: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where labels are not the ground truth, (H, W) uint8.

    A pixel is `LEFT_OUT` where the ground truth is 255, `WRONG` where the labels are anything else
    than the ground truth (255 is a miss), and `SAME` at all others.
    """
    _check_shapes(labels, gt, "ground truth")
    marks = np.where(labels == gt, SAME, WRONG).astype(np.uint8)
    marks[gt == IGNORE_LABEL] = LEFT_OUT
    return marks


def difference_marks(
    first: NDArray[np.uint8], second: NDArray[np.uint8], gt: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Where two labels of an image differ, (H, W) uint8.

    A pixel is `SAME` where both are equal. Otherwise, without ground truth, it is `DIFFERENT`; with
    it, `FIRST_RIGHT`, `SECOND_RIGHT` or `BOTH_WRONG`. It is `LEFT_OUT` wherever the ground truth
    is 255.
    """
    _check_shapes(first, second, "the other labels")
    if gt is None:
        return np.where(first == second, SAME, DIFFERENT).astype(np.uint8)
    _check_shapes(first, gt, "ground truth")
    marks = np.full(gt.shape, BOTH_WRONG, np.uint8)
    marks[first == gt] = FIRST_RIGHT
    marks[second == gt] = SECOND_RIGHT
    marks[first == second] = SAME
    marks[gt == IGNORE_LABEL] = LEFT_OUT
    return marks


def draw_marks(image: NDArray[np.uint8], marks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Marks in full colour on the image, which is pale and grey at all others, (H, W, 3) uint8."""
    if marks.shape != image.shape[:2]:
        raise ValueError(f"labels have shape {marks.shape}, the image {image.shape[:2]}")
    grey = image @ np.array(GREY_WEIGHTS)
    pale = np.rint(grey + _PALE * (255 - grey)).astype(np.uint8)
    drawn = np.repeat(pale[:, :, None], 3, axis=2)
    for mark, colour in MARK_COLOURS.items():
        drawn[marks == mark] = colour
    return drawn


def mark_names(first: str = "the first", second: str = "the second") -> dict[int, str]:
    """What each mark means, where two labels have these names."""
    return {
        LEFT_OUT: "no ground truth",
        WRONG: "wrong",
        DIFFERENT: "different",
        FIRST_RIGHT: f"only {first} is right",
        SECOND_RIGHT: f"only {second} is right",
        BOTH_WRONG: "both wrong, differently",
    }


def _check_shapes(labels: NDArray[np.uint8], other: NDArray[np.uint8], what: str) -> None:
    if labels.ndim != 2 or labels.shape != other.shape:
        raise ValueError(f"labels have shape {labels.shape}, {what} {other.shape} (H, W)")
