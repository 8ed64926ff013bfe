"""Pools: how the maps of several annotators become one, with weights that were learned.

A linear pool is a weighted mean; a log-linear pool is a weighted product. In the first an annotator
that is sure of a wrong class is outvoted, in the second it has a veto.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.elementary import exp, log
from wsstools.core.maps import ProbabilityMap, common_classes

LINEAR, LOG_LINEAR = "linear", "log-linear"
LEAST_PROB = 1e-3
"""A probability below it counts as it where logarithms are taken: no annotator is sure of more."""


@dataclass(frozen=True)
class Pool:
    """A way to pool the maps of A annotators of C classes.

    Attributes
    ----------
    kind : {"linear", "log-linear"}
        p_c is proportional to ``sum_a w_ac q_ac``, or to ``exp(b_c + sum_a w_ac log p_ac)``.
    weights : (A, C) float64
        w. They are the same for all classes in a linear pool, not negative, and sum to 1.
    temperatures : (A,) float64
        q_a is p_a to the power of 1 / temperature, brought back to sum 1. Those of a log-linear
        pool are in its weights; they are 1.
    offsets : (C,) float64
        b, 0 in a linear pool.
    """

    kind: str
    weights: NDArray[np.float64]
    temperatures: NDArray[np.float64]
    offsets: NDArray[np.float64]

    @property
    def n_classes(self) -> int:
        """How many classes its weights are for."""
        return int(self.weights.shape[1])


def pool_maps(maps: Sequence[ProbabilityMap], pool: Pool) -> ProbabilityMap:
    """The pooled map of one image, over the union of the maps' classes.

    ValueError if the maps do not fit each other or the pool.
    """
    classes = common_classes(maps)
    first = maps[0]
    if len(maps) != len(pool.weights):
        raise ValueError(f"there are {len(maps)} maps, the parameters are of {len(pool.weights)}")
    if first.n_classes != pool.n_classes:
        raise ValueError(
            f"the maps have {first.n_classes} classes, the parameters {pool.n_classes}"
        )
    height, width = first.shape
    probs = np.empty((len(classes), height, width), np.float32)
    # A row at a time, so that what is computed stays near the processor.
    for row in range(height):
        places = np.arange(row * width, (row + 1) * width)
        probs[:, row] = pooled(pixels_of(maps, classes, places), classes, pool)
    return ProbabilityMap(probs, classes, first.n_classes)


def pixels_of(
    maps: Sequence[ProbabilityMap], classes: AnyArray, places: AnyArray
) -> NDArray[np.float32]:
    """Probabilities (A, K, P) of pixels by their places in the flat image.

    `classes` (K,) are those that any map holds; a class that a map lacks has probability 0.
    """
    found = np.zeros((len(maps), len(classes), len(places)), np.float32)
    for part, entry in zip(found, maps, strict=True):
        rows = np.searchsorted(classes, entry.classes)
        part[rows] = entry.probs.reshape(len(entry.probs), -1)[:, places]
    return found


def pooled(probs: NDArray[np.float32], classes: AnyArray, pool: Pool) -> NDArray[np.float32]:
    """Probabilities (K, P) of P pixels, from those of A annotators, (A, K, P), of K classes."""
    weights = pool.weights[:, classes].astype(np.float32)
    if pool.kind == LINEAR:
        total = np.zeros(probs.shape[1:], np.float32)
        for one, weight, temperature in zip(probs, weights, pool.temperatures, strict=True):
            total += weight[:, None] * tempered(one, temperature)
        return _to_sum_one(total)
    logs = np.zeros(probs.shape[1:], np.float32)
    logs += pool.offsets[classes].astype(np.float32)[:, None]
    for one, weight in zip(probs, weights, strict=True):
        logs += weight[:, None] * logarithms(one)
    return _softmax(logs)


def tempered(probs: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (K, P) to the power of 1 / temperature, brought back to sum 1.

    Above 1 they become more alike, below 1 more certain.
    """
    if temperature == 1:
        return probs
    return _softmax(logarithms(probs) * np.float32(1 / temperature))


def logarithms(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of probabilities, of `LEAST_PROB` where they are less; the same on any machine."""
    values = np.maximum(probs, np.float32(LEAST_PROB))
    return log(values.ravel()).reshape(probs.shape)


def _softmax(logs: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.ascontiguousarray(logs - logs.max(axis=0))
    return _to_sum_one(exp(shifted.ravel()).reshape(logs.shape))


def _to_sum_one(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    total: NDArray[np.float32] = probs.sum(axis=0)
    return probs / total
