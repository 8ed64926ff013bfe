"""What a file of ours is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstools.errors import DataError
from wsstools.files.pillow import opened
from wsstools.files.provenance import Meta
from wsstools.formats import label_files, map_files, parameter_files, picture_files

COMPARISON = "comparison"
"""The kind of a file that tells how two sets of labels compare."""


def is_described(argument: str) -> bool:
    """Whether `describe` is for this file, by its ending; a model may have any other."""
    suffixes = (*map_files.SUFFIXES, *label_files.SUFFIXES, parameter_files.SUFFIX)
    return Path(argument).suffix.lower() in suffixes


def describe(argument: str) -> dict[str, Any]:
    """What a map, a label file, a picture or a JSON file of ours is, with its record.

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
    if path.suffix.lower() == parameter_files.SUFFIX:
        meta = parameter_files.read_meta(path)
        is_comparison = meta is not None and meta["kind"] == COMPARISON
        return _comparison(path, meta) if meta and is_comparison else _params(path, meta)
    if path.suffix.lower() in map_files.SUFFIXES:
        return _map(path)
    meta = label_files.read_meta(path)
    return _picture(path, meta) if meta and meta["kind"] == picture_files.KIND else _labels(path)


def _map(path: Path) -> dict[str, Any]:
    decoded = map_files.decode_map(path.read_bytes(), str(path))
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
    decoded = label_files.decode_labels(path.read_bytes(), str(path))
    labels = decoded.value
    height, width = labels.shape
    values = sorted(set(labels.ravel().tolist()) - {label_files.IGNORE_LABEL})
    share = (labels != label_files.IGNORE_LABEL).mean()
    facts = {
        "size": f"{height} x {width} (H x W)",
        "classes": ", ".join(map(str, values)) or "none",
        "labelled": f"{share:.2%} of the pixels",
    }
    return {"file": str(path), "what": "labels", "facts": facts, "meta": decoded.meta}


def _picture(path: Path, meta: Meta) -> dict[str, Any]:
    try:
        with opened(path.read_bytes()) as picture:
            width, height = picture.size
    except Exception as error:  # the decoders raise whatever they like at damaged files
        raise DataError(f"{path}: not a readable picture: {error}") from error
    facts = {"size": f"{height} x {width} (H x W)"}
    return {"file": str(path), "what": "a picture", "facts": facts, "meta": meta}


def _comparison(path: Path, meta: Meta) -> dict[str, Any]:
    options, result = meta["options"], meta.get("result", {})
    facts = {
        "labels": f"{options.get('second')} against {options.get('first')}",
        "images": str(result.get("images")),
    }
    return {"file": str(path), "what": "a comparison of labels", "facts": facts, "meta": meta}


def _params(path: Path, meta: Meta | None) -> dict[str, Any]:
    method, parameters = parameter_files.read_params(str(path))
    facts = {"method": method, **{name: str(value) for name, value in parameters.items()}}
    return {
        "file": str(path),
        "what": "parameters of wss regularize",
        "facts": facts,
        "meta": meta,
    }
