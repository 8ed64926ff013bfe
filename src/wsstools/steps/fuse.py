"""The weighted mean of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wsstools.core.map_operations import fuse_maps
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import UsageError
from wsstools.running.settings import RunSettings
from wsstools.running.step import Step, run_step
from wsstools.steps.inputs import map_input

if TYPE_CHECKING:
    from wsstools.core.pools import Pool


def fuse(
    maps: Sequence[str],
    out: str | Path,
    *,
    weights: Sequence[float] | None = None,
    params: str | None = None,
    run: RunSettings = RunSettings(),
) -> None:
    """Write the weighted mean of the maps of each image, or what `tune --fusion` found better.

    Parameters
    ----------
    maps : sequence of str
        Two or more folders of maps; one of them may be `-`. What all have is fused.
    out : str or Path
        Folder of the fused maps; made if missing.
    weights : sequence of float or None
        A positive number for each; a larger one pulls the mean to its map. None: equal.
    params : str or None
        File of a pool of as many maps in the same order, from `tune --fusion`, without weights.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If there are less than two folders, the weights or the pool do not fit, or `out` holds
        outputs of another run.
    DataError
        If the file holds no pool.
    SomeFailed
        If an image failed; the others are done.
    """
    if len(maps) < 2:
        raise UsageError("fuse needs two or more folders of maps")
    if params is None:
        numbers = _checked_weights(weights, len(maps))
        step = Step("fuse", {"weights": list(numbers)}, compute=partial(_mean, weights=numbers))
    else:
        from wsstools.steps.pools import pool_values  # noqa: PLC0415 - compiled code, for pools

        pool = _checked_pool(params, weights, len(maps))
        step = Step("fuse", pool_values(pool), compute=partial(_pooled, pool=pool))
    first, *others = [map_input(place, run) for place in maps]
    run_step(step, [first, *(replace(entry, is_optional=True) for entry in others)], out, run)


def _mean(*maps: ProbabilityMap, weights: tuple[float, ...]) -> ProbabilityMap:
    return fuse_maps(maps, weights)


def _pooled(*maps: ProbabilityMap, pool: Pool) -> ProbabilityMap:
    from wsstools.core.pools import pool_maps  # noqa: PLC0415 - as above

    return pool_maps(maps, pool)


def _checked_pool(params: str, weights: Sequence[float] | None, count: int) -> Pool:
    from wsstools.steps.pools import read_pool  # noqa: PLC0415 - as above

    if weights is not None:
        raise UsageError("give one of --weights and --params")
    pool = read_pool(params)
    if len(pool.weights) != count:
        raise UsageError(
            f"--params {params}: weights of {len(pool.weights)} folders of maps, there are {count}"
        )
    return pool


def _checked_weights(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    if weights is None:
        return (1.0,) * count
    shown = ",".join(f"{weight:g}" for weight in weights)
    if len(weights) != count:
        raise UsageError(f"--weights {shown}: {len(weights)} weights for {count} folders of maps")
    if not all(0 < weight < float("inf") for weight in weights):
        raise UsageError(f"--weights {shown}: weights must be positive")
    return tuple(weights)
