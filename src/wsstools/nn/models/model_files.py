"""Models and checkpoints as bytes. The same content gives the same bytes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict, cast

import torch
from torch import Tensor

from wsstools.errors import DataError
from wsstools.files.provenance import Json
from wsstools.files.torch_archive import read_torch
from wsstools.nn.models.networks import SegmentationNetwork, build
from wsstools.nn.training.schedules import OUTPUT_STRIDE, SCHEDULES, output_strides

VERSION = 1
_STRIDE_VERSION = 2
"""Of models whose output stride is not 8, which readers of version 1 would take for 8."""
_MODEL = "wsstools model"
_CHECKPOINT = "wsstools checkpoint"
_MOST_CLASSES = 255


class ModelHeader(TypedDict):
    """What a model file says of its network; `meta` is JSON text."""

    arch: str
    n_classes: int
    class_names: list[str]
    meta: str
    output_stride: int
    class_weights: list[float] | None


class Checkpoint(TypedDict):
    """The state of a training run; `run` says what the run is made of."""

    iteration: int
    network: dict[str, Tensor]
    momentum: dict[str, Tensor]
    run: dict[str, Json]


@dataclass(frozen=True)
class LoadedModel:
    """A trained network and what is known about it.

    Attributes
    ----------
    arch : str
        A key of `SCHEDULES`.
    n_classes : int
    class_names : tuple of str
        One per class.
    meta : str
        JSON: how the model was made.
    network : SegmentationNetwork
        In eval mode, on the CPU.
    class_weights : tuple of float or None
        As how many pixels one of each class counted in training, 0 for a class without any; None:
        as one, or the model is of a version that did not keep them.
    """

    arch: str
    n_classes: int
    class_names: tuple[str, ...]
    meta: str
    network: SegmentationNetwork
    class_weights: tuple[float, ...] | None = None


def encode_model(
    arch: str,
    n_classes: int,
    class_names: Sequence[str],
    state: Mapping[str, Tensor],
    meta: str,
    *,
    output_stride: int | None = None,
    class_weights: Sequence[float] | None = None,
) -> bytes:
    """A model file, for `decode_model`.

    ``torch.load`` reads it too: a dict with a JSON ``header`` and the tensors under ``state``.
    `meta` is JSON: how the model was made; `output_stride` is as for `build`, `class_weights` are
    those of `LoadedModel`.
    """
    if len(class_names) != n_classes:
        raise ValueError(f"there are {len(class_names)} class names, expected {n_classes}")
    header: dict[str, Json] = {
        "arch": arch,
        "n_classes": n_classes,
        "class_names": list(class_names),
        "meta": meta,
    }
    if class_weights is not None:
        header["class_weights"] = list(class_weights)
    version = VERSION
    if output_stride is None:
        output_stride = output_strides(arch)[0]
    if output_stride != OUTPUT_STRIDE:
        header["output_stride"], version = output_stride, _STRIDE_VERSION
    return _dump(_MODEL, header, {"state": dict(state)}, version=version)


def decode_model(data: bytes) -> LoadedModel:
    """The model in a model file; DataError if it is none, damaged, or of another version."""
    found, tensors = _load(_MODEL, data)
    header = _checked_header(found)
    try:
        network = build(header["arch"], header["n_classes"], output_stride=header["output_stride"])
        network.load_state_dict(cast("Mapping[str, Tensor]", tensors["state"]))
    except Exception as error:  # torch raises whatever it stumbles over
        raise _incomplete(error) from error
    odd = [name for name, tensor in network.state_dict().items() if not tensor.isfinite().all()]
    if odd:
        raise _incomplete(f"{odd[0]} is not finite")
    weights = header["class_weights"]
    return LoadedModel(
        header["arch"],
        header["n_classes"],
        tuple(header["class_names"]),
        header["meta"],
        network.eval(),
        None if weights is None else tuple(weights),
    )


def read_model_header(data: bytes) -> ModelHeader:
    """What a model file says of its network; DataError as of `decode_model`."""
    return _checked_header(_load(_MODEL, data)[0])


def is_model(data: bytes) -> bool:
    """Whether the bytes claim to be a model file, of any version and be it damaged."""
    return _MODEL.encode() in data[: 1 << 20]


def is_checkpoint(data: bytes) -> bool:
    """Whether the bytes claim to be a checkpoint file, of any version and be it damaged."""
    return _CHECKPOINT.encode() in data[: 1 << 20]


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """A checkpoint file of what ``train`` gives to its ``on_checkpoint``."""
    tensors = {key: value for key, value in checkpoint.items() if key != "run"}
    return _dump(_CHECKPOINT, {"run": checkpoint["run"]}, tensors)


def decode_checkpoint(data: bytes) -> Checkpoint:
    """What ``train`` resumes from, out of a checkpoint file; DataError if it is no complete one."""
    header, tensors = _load(_CHECKPOINT, data)
    states = tensors.get("network"), tensors.get("momentum")
    if not isinstance(header.get("run"), dict) or type(tensors.get("iteration")) is not int:
        raise DataError(f"not a complete {_CHECKPOINT}: it does not say of what run")
    if not all(isinstance(state, Mapping) for state in states):
        raise DataError(f"not a complete {_CHECKPOINT}: it holds no network")
    return cast(Checkpoint, {**tensors, **header})


def _dump(
    kind: str,
    header: Mapping[str, Json],
    tensors: Mapping[str, object],
    *,
    version: int = VERSION,
) -> bytes:
    # Everything but the tensors is one JSON text: the pickler writes equal strings in two ways,
    # depending on whether they are one object.
    text = json.dumps({"format": kind, "version": version, **header}, sort_keys=True)
    plain = {key: _plain(value) for key, value in tensors.items()}
    buffer = io.BytesIO()
    torch.save({"header": text, **plain}, buffer)
    return buffer.getvalue()


def _checked_header(header: Mapping[str, Json]) -> ModelHeader:
    """The header, if it says what a model's must; else DataError."""
    arch, n_classes, names = (header.get(key) for key in ("arch", "n_classes", "class_names"))
    if not isinstance(arch, str) or arch not in SCHEDULES:
        raise _incomplete(f"its architecture is {arch!r}, expected one of {', '.join(SCHEDULES)}")
    if type(n_classes) is not int or not 1 <= n_classes <= _MOST_CLASSES:
        raise _incomplete(f"it has {n_classes!r} classes, expected 1 to {_MOST_CLASSES}")
    if not isinstance(names, list) or len(names) != n_classes:
        raise _incomplete(f"its classes have not {n_classes} names")
    if not all(isinstance(name, str) for name in names):
        raise _incomplete("the names of its classes are no texts")
    if not isinstance(header.get("meta"), str):
        raise _incomplete("it does not say how it was made")
    stride, weights = header.get("output_stride", OUTPUT_STRIDE), header.get("class_weights")
    if stride not in output_strides(arch):
        raise _incomplete(f"its output stride is {stride!r}")
    if weights is not None and not _are_weights(weights, n_classes):
        raise _incomplete(f"its class weights are not {n_classes} numbers from 0 on")
    return cast(ModelHeader, {**header, "output_stride": stride, "class_weights": weights})


def _are_weights(weights: Json, n_classes: int) -> bool:
    return (
        isinstance(weights, list)
        and len(weights) == n_classes
        and all(isinstance(w, float) and 0 <= w < math.inf for w in weights)
        and any(weights)
    )


def _incomplete(reason: object) -> DataError:
    return DataError(f"not a complete {_MODEL}: {' '.join(str(reason).split())[:200]}")


def _load(kind: str, data: bytes) -> tuple[dict[str, Json], dict[str, object]]:
    try:
        content = cast("dict[str, object]", read_torch(data))
        header = json.loads(cast(str, content.pop("header")))
        found, version = header.pop("format"), header.pop("version")
    except Exception as error:  # damaged bytes raise whatever the unpickler stumbles over
        raise DataError(f"not a {kind}, or a damaged one") from error
    if found != kind:
        raise DataError(f"this is a {found}, expected a {kind}")
    if version != VERSION and (kind, version) != (_MODEL, _STRIDE_VERSION):
        raise DataError(f"this is a {kind} of version {version}, expected version {VERSION}")
    return header, content


def _plain(value: object) -> object:
    """Dicts down to contiguous CPU tensors that share no memory."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, Tensor):
        # 1x1 convolutions count as contiguous in any layout, and keep theirs.
        plain = torch.empty(value.shape, dtype=value.dtype)
        return plain.copy_(value.detach())
    return value
