"""Model files, and the network of one, loaded once a process and shared by its threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from wsstools.errors import DataError, UsageError, naming
from wsstools.files.limits import read_file
from wsstools.files.provenance import InputRecord, digest, input_record, parse_record
from wsstools.nn.models.initial import load_initial, read_state
from wsstools.nn.models.model_files import ModelHeader, decode_model, is_model, read_model_header
from wsstools.nn.models.networks import SegmentationNetwork, build
from wsstools.nn.models.pretrained import PRETRAINED
from wsstools.nn.predict import fuse_batch_norm
from wsstools.nn.training.schedules import output_strides

_loading = threading.Lock()
_ANY_CLASSES = 2


@dataclass(frozen=True)
class ModelFile:
    """A model file of `train` whose header was read."""

    path: str  # absolute
    digest: str
    header: ModelHeader
    record: InputRecord  # what the records of outputs say of it


def find_model(model: str, option: str) -> ModelFile:
    """The file that an option names; UsageError if there is none, DataError if it is no model."""
    path = Path(model)
    if not path.exists():
        raise UsageError(f"{option} {model}: no such file")
    data = read_file(path)
    with naming(model):
        header = read_model_header(data)
    found = digest(data)
    record = input_record("model", path.name, found, parse_record(header["meta"]))
    return ModelFile(str(path.resolve()), found, header, record)


def loaded_network(model: str, model_digest: str, device: str = "cpu") -> SegmentationNetwork:
    """The network in a model file, ready to predict on a device; DataError if the file changed."""
    with _loading:  # threads that come while one loads wait for its network
        return _network(model, model_digest, device)


def loaded_backbone(weights: str, weights_digest: str) -> SegmentationNetwork:
    """A network whose backbone has the weights in a file: a model, or a torchvision state dict.

    The head of the latter is random: only the features of the backbone mean something. DataError
    if the weights fit no known backbone, or the file changed.
    """
    with _loading:
        return _backbone(weights, weights_digest)


@lru_cache(maxsize=1)
def _backbone(weights: str, weights_digest: str) -> SegmentationNetwork:
    data = _unchanged(weights, weights_digest)
    with naming(weights):
        network = decode_model(data).network if is_model(data) else _of_state(read_state(data))
    network = fuse_batch_norm(network.eval())
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _of_state(state: Mapping[str, Tensor]) -> SegmentationNetwork:
    """A network whose backbone the weights fit, of the largest stride that it has."""
    for arch in (known.archs[0] for known in PRETRAINED.values() if known.archs):
        network = build(arch, _ANY_CLASSES, output_stride=max(output_strides(arch)))
        with contextlib.suppress(DataError):
            load_initial(network, state)
            return network
    raise DataError("weights of no backbone that wss train starts from")


@lru_cache(maxsize=1)
def _network(model: str, model_digest: str, device: str) -> SegmentationNetwork:
    data = _unchanged(model, model_digest)
    with naming(model):
        network = fuse_batch_norm(decode_model(data).network)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _unchanged(path: str, known_digest: str) -> bytes:
    """A file that was read before; DataError if it is another now."""
    data = read_file(path)
    if digest(data) != known_digest:
        raise DataError(f"{path} changed during the run")
    return data
