"""What a file of ours is, and how it was made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from wsstools.core.description import Description
from wsstools.core.labels import IGNORE_LABEL
from wsstools.errors import DataError, naming
from wsstools.files.damage import reading
from wsstools.files.limits import read_file
from wsstools.files.pillow import opened
from wsstools.files.provenance import Meta, parse_record
from wsstools.formats import (
    exported_files,
    label_files,
    map_files,
    parameter_files,
    picture_files,
    volume_files,
)
from wsstools.view.chain import chain_text


def info(file: str) -> Description:
    """What a map, labels, a picture, a volume, a JSON file or a model of ours is, and its record.

    Raises
    ------
    DataError
        If it is none of them, or damaged.
    """
    path = Path(file)
    suffix = path.suffix.lower()
    if suffix == parameter_files.SUFFIX:
        meta = parameter_files.read_meta(path)
        is_comparison = meta is not None and meta["kind"] == parameter_files.COMPARISON
        return _comparison(path, meta) if meta and is_comparison else _params(path, meta)
    if suffix in exported_files.SUFFIXES:
        return _exported(path)
    if volume_files.is_nifti(path):
        return _volume(path)
    if suffix in map_files.SUFFIXES:
        return _maps_of_volume(path) if volume_files.holds_maps(path) else _map(path)
    if suffix in label_files.SUFFIXES:
        meta = label_files.read_meta(path)
        is_picture = meta is not None and meta["kind"] == picture_files.KIND
        return _picture(path, meta) if meta and is_picture else _labels(path)
    return _model(path)


def print_info(files: Sequence[str], *, as_json: bool = False) -> None:
    """Print what `info` finds of each file, as text or as JSON."""
    described = [info(file) for file in files]
    if as_json:
        entries = [dataclasses.asdict(entry) for entry in described]
        print(json.dumps(entries if len(entries) > 1 else entries[0], indent=2))
    else:
        print("\n\n".join(chain_text(one) for one in described))


def _model(path: Path) -> Description:
    # torch takes seconds to load, and only models need it.
    from wsstools.nn.models.model_files import read_model_header  # noqa: PLC0415

    with naming(path):
        header = read_model_header(read_file(path))
    facts = {
        "architecture": header["arch"],
        "output stride": str(header["output_stride"]),
        "classes": f"{header['n_classes']}: {', '.join(header['class_names'])}",
    }
    if header["class_weights"] is not None:
        named = zip(header["class_names"], header["class_weights"], strict=True)
        facts["class weights"] = ", ".join(f"{name} {weight:.4g}" for name, weight in named)
    return Description(str(path), "a model", facts, parse_record(header["meta"]))


def _exported(path: Path) -> Description:
    texts = exported_files.read_texts(path)
    meta = parse_record(texts.get(exported_files.RECORD, ""))
    if meta is None:
        raise DataError(f"{path}: a network, but not one that wss export wrote")
    names = texts.get(exported_files.CLASSES, "").splitlines()
    size = meta["options"].get("size")
    facts = {
        "architecture": texts.get("architecture", "unknown"),
        "classes": f"{len(names)}: {', '.join(names)}",
        "images": " x ".join(map(str, size)) + " (H x W)" if isinstance(size, list) else "any size",
        "bytes": str(path.stat().st_size),
    }
    return Description(str(path), "a network for other programs", facts, meta)


def _map(path: Path) -> Description:
    decoded = map_files.decode_map(read_file(path), str(path))
    found = decoded.value
    height, width = found.shape
    dense = 4 * found.n_classes * height * width
    facts = {
        "size": f"{height} x {width} (H x W)",
        "classes": f"{len(found.classes)} of {found.n_classes}: {found.classes.tolist()}",
        "bytes": f"{path.stat().st_size}, {path.stat().st_size / dense:.1%} of dense float32",
    }
    is_soft = decoded.meta is not None and decoded.meta["kind"] == "soft"
    what = "a soft map" if is_soft else "a probability map"
    return Description(str(path), what, facts, decoded.meta)


def _labels(path: Path) -> Description:
    decoded = label_files.decode_labels(read_file(path), str(path))
    labels = decoded.value
    height, width = labels.shape
    values = sorted(set(labels.ravel().tolist()) - {IGNORE_LABEL})
    share = (labels != IGNORE_LABEL).mean()
    facts = {
        "size": f"{height} x {width} (H x W)",
        "classes": ", ".join(map(str, values)) or "none",
        "labelled": f"{share:.2%} of the pixels",
    }
    return Description(str(path), "labels", facts, decoded.meta)


def _picture(path: Path, meta: Meta) -> Description:
    with reading(path, "not a readable picture: "), opened(read_file(path)) as picture:
        width, height = picture.size
    facts = {"size": f"{height} x {width} (H x W)"}
    return Description(str(path), "a picture", facts, meta)


def _volume(path: Path) -> Description:
    decoded = volume_files.decode_volume(read_file(path), str(path))
    values = decoded.value.values
    facts = {
        "size": f"{' x '.join(map(str, values.shape[:3]))} (Z x Y x X)",
        "values": f"{values.dtype}, {values.min():g} to {values.max():g}",
        "voxels": " x ".join(f"{size:g}" for size in decoded.value.voxel_size[::-1]),
    }
    return Description(str(path), "a volume", facts, decoded.meta)


def _maps_of_volume(path: Path) -> Description:
    decoded = volume_files.decode_maps(read_file(path), str(path))
    n_classes, *shape = decoded.value.values.shape
    facts = {"size": f"{' x '.join(map(str, shape))} (Z x Y x X)", "classes": str(n_classes)}
    return Description(str(path), "a probability map of a volume", facts, decoded.meta)


def _comparison(path: Path, meta: Meta) -> Description:
    options, result = meta["options"], meta.get("result", {})
    facts = {
        "labels": f"{options.get('second')} against {options.get('first')}",
        "images": str(result.get("images")),
    }
    return Description(str(path), "a comparison of labels", facts, meta)


def _params(path: Path, meta: Meta | None) -> Description:
    method, parameters = parameter_files.read_params(str(path))
    facts = {"method": method, **{name: str(value) for name, value in parameters.items()}}
    command = "fuse" if method == parameter_files.FUSION else "regularize"
    return Description(str(path), f"parameters of wss {command}", facts, meta)
