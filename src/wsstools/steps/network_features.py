"""A trained network's features, for local models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wsstools.core.local.features import NetworkFeatures
from wsstools.errors import UsageError, naming
from wsstools.files.limits import read_file
from wsstools.files.provenance import InputRecord, digest, input_record, parse_record
from wsstools.nn.loaded import loaded_network
from wsstools.nn.models.model_files import read_model_header
from wsstools.nn.predict import network_features


@dataclass(frozen=True)
class NetworkFile:
    """A model file whose network gives features."""

    path: str
    digest: str

    def __call__(self, image: NDArray[np.uint8]) -> NetworkFeatures:
        """The network's features on an image, (H, W, 3)."""
        torch.set_num_threads(1)  # so that the result does not depend on the number of workers
        return network_features(loaded_network(self.path, self.digest), image)


def network_file(model: str) -> tuple[NetworkFile, InputRecord]:
    """A model file of `train`, checked, and its record; UsageError if there is none."""
    path = Path(model)
    if not path.exists():
        raise UsageError(f"--features-of {model}: no such file")
    data = read_file(path)
    with naming(model):
        header = read_model_header(data)
    found = NetworkFile(str(path.resolve()), digest(data))
    return found, input_record("model", path.name, found.digest, parse_record(header["meta"]))
