"""Dice and HD95 of the classes of volumes, and their means over volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.metrics import class_counts
from wsstools.core.labels import IGNORE_LABEL

BACKGROUND = 0
"""The class that is left out, as the literature on medical images does."""


@dataclass(frozen=True)
class ClassAgreement:
    """How well labels and ground truth of a class agree in one volume.

    Attributes
    ----------
    dice : float
        2 |labels & gt| / (|labels| + |gt|), 0..1.
    hd95 : float
        Of `hausdorff_95`; the diagonal of the volume, the largest distance in it, if the class is
        in one of the two only.
    only_in : "gt", "labels" or None
        Where the class is, if it is in one of the two only; Dice is 0 then.
    """

    dice: float
    hd95: float
    only_in: Literal["gt", "labels"] | None = None


@dataclass(frozen=True)
class VolumeAgreement:
    """The agreement of each class in one volume.

    Attributes
    ----------
    classes : dict of int to ClassAgreement
        Those that occur in the ground truth or in the labels, without class 0.
    n_slices : int
    gt_classes : tuple of int
        Those that occur in the ground truth, class 0 too.
    """

    classes: dict[int, ClassAgreement]
    n_slices: int
    gt_classes: tuple[int, ...]


@dataclass(frozen=True)
class ClassMeans:
    """Means over the volumes in which a class occurs, and the number of these.

    `n_only_gt` and `n_only_labels` of them have it in one of the two only.
    """

    dice: float
    hd95: float
    n_volumes: int
    n_only_gt: int
    n_only_labels: int


@dataclass(frozen=True)
class VolumeMeans:
    """The means of each class over volumes, and the mean of the classes.

    `absent` are the classes of the label space, without class 0, that occur in no volume.
    """

    dice: float
    hd95: float
    classes: dict[int, ClassMeans]
    absent: tuple[int, ...]


def volume_agreement(
    labels: NDArray[np.uint8],
    gt: NDArray[np.uint8],
    spacing: tuple[float, float, float] = (1, 1, 1),
) -> VolumeAgreement:
    """Dice and HD95 of each class but 0 that occurs in the labels or the ground truth of a volume.

    Parameters
    ----------
    labels, gt : (Z, Y, X) uint8
        Voxels that are 255 in `gt` belong to no class, neither there nor in `labels`.
    spacing : (Z, Y, X) of float
        Distance of neighbours along each axis; HD95 has its unit.

    Raises
    ------
    ValueError
        If they differ in shape.

    References
    ----------
    O. Bernard et al.: Deep Learning Techniques for Automatic MRI Cardiac Multi-Structures
    Segmentation and Diagnosis: Is the Problem Solved?, TMI 2018 (Dice and Hausdorff
    distance of each structure in each volume).
    """
    from wsstools.core.evaluation.hausdorff import hausdorff_95  # noqa: PLC0415 - SciPy, slow

    hits, in_gt, in_labels = class_counts(labels, gt)[:, :IGNORE_LABEL].tolist()
    counted = gt != IGNORE_LABEL
    longest = math.hypot(*(step * (size - 1) for step, size in zip(spacing, gt.shape, strict=True)))
    classes = {}
    for c in range(BACKGROUND + 1, IGNORE_LABEL):
        if in_gt[c] and in_labels[c]:
            distance = hausdorff_95((labels == c) & counted, gt == c, spacing)
            classes[c] = ClassAgreement(2 * hits[c] / (in_gt[c] + in_labels[c]), distance)
        elif in_gt[c] or in_labels[c]:
            classes[c] = ClassAgreement(0.0, longest, "gt" if in_gt[c] else "labels")
    return VolumeAgreement(classes, len(gt), tuple(c for c, n in enumerate(in_gt) if n))


def mean_agreement(volumes: Sequence[VolumeAgreement], n_classes: int | None = None) -> VolumeMeans:
    """The means over volumes: of each class over those in which it occurs, then of the classes.

    `n_classes` is the size of the label space, to name the absent classes; None takes the largest
    id that occurs. Without any class the means are NaN.
    """
    present = sorted({c for volume in volumes for c in volume.classes})
    classes = {
        c: _class_means([volume.classes[c] for volume in volumes if c in volume.classes])
        for c in present
    }
    size = n_classes if n_classes is not None else max(present, default=BACKGROUND) + 1
    return VolumeMeans(
        dice=_mean([found.dice for found in classes.values()]),
        hd95=_mean([found.hd95 for found in classes.values()]),
        classes=classes,
        absent=tuple(c for c in range(BACKGROUND + 1, size) if c not in classes),
    )


def _class_means(found: Sequence[ClassAgreement]) -> ClassMeans:
    return ClassMeans(
        dice=_mean([one.dice for one in found]),
        hd95=_mean([one.hd95 for one in found]),
        n_volumes=len(found),
        n_only_gt=sum(one.only_in == "gt" for one in found),
        n_only_labels=sum(one.only_in == "labels" for one in found),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
