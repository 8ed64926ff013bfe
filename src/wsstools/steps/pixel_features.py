"""What a local model learns from, by settings: responses of filters, features of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.features import Features, JoinedFeatures
from wsstools.core.local.filter_bank import FilterBank, extended
from wsstools.core.local.responses import Responses
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.local.settings import FeatureSettings
from wsstools.core.maps import ProbabilityMap
from wsstools.core.parameter import option_name
from wsstools.core.scribbles.folds import held_out
from wsstools.errors import UsageError
from wsstools.files.provenance import InputRecord, Json
from wsstools.steps.filter_banks import feature_bank, feature_record, note_of_scales

_OF_FILTERS = ("filter_input", "rectify", "scales")
"""Settings that say nothing without filters."""


@dataclass(frozen=True)
class PixelFeatures:
    """Where the features of an image's pixels come from, and what is recorded of it."""

    bank: FilterBank | None
    network: Callable[[NDArray[np.uint8]], Features] | None
    options: Mapping[str, Json]
    inputs: Sequence[InputRecord]

    def of(self, image: NDArray[np.uint8]) -> Features:
        """The features of an image, (H, W, 3)."""
        parts: list[Features] = []
        if self.network is not None:
            parts.append(self.network(image))
        if self.bank is not None:
            parts.append(Responses(image, self.bank))
        return parts[0] if len(parts) == 1 else JoinedFeatures(parts)


def pixel_features(features: FeatureSettings, command: str) -> PixelFeatures:
    """The features that settings ask for; UsageError if they contradict each other."""
    note_of_scales(features, command)
    if features.features_of is None:
        bank, records = feature_bank(features)
        return PixelFeatures(
            bank, None, {"filters": bank.name, **feature_record(features)}, records
        )
    from wsstools.steps.network_features import network_file  # noqa: PLC0415 - torch

    network, record = network_file(features.features_of)
    options: dict[str, Json] = {"features_of": "network", **feature_record(features)}
    if features.filters:
        bank, records = feature_bank(features)
        return PixelFeatures(bank, network, {"filters": bank.name, **options}, [record, *records])
    for name in _OF_FILTERS:
        if getattr(features, name) != getattr(FeatureSettings(), name):
            raise UsageError(f"{option_name(name)} is of filters; name some by --filters")
    position = extended(FilterBank("none", ()), position=True) if features.position else None
    return PixelFeatures(position, network, {"filters": "none", **options}, [record])


def on_features(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    *,
    model: Callable[..., ProbabilityMap],
    features: PixelFeatures,
    n_classes: int,
    folds: int | None = None,
    **chance: np.random.Generator,
) -> ProbabilityMap:
    """The map of a local model: `model` takes features and scribbled pixels, and perhaps `rng`."""
    pixels = scribbled_pixels(image, scribbles, n_classes)
    if folds is None and len(pixels.classes) == 1:  # needs no features
        return pixels.certain()
    return held_out(pixels, folds, partial(model, features.of(image), **chance))
