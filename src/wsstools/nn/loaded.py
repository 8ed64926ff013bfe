"""The network of a model file, loaded once a process and shared by its threads."""

from __future__ import annotations

import threading
from functools import lru_cache

import torch

from wsstools.errors import DataError, naming
from wsstools.files.limits import read_file
from wsstools.files.provenance import digest
from wsstools.nn.models.model_files import decode_model
from wsstools.nn.models.networks import SegmentationNetwork
from wsstools.nn.predict import fuse_batch_norm

_loading = threading.Lock()


def loaded_network(model: str, model_digest: str, device: str = "cpu") -> SegmentationNetwork:
    """The network in a model file, ready to predict on a device; DataError if the file changed."""
    with _loading:  # threads that come while one loads wait for its network
        return _network(model, model_digest, device)


@lru_cache(maxsize=1)
def _network(model: str, model_digest: str, device: str) -> SegmentationNetwork:
    data = read_file(model)
    if digest(data) != model_digest:
        raise DataError(f"{model} changed during the run")
    with naming(model):
        network = fuse_batch_norm(decode_model(data).network)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
