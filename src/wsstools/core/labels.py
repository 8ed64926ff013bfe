"""Labels: class ids in pictures, and the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray

IGNORE_LABEL = 255
"""The label of pixels that carry no class: unlabelled, ignored, left open."""
IGNORED_NAME = "__ignore__"
"""What labelme calls pixels that carry no class."""


def class_name(names: Sequence[str] | None, class_id: int) -> str:
    """The name of a class, or its id where there is no name for it."""
    return names[class_id] if names and class_id < len(names) else str(class_id)


def is_mask(labels: NDArray[np.integer]) -> bool:
    """Whether labels hold 0 and 255 only, and both, as where 255 is meant as a class."""
    n_zero, n_ignored = (np.count_nonzero(labels == value) for value in (0, IGNORE_LABEL))
    return bool(n_zero and n_ignored and n_zero + n_ignored == labels.size)


def check_class_ids(labels: NDArray[np.integer], n_classes: int, names: str) -> None:
    """Raise ValueError if labels hold an id, 255 apart, of which the file `names` has no name."""
    ids = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1).nonzero()[0]
    odd = ids[(ids >= n_classes) & (ids != IGNORE_LABEL)]
    if odd.size:
        raise ValueError(
            f"holds class {odd[-1]}, {names} names {n_classes}: "
            f"expected 0..{n_classes - 1} or {IGNORE_LABEL}"
        )


def check_sizes(labels: AnyArray, gt: AnyArray, *, what: str = "labels") -> None:
    """Raise ValueError unless labels and ground truth have one size."""
    if labels.shape != gt.shape:
        raise ValueError(f"{what} have shape {labels.shape}, ground truth {gt.shape} (H, W)")
