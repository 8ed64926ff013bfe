"""Shares of the classes, as options name them: a folder of labels, or a number per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.map_operations import class_shares
from wsstools.errors import DataError, UsageError
from wsstools.running.settings import JobSettings
from wsstools.running.tasks import map_images
from wsstools.steps.inputs import label_input


@dataclass(frozen=True)
class GivenShares:
    """Pixels of each class in labels, up to the largest class that occurs, or numbers per class."""

    numbers: Sequence[float]
    is_list: bool = False

    def of(self, n_classes: int) -> NDArray[np.float64]:
        """Shares of so many classes, (C,), positive; ValueError if they are of others."""
        count = len(self.numbers)
        if self.is_list and count != n_classes:
            raise ValueError(f"the map has {n_classes} classes, there are {count} shares")
        if count > n_classes:
            raise ValueError(f"the map has {n_classes} classes, the labels hold class {count - 1}")
        return class_shares(np.array([*self.numbers, *[0] * (n_classes - count)]))


def read_shares(command: str, option: str, place: str, run: JobSettings) -> GivenShares:
    """The shares that an option names: of all files of a folder, or numbers with commas.

    UsageError if the numbers are no shares, or the labels were to come from standard input;
    DataError if no pixel of the folder carries a class.
    """
    if place == "-":
        raise UsageError(f"{option} -: expected a folder; standard input is for the first argument")
    listed = None if Path(place).exists() else _listed(place)
    if listed is not None:
        if not all(0 <= number < math.inf for number in listed) or not sum(listed) > 0:
            raise UsageError(f"{option} {place}: expected shares, such as 0.9,0.1")
        return GivenShares(listed, is_list=True)
    total = np.zeros(IGNORE_LABEL, np.int64)
    for _, counted in map_images(command, _count, [label_input(place, run)], run.of_all()):
        total += counted
    if not total.any():
        raise DataError(f"{place}: no pixel carries a class")
    return GivenShares([int(count) for count in np.trim_zeros(total, "b")])


def _listed(text: str) -> list[float] | None:
    """The numbers in a text, of which there are several; None if it is something else."""
    try:
        return [float(part) for part in text.split(",")] if "," in text else None
    except ValueError:
        return None


def _count(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)[:IGNORE_LABEL]
