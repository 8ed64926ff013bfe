"""Pools as files of parameters hold them: what `tune --fusion` writes and `fuse --params` reads."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from wsstools.core.pools import LINEAR, LOG_LINEAR, Pool
from wsstools.errors import DataError
from wsstools.files.provenance import Json
from wsstools.formats.parameter_files import FUSION, read_params

_LARGEST = 1000.0
"""Of weights, offsets and temperatures."""


class _Values(msgspec.Struct, forbid_unknown_fields=True):
    """What a file holds: a row of weights for each annotator, a number in it for each class."""

    pool: str
    weights: list[list[float]]
    temperatures: list[float]
    offsets: list[float]


def pool_values(pool: Pool) -> dict[str, Json]:
    """A pool as JSON values."""
    return {
        "pool": pool.kind,
        "weights": pool.weights.tolist(),
        "temperatures": pool.temperatures.tolist(),
        "offsets": pool.offsets.tolist(),
    }


def read_pool(path: str) -> Pool:
    """The pool in a file; DataError if it holds none."""
    method, found = read_params(path)
    if method != FUSION:
        raise DataError(f"{path}: parameters of {method}, expected those of {FUSION}")
    return parsed_pool(found, path)


def parsed_pool(values: Mapping[str, object], name: str) -> Pool:
    """The pool that JSON values describe; DataError if they describe none."""
    try:
        held = msgspec.convert(values, _Values)
    except msgspec.ValidationError as error:
        raise DataError(f"{name}: {error}") from error
    counts = {len(row) for row in held.weights}
    fits = counts == {len(held.offsets)} and len(held.weights) == len(held.temperatures) > 1
    if not fits:
        raise DataError(f"{name}: weights, temperatures and offsets do not fit each other")
    if held.pool not in (LINEAR, LOG_LINEAR):
        raise DataError(f"{name}: pool {held.pool!r}, expected {LINEAR} or {LOG_LINEAR}")
    weights, temperatures, offsets = map(np.array, (held.weights, held.temperatures, held.offsets))
    _check_numbers(held.pool, weights, temperatures, offsets, name)
    return Pool(held.pool, weights, temperatures, offsets)


def _check_numbers(
    kind: str,
    weights: NDArray[np.float64],
    temperatures: NDArray[np.float64],
    offsets: NDArray[np.float64],
    name: str,
) -> None:
    parts = (weights, temperatures, offsets)
    if not all((np.abs(part) <= _LARGEST).all() for part in parts):  # NaN is not
        raise DataError(f"{name}: a number is not in -{_LARGEST:g}..{_LARGEST:g}")
    if not (temperatures >= 1 / _LARGEST).all():
        raise DataError(f"{name}: a temperature is below {1 / _LARGEST:g}")
    if kind == LOG_LINEAR and (temperatures != 1).any():
        raise DataError(f"{name}: the temperatures of a log-linear pool are in its weights, and 1")
    if kind == LINEAR:
        if not ((weights >= 0).all() and (weights.sum(axis=0) >= 1 / _LARGEST).all()):
            raise DataError(
                f"{name}: the weights of a linear pool are 0 or more, their sum at least "
                f"{1 / _LARGEST:g}"
            )
        if (weights != weights[:, :1]).any() or offsets.any():
            raise DataError(
                f"{name}: a linear pool has the same weights for all classes, and offsets of 0"
            )
