"""Maps for the class shares of whole images instead of those of strokes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.map_operations import adjust_prior as adjust_map_prior
from wsstools.core.map_operations import class_shares
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import DataError, UsageError
from wsstools.running.settings import JobSettings, RunSettings
from wsstools.running.step import Step, run_step
from wsstools.running.tasks import map_images
from wsstools.steps.inputs import label_input, map_input


def adjust_prior(
    maps: str,
    out: str | Path,
    *,
    learned: str,
    wanted: str,
    power: float = 1.0,
    run: RunSettings = RunSettings(),
) -> None:
    """Write maps whose classes have other shares than those that their model learned from.

    Parameters
    ----------
    maps : str
        A folder, a file, or `-` for paths on standard input.
    out : str or Path
        Folder to write to; made if missing.
    learned : str
        Folder of the scribbles or labels that the maps' model learned from.
    wanted : str
        Folder of labels whose class shares are taken for the true ones.
    power : float
        How much of the change is made: 0 none, 1 all of it.
    run : RunSettings
        Which images, and how they are computed. All files of the two folders count.

    Raises
    ------
    DataError
        If no pixel of a folder carries a class.
    UsageError
        If `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    pixels = {
        role: _pixels(role, place, run) for role, place in (("from", learned), ("to", wanted))
    }
    n_classes = max(len(counted) for counted in pixels.values())
    filled = {role: counted + [0] * (n_classes - len(counted)) for role, counted in pixels.items()}
    step = Step(
        "adjust-prior",
        {"power": power, **pixels},
        compute=partial(_compute, learned=filled["from"], wanted=filled["to"], power=power),
    )
    run_step(step, [map_input(maps, run)], out, run)


def _pixels(role: str, place: str, run: JobSettings) -> list[int]:
    """Pixels of each class in all files of a folder, up to the largest class that occurs."""
    if place == "-":
        raise UsageError(f"--{role} -: expected a folder; standard input is for the maps")
    total = np.zeros(IGNORE_LABEL, np.int64)
    for _, counted in map_images("adjust-prior", _count, [label_input(place, run)], run.of_all()):
        total += counted
    if not total.any():
        raise DataError(f"{place}: no pixel carries a class")
    return [int(count) for count in np.trim_zeros(total, "b")]


def _count(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)[:IGNORE_LABEL]


def _compute(
    probability_map: ProbabilityMap, *, learned: list[int], wanted: list[int], power: float
) -> ProbabilityMap:
    n_classes = probability_map.n_classes
    if len(learned) > n_classes:
        raise ValueError(
            f"the map has {n_classes} classes, the labels hold class {len(learned) - 1}"
        )
    absent = [0] * (n_classes - len(learned))
    shares_learned, shares_wanted = (
        class_shares(np.array(pixels + absent)) for pixels in (learned, wanted)
    )
    return adjust_map_prior(probability_map, shares_learned, shares_wanted, power)
