"""The probability map of one image, as the steps hand it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SUM_TOLERANCE = 1e-2
MOST_CLASSES = 2**15 - 1
"""What the 16 bits of a map file hold."""
ROUNDING = 1 / 2048
"""What a probability in a map file may be off by; see `wsstools.core.stored_maps.GRID`."""

Number: TypeAlias = "float | Sequence[int]"


@dataclass(frozen=True)
class ProbabilityMap:
    """Class probabilities of one image, over the classes that can occur in it.

    Attributes
    ----------
    probs : (K, H, W) float32
        Probabilities; they sum to 1 over the K classes at each pixel.
    classes : (K,) int64
        Ids of those classes, ascending. Every other class has probability 0.
    n_classes : int
        Number of classes of the label space; the ids are below it.
    info : mapping
        Numbers of the function that made it, such as a duality gap; its record holds them too.
    """

    probs: NDArray[np.float32]
    classes: NDArray[np.int64]
    n_classes: int
    info: Mapping[str, Number] = field(default_factory=dict, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the image."""
        return self.probs.shape[1], self.probs.shape[2]

    def with_probs(
        self, probs: NDArray[np.float32], info: Mapping[str, Number] | None = None
    ) -> ProbabilityMap:
        """The same classes with other probabilities, (K, H, W)."""
        return replace(self, probs=probs, info=info or {})

    def of_class(self, class_id: int) -> NDArray[np.float32]:
        """The probability of one class, (H, W) float32; 0 if the map does not hold it."""
        position = np.flatnonzero(self.classes == class_id)
        return self.probs[position[0]] if position.size else np.zeros(self.shape, np.float32)

    def dense(self) -> NDArray[np.float32]:
        """Probabilities of all classes, (n_classes, H, W) float32."""
        full = np.zeros((self.n_classes, *self.shape), np.float32)
        full[self.classes] = self.probs
        return full


def common_classes(maps: Sequence[ProbabilityMap]) -> NDArray[np.int64]:
    """The classes that any map of one image holds, ascending; ValueError if they do not fit."""
    first = maps[0]
    for other in maps[1:]:
        if other.shape != first.shape:
            raise ValueError(f"maps have shapes {first.shape} and {other.shape} (H, W)")
        if other.n_classes != first.n_classes:
            raise ValueError(f"maps have {first.n_classes} and {other.n_classes} classes")
    return np.unique(np.concatenate([entry.classes for entry in maps]))


def normalized_entropy(probability_map: ProbabilityMap) -> NDArray[np.float32]:
    """The entropy of each pixel, (H, W) float32 in 0..1: how little its class is known.

    Notes
    -----
    -sum_c P_c log P_c / log n_classes: 0 where one class is certain, 1 where all classes of the
    label space are equally probable, so that maps that hold fewer classes compare with others.
    """
    probs = probability_map.probs
    logs = np.log(np.where(probs > 0, probs, 1))
    entropy = -(probs * logs).sum(axis=0)
    shares: NDArray[np.float32] = entropy / np.log(max(probability_map.n_classes, 2))
    return np.clip(shares, 0, 1)
