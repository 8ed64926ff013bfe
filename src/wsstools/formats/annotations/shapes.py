"""Shapes of annotation programs, gathered as the marks of one image."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.core.labels import IGNORED_NAME
from wsstools.core.scribbles.annotation import Annotation, Area, Line, Mark, Polygon, Unit
from wsstools.core.scribbles.class_names import ClassName
from wsstools.core.scribbles.strokes import FARTHEST
from wsstools.files.limits import check_masks, check_pixels
from wsstools.files.provenance import Decoded

HALF_PIXEL = 0.5
"""From coordinates whose (0, 0) is the corner of the upper left pixel to those of its centre."""
_SIDES_OF_ELLIPSE = 720
"""Its polygon leaves the ellipse by 1e-5 of a radius."""
Origin = Literal["corner", "centre"]


class Sketch:
    """The marks of one image, in the order in which they are added, and what is left out.

    Coordinates are x, y, in pixels or shares as `decoded` states. Where `origin` is "corner",
    (0, 0) is the corner of the upper left pixel, otherwise its centre; shares have an origin of
    their own.

    All that adds raises ValueError at coordinates that are no finite numbers, and where there is no
    name.
    """

    def __init__(self, origin: Origin = "corner") -> None:
        self._shift = HALF_PIXEL if origin == "corner" else 0.0
        self._marks: list[Mark] = []
        self._left_out: Counter[str] = Counter()
        self._n_flat = 0
        self._n_mask_pixels = 0

    def add_line(self, name: ClassName, points: ArrayLike, kind: str = "line") -> None:
        """An open line."""
        self._marks.append(Line(named(name, kind), self._placed(points, f"{kind} {name!r}")))

    def add_dots(self, name: ClassName, points: ArrayLike, kind: str = "point") -> None:
        """Points that are not joined."""
        placed = self._placed(points, f"{kind} {name!r}")
        named(name, kind)
        self._marks.extend(Line(name, placed[k : k + 1]) for k in range(len(placed)))

    def add_polygon(self, name: ClassName, rings: Sequence[ArrayLike], kind: str) -> None:
        """A filled polygon; further rings are its holes, or parts of their own.

        Fewer than three points enclose nothing: they become a line.
        """
        placed = [self._placed(ring, f"{kind} {name!r}") for ring in rings]
        named(name, kind)
        flat = [ring for ring in placed if len(ring) < 3]
        whole = tuple(ring for ring in placed if len(ring) >= 3)
        self._n_flat += len(flat)
        self._marks.extend(Line(name, ring) for ring in flat)
        if whole:
            self._marks.append(Polygon(name, whole))

    def add_box(
        self, name: ClassName, corners: ArrayLike, kind: str = "box", *, degrees: float = 0
    ) -> None:
        """The rectangle between two opposite corners, turned clockwise about its centre."""
        (left, top), (right, bottom) = checked_points(corners, f"{kind} {name!r}", 2)
        points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        centre = points.mean(axis=0)
        self.add_polygon(name, [turned(points, centre, degrees) if degrees else points], kind)

    def add_ellipse(
        self,
        name: ClassName,
        centre: Sequence[float],
        radii: Sequence[float],
        kind: str = "ellipse",
        *,
        degrees: float = 0,
    ) -> None:
        """A filled ellipse, turned clockwise about its centre."""
        checked_points([list(centre), list(radii)], f"{kind} {name!r}", 2)
        angles = np.linspace(0, 2 * np.pi, _SIDES_OF_ELLIPSE, endpoint=False)
        rim = np.array(centre) + np.abs(radii) * np.stack([np.cos(angles), np.sin(angles)], 1)
        self.add_polygon(name, [turned(rim, np.array(centre), degrees)], kind)

    def add_mask(
        self, name: ClassName, corner: tuple[int, int], mask: NDArray[np.bool_], kind: str = "mask"
    ) -> None:
        """The pixels of a mask, (h, w), whose upper left one is at `corner`, x y."""
        self._n_mask_pixels += mask.size
        check_masks(self._n_mask_pixels)
        self._marks.append(Area(named(name, kind), corner, mask))

    def leave_out(self, what: str) -> None:
        """Count what is not drawn, such as a `cuboid`."""
        self._left_out[what] += 1

    def decoded(
        self,
        shape: tuple[int, int] | None,
        *,
        class_names: Sequence[str] | None = None,
        unit: Unit = "pixel",
    ) -> Decoded[Annotation]:
        """The marks, and a note of what is left out or drawn as something else."""
        if shape is not None:
            check_pixels(*shape)
        notes = []
        if self._left_out:
            left_out = ", ".join(counted(n, kind) for kind, n in self._left_out.items())
            notes.append(f"left out: {left_out}")
        if self._n_flat:
            flat, lines = (
                counted(self._n_flat, "polygon"),
                "lines" if self._n_flat > 1 else "a line",
            )
            notes.append(f"{flat} of fewer than three points drawn as {lines}")
        names = None
        if class_names is not None:
            names = tuple(name for name in class_names if name != IGNORED_NAME)
        found = Annotation(tuple(self._marks), shape, names, unit)
        return Decoded(found, note="; ".join(notes) or None)

    def _placed(self, points: ArrayLike, what: str) -> NDArray[np.float64]:
        return checked_points(points, what) - self._shift


def named(name: ClassName, kind: str) -> ClassName:
    """The name; ValueError if it is empty."""
    if isinstance(name, str) and not name.strip():
        raise ValueError(f"a {kind} has no label")
    return name


def checked_points(
    points: ArrayLike, what: str, n_points: int | None = None
) -> NDArray[np.float64]:
    """Points as (N, 2) float64; ValueError if they are no finite (N, 2) with N above 0."""
    try:
        array = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what}: points are not numbers") from None
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(f"{what}: points have shape {array.shape}, expected (N, 2)")
    if n_points is not None and len(array) != n_points:
        raise ValueError(f"{what} has {len(array)} points, expected {n_points}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: points are not finite")
    if np.abs(array).max() > FARTHEST:
        raise ValueError(f"{what}: points reach {np.abs(array).max():g} pixels")
    return array


def turned(
    points: NDArray[np.float64], about: NDArray[np.float64], degrees: float
) -> NDArray[np.float64]:
    """Points, (N, 2) x y, turned clockwise about a point, where y points down."""
    if not math.isfinite(degrees):
        raise ValueError(f"turned by {degrees} degrees")
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    rotated: NDArray[np.float64] = about + (points - about) @ rotation
    return rotated


def counted(n: int, what: str) -> str:
    """How many, with the plural of what comes before `with`, `without`, `on`."""
    noun = re.split(r" (?=with|on )", what)[0]
    ending = "" if n == 1 else "es" if noun.endswith("x") else "s"
    return f"{n} {noun}{ending}{what[len(noun) :]}"
