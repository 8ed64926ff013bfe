"""The probability map of one image, as the steps hand it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.core.arrays import AnyArray

SUM_TOLERANCE = 1e-2
MOST_CLASSES = 2**15 - 1
"""What the 16 bits of a map file hold."""
ROUNDING = 1 / 2048
"""What a probability in a map file may be off by; see `wsstools.formats.map_files.GRID`."""

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


def checked_map(probs: ArrayLike, classes: ArrayLike, n_classes: int) -> ProbabilityMap:
    """A map whose probabilities sum to 1, made from arrays that nearly do.

    The sums of `probs` (K, H, W) may be off by 1e-2, or by K/2048 where that is more (rounding),
    which is divided out. The ids `classes` (K,) are strictly ascending, in 0..n_classes-1.

    Raises
    ------
    ValueError
        If the arrays are not so, or a probability is negative or not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        probs = np.asarray(probs, np.float32)
    classes = np.asarray(classes, np.int64)
    if probs.ndim != 3 or 0 in probs.shape:
        raise ValueError(f"probs has shape {probs.shape}, expected (C, H, W)")
    if classes.shape != probs.shape[:1]:
        raise ValueError(f"{len(probs)} planes of probabilities, but {classes.size} class ids")
    if np.any(np.diff(classes) <= 0):
        raise ValueError(f"class ids {classes.tolist()} are not strictly ascending")
    if not 1 <= n_classes <= MOST_CLASSES:
        raise ValueError(f"{n_classes} classes, expected 1 to {MOST_CLASSES}")
    if classes[0] < 0 or classes[-1] >= n_classes:
        raise ValueError(f"class ids {classes.tolist()} are not all in 0..{n_classes - 1}")
    with np.errstate(invalid="ignore"):
        total = probs.sum(axis=0)
    if not np.isfinite(total).all():
        raise ValueError("probabilities are not finite")
    if probs.min() < 0:
        raise ValueError(f"probabilities are negative (minimum {probs.min():g})")
    worst = float(np.abs(total - 1).max())
    if worst > max(SUM_TOLERANCE, len(probs) * ROUNDING):
        raise ValueError(f"probabilities do not sum to 1 over the classes (off by {worst:.3g})")
    return ProbabilityMap(probs / total, classes, int(n_classes))


def as_map(probs: ProbabilityMap | AnyArray) -> ProbabilityMap:
    """A map, from a map or from the probabilities of all classes, as `checked_map` takes them."""
    if isinstance(probs, ProbabilityMap):
        return probs
    probs = np.asarray(probs)
    return checked_map(probs, np.arange(len(probs)), len(probs))
