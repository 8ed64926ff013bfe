"""Scribbles put right by ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL, check_sizes


@dataclass(frozen=True)
class CuratedScribbles:
    """Scribbles of which every pixel has its class of the ground truth."""

    # (H, W), 255 where nothing is scribbled or the ground truth is 255
    scribbles: NDArray[np.uint8]
    moved: int  # scribbled pixels that had another class
    dropped: int  # scribbled pixels that are 255 in the ground truth
    missing: tuple[int, ...]  # classes of the ground truth without a scribble, ascending


def curate_scribbles(scribbles: NDArray[np.uint8], gt: NDArray[np.uint8]) -> CuratedScribbles:
    """The scribbles, (H, W), with the class that the ground truth has at each of their pixels.

    References
    ----------
    Mayer, Timofte, Paul, Towards Closing the Gap in Weakly Supervised Semantic Segmentation with
    DCNNs, arXiv:1808.01625, which curates the scribbles of ScribbleSup so.
    """
    check_sizes(scribbles, gt, what="scribbles")
    drawn = scribbles != IGNORE_LABEL
    curated = np.where(drawn, gt, np.uint8(IGNORE_LABEL))
    dropped = drawn & (gt == IGNORE_LABEL)
    return CuratedScribbles(
        curated,
        int((drawn & ~dropped & (scribbles != gt)).sum()),
        int(dropped.sum()),
        tuple(np.setdiff1d(gt, np.append(curated, np.uint8(IGNORE_LABEL))).tolist()),
    )
