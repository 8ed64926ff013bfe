"""What a file of ours is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstools.io import labelfile, mapfile, paramsfile


def is_described(argument: str) -> bool:
    """Whether `describe` is for this file, by its ending; a model may have any other."""
    suffixes = (*mapfile.SUFFIXES, *labelfile.SUFFIXES, paramsfile.SUFFIX)
    return Path(argument).suffix.lower() in suffixes


def describe(argument: str) -> dict[str, Any]:
    """What a map, a label file or a file of parameters is, with its record.

    Returns
    -------
    dict
        `file`, `what`, `facts` (label to text) and `meta` (the record, or None).

    Raises
    ------
    DataError
        If it is none of them, or damaged.
    """
    path = Path(argument)
    if path.suffix.lower() == paramsfile.SUFFIX:
        return _params(path)
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


def _params(path: Path) -> dict[str, Any]:
    method, parameters = paramsfile.read_params(str(path))
    facts = {"method": method, **{name: str(value) for name, value in parameters.items()}}
    return {
        "file": str(path),
        "what": "parameters of wss regularize",
        "facts": facts,
        "meta": paramsfile.read_meta(path),
    }
