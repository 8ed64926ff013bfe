"""Strokes: drawn into scribbles, read from text, and simulated from ground truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL

MAX_STROKES_PER_REGION = 3
FARTHEST = 1e9
"""Pixels; of points farther away a float does not hold the fraction of a pixel that counts."""
_BAND = 64
"""Rows that are drawn at a time, so that a line across a large image needs no memory for all."""
_LARGEST_REGION = 1 << 21
"""Pixels of a region, its surroundings included, in which strokes are simulated pixel by pixel."""


@dataclass(frozen=True)
class Stroke:
    """One open line that carries one class, 0..255."""

    label: int
    # (N, 2), x, y; (0, 0) is the centre of the upper left pixel; one is a dot
    points: NDArray[np.float64]


def draw_strokes(
    strokes: Iterable[Stroke],
    shape: tuple[int, int],
    *,
    width: float = 3,
    ignore_label: int = IGNORE_LABEL,
) -> NDArray[np.uint8]:
    """Scribbles, (H, W) uint8, drawn with a round brush; later strokes cover earlier ones.

    A pixel is drawn if its centre is within `width / 2` pixels of the line, or a point of the
    stroke is in it; what is outside the image is not. ValueError if a label is not in 0..255,
    the points are not a finite (N, 2), or `width` is not above 0.
    """
    if not width > 0:
        raise ValueError(f"width is {width}, expected a number above 0")
    scribbles = np.full(shape, ignore_label, np.uint8)
    for stroke in strokes:
        points = _checked_points(stroke)
        # So that no thin stroke falls between pixels.
        scribbles[pixels_of(points, shape)] = stroke.label
        for start, end in pairwise(points if len(points) > 1 else points.repeat(2, axis=0)):
            _draw_segment(scribbles, start, end, width / 2, stroke.label)
    return scribbles


def grow_scribbles(
    scribbles: NDArray[np.uint8], radius: float, *, ignore_label: int = IGNORE_LABEL
) -> NDArray[np.uint8]:
    """The scribbles, (H, W) uint8, made thicker by `radius` pixels on each side.

    A pixel that several strokes reach takes the class of the nearest.
    """
    unlabelled = scribbles == ignore_label
    if unlabelled.all() or radius <= 0:
        return np.array(scribbles)
    distance, nearest = ndimage.distance_transform_edt(unlabelled, return_indices=True)
    grown: NDArray[np.uint8] = scribbles[tuple(nearest)]
    grown[distance > radius] = ignore_label
    return grown


def parse_strokes(text: str) -> list[tuple[str, NDArray[np.float64]]]:
    """The strokes in a text, one a line: `class,x,y,x,y,...`; coordinates may be decimal.

    Each is the name of its class, or its id, and points (N, 2), x, y. Blank lines and lines that
    start with `#` are skipped. ValueError names the line that is not so.
    """
    strokes = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            try:
                strokes.append(_parse_stroke(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return strokes


def simulate_scribbles(
    labels: NDArray[np.uint8],
    *,
    rng: np.random.Generator,
    width: float = 3,
    share: float = 0.02,
    min_area: int | None = None,
    max_strokes: int = MAX_STROKES_PER_REGION,
    every_class: bool = True,
) -> NDArray[np.uint8]:
    """Scribbles, (H, W) uint8, as a person would draw them over a picture with these labels.

    Each connected region of at least `min_area` pixels (None: `(4 * width) ** 2`) gets one to
    `max_strokes` smooth strokes that keep away from its border; so does, with `every_class`, the
    largest of each class, however small. No stroke pixel has another class than `labels`.

    Parameters
    ----------
    labels : (H, W) uint8
        Ground truth.
    width : float, pixels
        Diameter of the brush.
    share : float, 0..1
        Share of the pixels to cover, about; larger means longer strokes.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2:
        raise ValueError(f"labels has shape {labels.shape}, expected (H, W)")
    if min_area is None:
        min_area = round((4 * width) ** 2)
    regions = list(_regions(labels, min_area, every_class))
    diameters = np.array([math.sqrt(mask.sum()) for _, _, mask in regions])
    lengths = share * labels.size / width * diameters / max(diameters.sum(), 1)
    strokes = [
        Stroke(label, path + corner)
        for (label, corner, mask), length in zip(regions, lengths, strict=True)
        for path in _paths_inside(mask, max(length, 2 * width), width, max_strokes, rng)
    ]
    scribbles = draw_strokes(strokes, labels.shape, width=width)
    scribbles[scribbles != labels] = IGNORE_LABEL
    return scribbles


def _checked_points(stroke: Stroke) -> NDArray[np.float64]:
    points = np.asarray(stroke.points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"points of a stroke have shape {points.shape}, expected (N, 2)")
    if not np.isfinite(points).all():
        raise ValueError("points of a stroke are not finite")
    if np.abs(points).max() > FARTHEST:
        raise ValueError(f"points of a stroke reach {np.abs(points).max():g} pixels")
    if not 0 <= stroke.label <= 255:
        raise ValueError(f"class {stroke.label} is not in 0..255")
    return points


def pixels_of(
    points: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels of an (H, W) image that those of the points inside are in."""
    x, y = np.floor(points + 0.5).T
    inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    return y[inside].astype(np.int64), x[inside].astype(np.int64)


def _draw_segment(
    scribbles: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: float,
    label: int,
) -> None:
    height, width = scribbles.shape
    top = int(max(np.ceil(min(start[1], end[1]) - radius), 0))
    bottom = int(min(np.floor(max(start[1], end[1]) + radius), height - 1))
    dx, dy = end - start
    for first in range(top, bottom + 1, _BAND):
        last = min(first + _BAND - 1, bottom)
        low, high = _columns(start, end, radius, first, last)
        left, right = int(max(np.ceil(low), 0)), int(min(np.floor(high), width - 1))
        if left > right:
            continue
        box = scribbles[first : last + 1, left : right + 1]
        x = np.arange(left, right + 1) - start[0]
        y = np.arange(first, last + 1)[:, None] - start[1]
        along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        box[(x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius**2] = label


def _columns(
    start: NDArray[np.float64], end: NDArray[np.float64], radius: float, first: int, last: int
) -> tuple[float, float]:
    """Between which columns a line of that radius is in some rows, rather too wide than not."""
    (x, y), (dx, dy) = start, end - start
    along = np.array([0.0, 1.0])
    if abs(dy) > 1:
        reached = (np.array([first - radius - 1, last + radius + 1]) - y) / dy
        along = np.clip(np.sort(reached), 0, 1)
    columns = x + along * dx
    return columns.min() - radius - 1, columns.max() + radius + 1


def _parse_stroke(line: str) -> tuple[str, NDArray[np.float64]]:
    name, *fields = (field.strip() for field in line.rstrip(",").split(","))
    if not name or len(fields) < 2 or len(fields) % 2:
        raise ValueError(f"expected class,x,y,x,y,..., found {1 + len(fields)} fields")
    try:
        points = np.array([float(field) for field in fields]).reshape(-1, 2)
    except ValueError:
        raise ValueError(f"expected numbers after the class, found {line[:40]!r}") from None
    _checked_points(Stroke(0, points))
    return name, points


def _regions(
    labels: AnyArray, min_area: int, every_class: bool
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.bool_]]]:
    """Class, upper left corner (x, y) and mask, padded by 1, of each region that gets strokes."""
    for label in np.unique(labels):
        if label == IGNORE_LABEL:
            continue
        components, _ = ndimage.label(labels == label)
        areas = np.bincount(components.ravel())[1:]
        for index, box in enumerate(ndimage.find_objects(components)):
            if areas[index] >= min_area or (every_class and index == areas.argmax()):
                corner = np.array([box[1].start - 1, box[0].start - 1])
                yield int(label), corner, np.pad(components[box] == index + 1, 1)


def _paths_inside(
    mask: NDArray[np.bool_], length: float, width: float, max_strokes: int, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """One to `max_strokes` smooth lines inside a region, together about `length` pixels long.

    Of a large region only every second or third pixel or so is seen.
    """
    step = math.ceil(math.sqrt(mask.size / _LARGEST_REGION))
    seen = np.pad(mask[1:-1:step, 1:-1:step], 1)
    if seen.any():
        mask, length, width = seen, length / step, width / step
    else:
        step = 1
    depth = ndimage.distance_transform_edt(mask)
    deep = depth >= min(width / 2 + 2, 0.6 * depth.max())
    wander = ndimage.gaussian_filter(rng.standard_normal(mask.shape), math.sqrt(mask.sum()) / 10)
    wander *= 1.2 / max(wander.std(), 1e-6)
    cost = np.where(deep, np.exp(wander) + 4 / np.maximum(depth, 1), -1.0)
    paths: list[NDArray[np.float64]] = []
    remaining = length
    while remaining > length / 4 and len(paths) < max_strokes:
        path = _far_path(cost, paths, rng)
        sigma = np.clip(depth.max() / 4, 1.5, 10)
        path = ndimage.gaussian_filter1d(path, sigma, axis=0, mode="nearest")
        path = _cut(path, remaining, 0.0 if paths else rng.random())
        remaining -= _lengths(path)[-1] + width
        paths.append(path)
    return [1 + step * (path - 1) for path in paths]


def _far_path(
    cost: NDArray[np.float64], others: list[NDArray[np.float64]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The cheapest line, (N, 2) x y, between two points far apart, the first far from `others`.

    Far is meant in pixels on the way through the region, not in cost: else both ends would be on
    the same costly spot.
    """
    rows, columns = np.nonzero(cost > 0)
    even = np.where(cost > 0, 1.0, -1.0)

    def far_point(sources: NDArray[np.int64], *, beyond: bool) -> NDArray[np.int64]:
        """A point far from the sources; `beyond`: rather in a part that they do not reach."""
        reach = MCP_Geometric(even).find_costs(sources)[0][rows, columns]
        if not beyond:
            reach[~np.isfinite(reach)] = -1
        chosen = rng.choice(np.flatnonzero(reach >= 0.85 * reach.max()))
        return np.array([[rows[chosen], columns[chosen]]])

    if others:
        sources = np.rint(np.concatenate(others)[:, ::-1]).astype(int)
    else:
        candidates = _largest_part(cost > 0)
        sources = candidates[[rng.integers(len(candidates))]]
    start = far_point(sources, beyond=bool(others))
    end = far_point(start, beyond=False)
    finder = MCP_Geometric(cost)
    finder.find_costs(start, end)
    return np.array(finder.traceback(end[0]), np.float64)[:, ::-1]


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row and column, (N, 2), of the pixels of the largest 8-connected part."""
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    return np.argwhere(parts == np.bincount(parts[mask]).argmax())


def _lengths(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of the line up to each of its points, (N,)."""
    steps = np.hypot(*np.diff(path, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _cut(path: NDArray[np.float64], length: float, place: float) -> NDArray[np.float64]:
    """A piece of the line of at most `length`; `place` 0 is its beginning, 1 its end."""
    lengths = _lengths(path)
    start = place * max(lengths[-1] - length, 0)
    piece = path[(lengths >= start) & (lengths <= start + length)]
    return piece if len(piece) else path[:1]
