"""Agreement of labels with ground truth, from one integer confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL, check_sizes

N_VALUES = 256
IN_GT = 1
"""Row of `class_counts` that holds the pixels of the ground truth."""


def confusion_matrix(labels: NDArray[np.uint8], gt: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixel counts of one image, (256, 256) int64: rows ground truth, columns labels.

    Row 255 (ignored in the ground truth) is zero. Column 255 counts pixels that the labels leave
    open: a miss for their class of the ground truth, and no claim of any class.
    """
    check_sizes(labels, gt)
    valid = gt != IGNORE_LABEL
    pairs = gt[valid].astype(np.int64) * N_VALUES + labels[valid]
    return np.bincount(pairs, minlength=N_VALUES * N_VALUES).reshape(N_VALUES, N_VALUES)


def class_counts(labels: NDArray[np.uint8], gt: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What mean IoU needs to know of one image, (3, 256) int64: pixels of each class.

    Row 0 counts those that labels and ground truth agree on, row 1 those of the ground truth, row
    2 those of the labels; pixels that the ground truth leaves out (255) do not count. They are the
    diagonal and the two sums of `confusion_matrix`, much faster.
    """
    check_sizes(labels, gt)
    valid = gt != IGNORE_LABEL
    truth, found = gt[valid], labels[valid]
    return np.stack(
        [np.bincount(part, minlength=N_VALUES) for part in (truth[truth == found], truth, found)]
    )


def hits_and_unions(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Intersections and unions of each class, both (..., C), from `class_counts` (..., 3, C)."""
    hits, in_gt, in_labels = np.moveaxis(counts, -2, 0)
    return hits, in_gt + in_labels - hits


def mean_iou(
    hits: NDArray[np.number], unions: NDArray[np.number], *, empty: float = 0.0
) -> NDArray[np.float64]:
    """Mean over the last axis of hits / unions, without the classes whose union is empty.

    Where every union is, it is `empty`.
    """
    present = unions > 0
    iou = hits / np.where(present, unions, 1)
    means: NDArray[np.float64] = iou.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return np.where(present.any(axis=-1), means, empty)


def pixel_accuracy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the ground truth that is hit, (...), from `class_counts` (..., 3, C).

    Where there is no ground truth it is NaN.
    """
    hits, totals = counts[..., 0, :].sum(axis=-1), counts[..., IN_GT, :].sum(axis=-1)
    return np.where(totals, hits / np.where(totals, totals, 1), np.nan)


@dataclass(frozen=True)
class Scores:
    """Intersection over union per class, its mean, and what they leave out.

    Attributes
    ----------
    iou : dict of int to float
        Fraction per class that occurs in the ground truth or in the labels.
    mean_iou : float
        Mean of those; NaN if there is none.
    pixel_accuracy : float
        Share of the pixels of the ground truth that carry their class; NaN if there is none.
    open_share : float
        Share of the pixels of the ground truth that the labels leave open (255), which are
        misses.
    absent : tuple of int
        Classes of the label space that occur in neither; they are left out of the mean.
    """

    iou: dict[int, float]
    mean_iou: float
    pixel_accuracy: float
    open_share: float
    absent: tuple[int, ...]


def scores(confusion: NDArray[np.int64], n_classes: int | None = None) -> Scores:
    """IoU, mean IoU and pixel accuracy of the summed confusion matrices of a set, (256, 256) int64.

    `n_classes` is the size of the label space, to name the absent classes; None takes the largest
    id that occurs.

    Notes
    -----
    IoU_c = TP_c / (TP_c + FP_c + FN_c), accumulated over the set before dividing (Everingham et
    al., The PASCAL Visual Object Classes Challenge, IJCV 2010, section 4.3).
    """
    counts = np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])
    counts = counts[:, :IGNORE_LABEL]
    hits, unions = hits_and_unions(counts)
    present = np.flatnonzero(unions)
    iou = {int(c): float(hits[c] / unions[c]) for c in present}
    size = n_classes if n_classes is not None else int(present.max(initial=-1)) + 1
    n_open, total = confusion[:, IGNORE_LABEL].sum(), confusion.sum()
    return Scores(
        iou=iou,
        mean_iou=float(mean_iou(hits[present], unions[present], empty=np.nan)),
        pixel_accuracy=float(pixel_accuracy(counts)),
        open_share=float(n_open / total) if total else float("nan"),
        absent=tuple(c for c in range(size) if c not in iou),
    )
