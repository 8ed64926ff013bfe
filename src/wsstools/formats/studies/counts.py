"""Pixels of each class counted in each image, as CSV: what scores of many runs are made from."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.errors import DataError
from wsstools.files.text import read_table

COLUMNS = ("image", "class", "hit", "truth", "labels")
_HEAD = ",".join(COLUMNS).encode()
_SUFFIX = ".csv"
_LARGEST = 2**53


class Occurring(NamedTuple):
    """The classes that occur in an image, and their pixels."""

    classes: NDArray[np.int64]  # (U,), ascending, without 255
    pixels: NDArray[np.int64]  # (.., 3, U): hit, in the ground truth, in the labels

    @classmethod
    def among(cls, counts: NDArray[np.int64]) -> Occurring:
        """Those of `class_counts`, (.., 3, 256), or of several."""
        counts = counts[..., :IGNORE_LABEL]  # what the labels leave open is a miss, and no class
        occur = np.flatnonzero(counts.any(axis=tuple(range(counts.ndim - 1))))
        return cls(occur, counts[..., occur])

    def of(self, place: int) -> Occurring:
        """Those at a place of the first axis."""
        return Occurring(self.classes, self.pixels[place])


def is_counts(place: str) -> bool:
    """Whether an argument names a file of counts, not a folder of labels.

    It ends in .csv, or begins as such a file does.
    """
    path = Path(place)
    if place.lower().endswith(_SUFFIX):
        return not path.is_dir()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(len(_HEAD) + len(codecs.BOM_UTF8))
    return head.removeprefix(codecs.BOM_UTF8).startswith(_HEAD)


def count_rows(images: Iterable[tuple[str, Occurring]]) -> list[tuple[object, ...]]:
    """The lines of a file of counts, the first of which names the columns.

    An image in which no pixel counts has one line without a class.
    """
    rows: list[tuple[object, ...]] = [COLUMNS]
    for image, found in images:
        for class_id, pixels in zip(found.classes, found.pixels.T, strict=True):
            rows.append((image, class_id, *pixels))
        if not len(found.classes):
            rows.append((image, "", 0, 0, 0))
    return rows


def read_counts(path: str) -> Mapping[str, Occurring]:
    """What was counted in each image, in the file's order; pixels are (3, U).

    DataError if a number is none or does not fit to the others, or a class occurs twice.
    """
    found: dict[str, dict[int, tuple[int, int, int]]] = {}
    for row in read_table(Path(path), COLUMNS):
        of_image = found.setdefault(row["image"], {})
        where = f"{path}: {row['image']}"
        if "" in row:
            raise DataError(f"{where}: more cells than columns")
        if not row["class"]:
            if any(row[name] != "0" for name in COLUMNS[2:]):
                raise DataError(f"{where}: pixels without a class")
            continue
        class_id = _number(row["class"], IGNORE_LABEL - 1, f"{where}: class")
        hit, truth, labels = (_number(row[name], _LARGEST, where) for name in COLUMNS[2:])
        if class_id in of_image:
            raise DataError(f"{where}: class {class_id} occurs twice")
        if hit > min(truth, labels):
            raise DataError(f"{where}: class {class_id}: more pixels are hit than there are")
        of_image[class_id] = hit, truth, labels
    for image, of_image in found.items():
        if sum(c[2] for c in of_image.values()) > sum(c[1] for c in of_image.values()):
            raise DataError(f"{path}: {image}: more pixels in the labels than in the ground truth")
    return {image: _sorted(of_image) for image, of_image in found.items()}


def _sorted(of_image: Mapping[int, tuple[int, int, int]]) -> Occurring:
    classes = np.array(sorted(of_image), np.int64)
    pixels = np.array([of_image[int(c)] for c in classes], np.int64).reshape(-1, 3).T
    return Occurring(classes, pixels)


def _number(text: str, largest: int, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= largest):
        raise DataError(f"{where}: {text!r} is no number in 0..{largest}")
    return int(text)
