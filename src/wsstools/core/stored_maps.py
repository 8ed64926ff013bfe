"""Maps as their files hold them: half as large, and dense only where they are worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.maps import MOST_CLASSES, ROUNDING, SUM_TOLERANCE, Number, ProbabilityMap

GRID = 1024
"""Stored probabilities are multiples of 1/1024: exact in float16, off by at most 1/2048, and far
more compressible than free float16."""
_PIXELS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class StoredMap:
    """A `ProbabilityMap` in the numbers of its file, which are brought to sum 1 when asked for.

    Attributes
    ----------
    values : (K, H, W) float of any width
        Probabilities; they nearly sum to 1 over the K classes at each pixel.
    classes, n_classes, info
        As of a `ProbabilityMap`.
    """

    values: AnyArray
    classes: NDArray[np.int64]
    n_classes: int
    info: Mapping[str, Number] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, probability_map: ProbabilityMap) -> StoredMap:
        """A map as it is written to a file.

        ValueError if a probability is not finite, or all of a pixel are too small to be held.
        """
        stored = cls.blank(
            probability_map.classes, probability_map.n_classes, probability_map.shape
        )
        for rows in bands(probability_map.shape):
            stored.values[:, rows] = _rounded(probability_map.probs[:, rows])
        return stored

    @classmethod
    def blank(cls, classes: NDArray[np.int64], n_classes: int, shape: tuple[int, int]) -> StoredMap:
        """A map of an image of shape (H, W) that is yet to be filled, by `put`."""
        return cls(np.zeros((len(classes), *shape), np.float16), classes, n_classes)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the image."""
        return self.values.shape[1], self.values.shape[2]

    def window(self, rows: slice, columns: slice = slice(None)) -> ProbabilityMap:
        """The map of a part of the image; it holds the same classes."""
        probs = np.asarray(self.values[:, rows, columns], np.float32)
        return ProbabilityMap(probs / probs.sum(axis=0), self.classes, self.n_classes)

    def whole(self) -> ProbabilityMap:
        """The map of the whole image."""
        probs = np.empty(self.values.shape, np.float32)
        for rows in bands(self.shape):
            probs[:, rows] = self.window(rows).probs
        return ProbabilityMap(probs, self.classes, self.n_classes, self.info)

    def put(self, probs: NDArray[np.float32], rows: slice, columns: slice = slice(None)) -> None:
        """Fill a part of the image with probabilities (K, h, w); ValueError as of `of`."""
        self.values[:, rows, columns] = _rounded(probs)

    def held(self) -> StoredMap:
        """The map without the classes whose probability is 0 everywhere, as its file has it."""
        kept = np.array([plane.any() for plane in self.values])
        if kept.all():
            return self
        return StoredMap(self.values[kept], self.classes[kept], self.n_classes, self.info)


def checked_stored_map(values: ArrayLike, classes: ArrayLike, n_classes: int) -> StoredMap:
    """A map in numbers that are nearly probabilities; parameters and errors as of `checked_map`."""
    values, classes = np.asarray(values), np.asarray(classes, np.int64)
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(f"probs has shape {values.shape}, expected (C, H, W)")
    if classes.shape != values.shape[:1]:
        raise ValueError(f"{len(values)} planes of probabilities, but {classes.size} class ids")
    if np.any(np.diff(classes) <= 0):
        raise ValueError(f"class ids {classes.tolist()} are not strictly ascending")
    if not 1 <= n_classes <= MOST_CLASSES:
        raise ValueError(f"{n_classes} classes, expected 1 to {MOST_CLASSES}")
    if classes[0] < 0 or classes[-1] >= n_classes:
        raise ValueError(f"class ids {classes.tolist()} are not all in 0..{n_classes - 1}")
    least, worst = np.inf, 0.0
    for rows in bands(values.shape[1:]):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused here
            probs = np.asarray(values[:, rows], np.float32)
            total = probs.sum(axis=0)
        if not np.isfinite(total).all():
            raise ValueError("probabilities are not finite")
        least, worst = min(least, float(probs.min())), max(worst, float(np.abs(total - 1).max()))
    if least < 0:
        raise ValueError(f"probabilities are negative (minimum {least:g})")
    if worst > max(SUM_TOLERANCE, len(values) * ROUNDING):
        raise ValueError(f"probabilities do not sum to 1 over the classes (off by {worst:.3g})")
    return StoredMap(values, classes, int(n_classes))


def checked_map(probs: ArrayLike, classes: ArrayLike, n_classes: int) -> ProbabilityMap:
    """A map whose probabilities sum to 1, made from arrays that nearly do.

    The sums of `probs` (K, H, W) may be off by 1e-2, or by K/2048 where that is more (rounding),
    which is divided out. The ids `classes` (K,) are strictly ascending, in 0..n_classes-1.

    Raises
    ------
    ValueError
        If the arrays are not so, or a probability is negative or not finite.
    """
    return checked_stored_map(probs, classes, n_classes).whole()


def as_map(probs: ProbabilityMap | AnyArray) -> ProbabilityMap:
    """A map, from a map or from the probabilities of all classes, as `checked_map` takes them."""
    if isinstance(probs, ProbabilityMap):
        return probs
    probs = np.asarray(probs)
    return checked_map(probs, np.arange(len(probs)), len(probs))


def by_rows(
    function: Callable[[Sequence[ProbabilityMap]], ProbabilityMap], maps: Sequence[StoredMap]
) -> StoredMap:
    """A function of each pixel by itself, of the maps of one image, a band of rows at a time.

    ValueError if the maps are of different sizes, or what `function` raises.
    """
    made: StoredMap | None = None
    for rows in common_bands(maps):
        found = function([entry.window(rows) for entry in maps])
        if made is None:
            made = StoredMap.blank(found.classes, found.n_classes, maps[0].shape)
        made.put(found.probs, rows)
    assert made is not None  # a map has a pixel
    return made


def common_bands(maps: Sequence[StoredMap]) -> Iterator[slice]:
    """The `bands` of maps of one image; ValueError if they are of different sizes."""
    for other in maps[1:]:
        if other.shape != maps[0].shape:
            raise ValueError(f"maps have shapes {maps[0].shape} and {other.shape} (H, W)")
    return bands(maps[0].shape)


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """The rows of an image of shape (H, W), some at a time: what is computed on them stays near
    the processor."""
    height, width = shape
    n_rows = max(1, _PIXELS_AT_ONCE // width)
    return (slice(first, min(first + n_rows, height)) for first in range(0, height, n_rows))


def _rounded(probs: NDArray[np.float32]) -> NDArray[np.float16]:
    rounded = np.rint(probs * np.float32(GRID))
    if not np.isfinite(rounded).all():
        raise ValueError("the probabilities that were computed are not finite")
    if len(rounded) >= 2 * GRID and not rounded.any(axis=0).all():
        raise ValueError(
            f"at a pixel none of {len(rounded)} classes has a probability of 1/{2 * GRID} or more, "
            "the least that a map holds"
        )
    stored: NDArray[np.float16] = (rounded / np.float32(GRID)).astype(np.float16)
    return stored
