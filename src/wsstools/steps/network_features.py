"""A trained network's features, for local models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wsstools.core.local.features import NetworkFeatures
from wsstools.files.provenance import InputRecord
from wsstools.nn.loaded import find_model, loaded_network
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
    found = find_model(model, "--features-of")
    return NetworkFile(found.path, found.digest), found.record
