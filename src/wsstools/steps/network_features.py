"""A trained network's features, for local models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wsstools.core.local.features import NetworkFeatures
from wsstools.errors import UsageError
from wsstools.files.limits import read_file
from wsstools.files.provenance import InputRecord, digest
from wsstools.nn.loaded import find_model, loaded_backbone, loaded_network
from wsstools.nn.models.pretrained import find_weights
from wsstools.nn.predict import network_features

_IMAGENET = "mobilenet_v2"


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


@dataclass(frozen=True)
class BackboneFile:
    """A file of weights whose backbone gives features."""

    path: str
    digest: str

    def __call__(self, image: NDArray[np.uint8]) -> NetworkFeatures:
        """The features of the backbone's blocks on an image, (H, W, 3)."""
        torch.set_num_threads(1)
        found = network_features(loaded_backbone(self.path, self.digest), image)
        return NetworkFeatures(found.levels[:-1], found.height, found.width)  # no logits


def backbone_file(weights: str, weights_dir: str | None = None) -> BackboneFile:
    """Weights as `train --init` takes them, imagenet or a file, checked; UsageError without."""
    if weights == "imagenet":
        path = find_weights(_IMAGENET, weights_dir)
    else:
        path = Path(weights)
        if not path.is_file():
            raise UsageError(f"--features-of {weights}: neither imagenet nor a file")
    found = BackboneFile(str(path.resolve()), digest(read_file(path)))
    loaded_backbone(found.path, found.digest)  # an error of the file comes before the work
    return found
