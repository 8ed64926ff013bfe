"""Scribbles and labels corrected by ground truth, everywhere or in one respect."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL, check_sizes


@dataclass(frozen=True)
class Respects:
    """Which pixels are corrected: those for which all that is set is true."""

    classes: Collection[int] = ()  # their given class or their true class is one of these
    within: int | None = None  # they are at most so many pixels from a border of the ground truth
    beyond: int | None = None  # they are further than that from all borders

    def mask(self, given: NDArray[np.uint8], gt: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where labels, (H, W), are corrected; distances are those of `border_distance`."""
        chosen = np.ones(gt.shape, bool)
        if self.classes:
            ids = list(self.classes)
            chosen &= np.isin(given, ids) | np.isin(gt, ids)
        if self.within is not None or self.beyond is not None:
            from wsstools.core.evaluation.trimap import border_distance  # noqa: PLC0415 - loads SciPy

            distance = border_distance(gt, max(self.within or 0, self.beyond or 0))
            if self.within is not None:
                chosen &= distance <= self.within
            if self.beyond is not None:
                chosen &= distance > self.beyond
        return chosen


EVERYWHERE = Respects()


@dataclass(frozen=True)
class CuratedScribbles:
    """Scribbles of which the pixels, or those of the respects, have their true class."""

    # (H, W), 255 where nothing is scribbled, or where what is corrected has no ground truth
    scribbles: NDArray[np.uint8]
    moved: int  # scribbled pixels that had another class
    dropped: int  # scribbled pixels that are 255 in the ground truth
    missing: tuple[int, ...]  # classes of the ground truth without a scribble, ascending


def curate_scribbles(
    scribbles: NDArray[np.uint8], gt: NDArray[np.uint8], respects: Respects = EVERYWHERE
) -> CuratedScribbles:
    """The scribbles, (H, W), with the class that the ground truth has at each of their pixels.

    `respects` leaves the pixels as they are for which it is not true. ValueError if the sizes are
    not the same.

    References
    ----------
    Mayer, Timofte, Paul, Towards Closing the Gap in Weakly Supervised Semantic Segmentation with
    DCNNs, arXiv:1808.01625, which curates the scribbles of ScribbleSup so.
    """
    check_sizes(scribbles, gt, what="scribbles")
    drawn = scribbles != IGNORE_LABEL
    drawn &= respects.mask(scribbles, gt)
    curated = np.where(drawn, gt, scribbles)
    dropped = drawn & (gt == IGNORE_LABEL)
    return CuratedScribbles(
        curated,
        int((drawn & ~dropped & (scribbles != gt)).sum()),
        int(dropped.sum()),
        tuple(np.setdiff1d(gt, np.append(curated, np.uint8(IGNORE_LABEL))).tolist()),
    )
