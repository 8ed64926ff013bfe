"""What a file of ours is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstools.io import labelfile, mapfile


def is_picture_or_map(argument: str) -> bool:
    """Whether `describe` is for this file, by its ending; a model may have any other."""
    return Path(argument).suffix.lower() in (*mapfile.SUFFIXES, *labelfile.SUFFIXES)


def describe(argument: str) -> dict[str, Any]:
    """What a map or a label file is, with its record.

    Returns
    -------
    dict
        `file`, `what`, `facts` (label to text) and `meta` (the record, or None).

    Raises
    ------
    DataError
        If it is neither, or damaged.
    """
    path = Path(argument)
    return _map(path) if path.suffix.lower() in mapfile.SUFFIXES else _labels(path)


def _map(path: Path) -> dict[str, Any]:
    decoded = mapfile.decode_map(path.read_bytes(), str(path))
    found = decoded.value
    height, width = found.shape
    dense = 4 * found.n_classes * height * width
    facts = {
        "size": f"{height} x {width} (H x W)",
        "classes": f"{len(found.classes)} of {found.n_classes}: {found.classes.tolist()}",
        "bytes": f"{path.stat().st_size}, {path.stat().st_size / dense:.1%} of dense float32",
    }
    kind = (decoded.meta or {}).get("kind", "prob")
    what = "a soft segmentation" if kind == "soft" else "a probability map"
    return {"file": str(path), "what": what, "facts": facts, "meta": decoded.meta}


def _labels(path: Path) -> dict[str, Any]:
    decoded = labelfile.decode_labels(path.read_bytes(), str(path))
    labels = decoded.value
    height, width = labels.shape
    values = sorted(set(labels.ravel().tolist()) - {labelfile.IGNORE_LABEL})
    share = (labels != labelfile.IGNORE_LABEL).mean()
    facts = {
        "size": f"{height} x {width} (H x W)",
        "classes": ", ".join(map(str, values)) or "none",
        "labelled": f"{share:.2%} of the pixels",
    }
    return {"file": str(path), "what": "labels", "facts": facts, "meta": decoded.meta}
