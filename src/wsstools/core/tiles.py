"""Tiles of large images: computed one after the other, each with a margin that is thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product

from wsstools.core.parameter import documented, parameter
from wsstools.errors import UsageError

_LEAST = 64
_MOST_AT_ONCE = 7
"""Times the pixels of a tile: what an image may have that is computed as a whole."""


@documented
@dataclass(frozen=True)
class TileSettings:
    """Which images are computed in parts, and how large these are."""

    tile: int = parameter(
        1536,
        "Compute an image of more than 7 N^2 pixels (16.5 million) in overlapping parts, whose "
        "memory grows with N^2; 0: never.",
        metavar="N",
        min=0,
    )

    def __post_init__(self) -> None:
        if 0 < self.tile < _LEAST:
            raise UsageError(f"--tile {self.tile}: expected {_LEAST} or more, or 0")


@dataclass(frozen=True)
class Tile:
    """A part of an image, and the larger part around it that is computed for it."""

    rows: slice  # of the image: what is kept
    columns: slice
    outer_rows: slice  # of the image: what is computed
    outer_columns: slice

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column of the first pixel that is computed."""
        return self.outer_rows.start, self.outer_columns.start

    @property
    def inner(self) -> tuple[slice, slice]:
        """What is kept, in rows and columns of what is computed."""
        return (
            slice(self.rows.start - self.origin[0], self.rows.stop - self.origin[0]),
            slice(self.columns.start - self.origin[1], self.columns.stop - self.origin[1]),
        )


def needs_tiles(shape: tuple[int, ...], side: int) -> bool:
    """Whether an image of shape (H, W) is computed in tiles of `side` pixels (0: none is)."""
    return shape[0] * shape[1] > _MOST_AT_ONCE * side * side > 0


def tiles(shape: tuple[int, ...], side: int, *, margin: int) -> list[Tile]:
    """Tiles of an image of shape (H, W), row by row; they depend on nothing else.

    Each is of about `side` x `side` pixels, and computed with `margin` more on each side where
    there are as many.
    """
    down, across = (_parts(length, side, margin) for length in shape)
    return [
        Tile(rows, columns, outer_rows, outer_columns)
        for (rows, outer_rows), (columns, outer_columns) in product(down, across)
    ]


def strips(shape: tuple[int, ...], n_rows: int, *, margin: int) -> list[Tile]:
    """Tiles of about `n_rows` rows each and all columns, from the top down."""
    columns = slice(0, shape[1])
    return [Tile(rows, columns, outer, columns) for rows, outer in _parts(shape[0], n_rows, margin)]


def widened(part: slice, length: int, margin: int, *, step: int = 1) -> slice:
    """A part of a side of `length` pixels, with `margin` more at each end where there are as many.

    It begins at a multiple of `step`.
    """
    return slice(max(0, (part.start - margin) // step * step), min(length, part.stop + margin))


def _parts(length: int, side: int, margin: int) -> list[tuple[slice, slice]]:
    """What is kept of a side of the image, and what is computed for it, part by part."""
    count = -(-length // side)
    ends = [k * length // count for k in range(count + 1)]
    parts = [slice(*pair) for pair in pairwise(ends)]
    return [(part, widened(part, length, margin)) for part in parts]
