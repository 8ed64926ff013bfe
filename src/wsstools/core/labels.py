"""Labels: class ids in pictures, and the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence

from wsstools.core.arrays import AnyArray

IGNORE_LABEL = 255
"""The label of pixels that carry no class: unlabelled, ignored, left open."""


def class_name(names: Sequence[str] | None, class_id: int) -> str:
    """The name of a class, or its id where there is no name for it."""
    return names[class_id] if names and class_id < len(names) else str(class_id)


def check_sizes(labels: AnyArray, gt: AnyArray, *, what: str = "labels") -> None:
    """Raise ValueError unless labels and ground truth have one size."""
    if labels.shape != gt.shape:
        raise ValueError(f"{what} have shape {labels.shape}, ground truth {gt.shape} (H, W)")
