"""Labels: class ids in pictures, and the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence

IGNORE_LABEL = 255
"""The label of pixels that carry no class: unlabelled, ignored, left open."""
IGNORED_NAME = "__ignore__"
"""What labelme calls pixels that carry no class."""


def class_name(names: Sequence[str] | None, class_id: int) -> str:
    """The name of a class, or its id where there is no name for it."""
    return names[class_id] if names and class_id < len(names) else str(class_id)
