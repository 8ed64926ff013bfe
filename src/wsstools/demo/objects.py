"""What is in a drawn scene: houses, trees and horses.

Each painter takes the foot of its object, (x, y) in image heights, and `scale`, the image heights
that a metre takes up there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from wsstools.demo.canvas import FINE, HORSE, HOUSE, TREE, Array, Canvas, Light, Point, mix_colour

LEAVES = (
    (0.20, 0.36, 0.14),
    (0.34, 0.46, 0.16),
    (0.16, 0.30, 0.22),
    (0.62, 0.40, 0.14),
    (0.52, 0.22, 0.14),
)


@dataclass(frozen=True)
class _House:
    """A house seen over its corner; `side` is where the long wall is, -1 left or 1 right."""

    side: float
    ground: float
    scale: float
    front: float
    corner: float
    back: float
    tall: float
    peak: float

    @property
    def middle(self) -> float:
        return 0.5 * (self.front + self.corner)

    @property
    def skew(self) -> float:
        """How far the long wall's foot rises as it recedes."""
        return 0.12 * abs(self.back - self.corner)


def paint_house(canvas: Canvas, light: Light, x: float, y: float, scale: float) -> None:
    """A house seen over its corner, and the shadow it casts."""
    rng = canvas.rng
    side = float(rng.choice([-1, 1]))
    tall, gable, long = scale * rng.uniform((3.4, 4.0, 6.0), (5.2, 5.0, 9.0))
    corner = x - side * 0.5 * (long - gable)
    house = _House(
        side=side,
        ground=y,
        scale=scale,
        front=corner - side * gable,
        corner=corner,
        back=corner + side * long,
        tall=tall,
        peak=tall + scale * rng.uniform(2.2, 3.4),
    )
    canvas.cast_shadow(x, y, 0.75 * (long + gable), light)
    lit, dim = 1.05, 1 - 0.22 * light.contrast
    shades = (lit, dim) if side * light.sun < 0 else (dim, lit)
    _paint_walls(canvas, light, house, shades)
    _paint_roof(canvas, light, house, shades[1])
    _paint_openings(canvas, light, house)


def _paint_walls(canvas: Canvas, light: Light, house: _House, shades: tuple[float, float]) -> None:
    rng = canvas.rng
    wall = light.tint * mix_colour(
        rng, (0.66, 0.36, 0.28), (0.88, 0.85, 0.78), (0.78, 0.66, 0.45), (0.55, 0.54, 0.53)
    )
    bricks = rng.uniform(0.08, 0.17) * canvas.grain("brick", rng.uniform(5.0, 7.5))
    grain = (1 + bricks + 0.04 * canvas.noise())[:, :, None]
    y, top = house.ground, house.ground - house.tall
    along = house.middle + rng.uniform(0.3, 0.7) * (house.back - house.corner)
    chimney = _box(along, y - 0.8 * house.peak, 0.35 * house.scale, 0.45 * house.peak)
    long_wall = [
        (house.corner, y),
        (house.corner, top),
        (house.back, top - 0.2 * house.skew),
        (house.back, y - house.skew),
    ]
    gable = [
        (house.front, y),
        (house.front, top),
        (house.middle, y - house.peak),
        (house.corner, top),
        (house.corner, y),
    ]
    for part, shade in ((chimney, 0.8), (long_wall, shades[1]), (gable, shades[0])):
        canvas.paint(HOUSE, canvas.polygon(part), wall * shade * grain)


def _paint_roof(canvas: Canvas, light: Light, house: _House, shade: float) -> None:
    rng = canvas.rng
    tiles = light.tint * mix_colour(rng, (0.62, 0.28, 0.20), (0.36, 0.37, 0.42), (0.45, 0.33, 0.26))
    rows = 1 + 0.12 * canvas.grain("brick", rng.uniform(7.0, 10.0))[:, :, None]
    eave = 0.35 * house.scale
    out = house.side * eave
    top, peak = house.ground - house.tall, house.ground - house.peak
    long_side = [
        (house.corner + 0.4 * out, top + eave),
        (house.middle - 0.3 * out, peak - 0.3 * eave),
        (house.middle + house.back - house.corner, peak + 0.05 * house.skew),
        (house.back + out, top - 0.2 * house.skew + eave),
    ]
    verge = [
        (house.front - out, top + 1.2 * eave),
        (house.middle, peak),
        (house.middle, peak - 0.6 * eave),
        (house.front - 1.2 * out, top + 0.5 * eave),
    ]
    canvas.paint(HOUSE, canvas.polygon(long_side), tiles * (0.3 + 0.7 * shade) * rows)
    canvas.paint(HOUSE, canvas.polygon(verge), tiles * 0.75)


def _paint_openings(canvas: Canvas, light: Light, house: _House) -> None:
    rng = canvas.rng
    glass = mix_colour(rng, (0.20, 0.24, 0.30), (0.55, 0.62, 0.70), (0.95, 0.80, 0.45)) * light.tint
    wood = mix_colour(rng, (0.38, 0.24, 0.16), (0.20, 0.32, 0.26), (0.55, 0.16, 0.14)) * light.tint
    frame = np.array([0.92, 0.90, 0.86]) * light.tint
    scale, gable, long = house.scale, house.corner - house.front, house.back - house.corner
    door = _box(house.front + 0.62 * gable, house.ground, 0.55 * scale, 0.5 * house.tall)
    canvas.paint(HOUSE, canvas.polygon(door), wood)
    windows = [(house.front + 0.27 * gable, house.ground)]
    for share in (0.22, 0.5, 0.78):
        windows.append((house.corner + share * long, house.ground - share * house.skew))
    for x, foot in windows:
        sill = foot - 0.38 * house.tall
        outer = _box(x, sill + 0.1 * scale, 0.5 * scale, 0.36 * house.tall)
        canvas.paint(HOUSE, canvas.polygon(outer), frame)
        canvas.paint(HOUSE, canvas.polygon(_box(x, sill, 0.38 * scale, 0.3 * house.tall)), glass)


def _box(x: float, y: float, half: float, tall: float) -> list[Point]:
    """Corners of a box at (x, y)."""
    return [(x - half, y), (x - half, y - tall), (x + half, y - tall), (x + half, y)]


def paint_tree(canvas: Canvas, light: Light, x: float, y: float, scale: float) -> None:
    """A broad tree, a poplar or a fir, and the shadow it casts."""
    rng = canvas.rng
    kind = rng.choice(["broad", "poplar", "fir"], p=[0.6, 0.15, 0.25])
    tall = scale * rng.uniform(7, 12)
    trunk = scale * rng.uniform(0.2, 0.4)
    bark = mix_colour(rng, (0.34, 0.25, 0.18), (0.45, 0.40, 0.35)) * light.tint
    canvas.cast_shadow(x, y, 0.35 * tall, light)
    lean = rng.normal(0, 0.03) * tall
    stem = [
        (x - trunk, y),
        (x - 0.6 * trunk + lean, y - 0.6 * tall),
        (x + 0.6 * trunk + lean, y - 0.6 * tall),
        (x + trunk, y),
    ]
    canvas.paint(TREE, canvas.polygon(stem), bark * (1 + 0.15 * canvas.noise())[:, :, None])
    blobs = _crown(rng, str(kind), x + lean, y, tall)
    field, sunlit = _blend_blobs(canvas, blobs, light)
    raggedness = 0.25 if kind == "broad" else 0.15
    mask = field + raggedness * canvas.noise(FINE) > 0
    palette = LEAVES[:3] if kind == "fir" else LEAVES
    leaves = canvas.grain("gravel", rng.uniform(2.5, 4.5))
    shade = 1 + 0.26 * leaves + light.contrast * (0.30 * sunlit - 0.05)
    colour = mix_colour(rng, *palette) * light.tint * np.clip(shade, 0.2, None)[:, :, None]
    canvas.paint(TREE, mask, colour, softness=0.4)


def _crown(rng: np.random.Generator, kind: str, x: float, y: float, tall: float) -> Array:
    """The blobs of a crown, (N, 4): x, y, horizontal and vertical radius."""
    if kind == "poplar":
        return np.array([[x, y - 0.55 * tall, 0.11 * tall, 0.46 * tall]])
    if kind == "fir":
        steps = np.linspace(0, 1, 7)
        rows = y - (0.20 + 0.72 * steps) * tall
        across = (0.20 - 0.16 * steps) * tall
        return np.stack([np.full(7, x), rows, across, np.full(7, 0.10 * tall)], axis=1)
    count = int(rng.integers(6, 11))
    angles = rng.uniform(0, 2 * math.pi, count)
    away = np.linspace(0, 1, count) ** 0.5 * tall
    radii = rng.uniform(0.12, 0.20, count) * tall
    columns = x + 0.18 * away * np.cos(angles)
    rows = y - 0.68 * tall + 0.16 * away * np.sin(angles)
    return np.stack([columns, rows, radii, 0.9 * radii], axis=1)


def _blend_blobs(canvas: Canvas, blobs: Array, light: Light) -> tuple[Array, Array]:
    """How far inside the blobs the fine pixels are (below 0: outside), and how sunlit each is."""
    field = np.full(np.broadcast_shapes(canvas.fine_x.shape, canvas.fine_y.shape), -1e9)
    depth = np.full(canvas.labels.shape, -1e9)
    sunlit = np.zeros(canvas.labels.shape)
    for x, y, across, along in blobs:
        fine = 1 - np.hypot((canvas.fine_x - x) / across, (canvas.fine_y - y) / along)
        np.maximum(field, fine, out=field)
        dx, dy = (canvas.x - x) / across, (canvas.y - y) / along
        inside = 1 - np.hypot(dx, dy)
        facing = np.clip(0.6 * light.sun * dx - 0.8 * dy, -1.2, 1.2)
        sunlit = np.where(inside > depth, facing, sunlit)
        depth = np.maximum(depth, inside)
    return field, ndimage.gaussian_filter(sunlit, 1)


def paint_horse(canvas: Canvas, light: Light, x: float, y: float, scale: float) -> None:
    """A horse in the silhouette of the texture `horse`, and the shadow it casts."""
    rng = canvas.rng
    silhouette = canvas.textures["horse"].astype(bool)
    rows, columns = np.nonzero(silhouette)
    silhouette = silhouette[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    tall = scale * rng.uniform(1.9, 2.5)
    step = len(silhouette) / tall  # silhouette pixels per image height
    flip = float(rng.choice([-1, 1]))
    across = (canvas.fine_x - x) * step * flip + silhouette.shape[1] / 2
    down = (canvas.fine_y - y) * step + len(silhouette)
    at = np.broadcast_arrays(down, across)
    mask = ndimage.map_coordinates(silhouette.astype(np.float32), at, order=1) > 0.5
    coat = mix_colour(
        rng, (0.46, 0.27, 0.15), (0.26, 0.18, 0.14), (0.68, 0.52, 0.34), (0.72, 0.70, 0.67)
    )
    fur = canvas.grain("fur", rng.uniform(1.2, 2.2), turn=True)
    height_above = np.clip((y - canvas.y) / tall, 0, 1)
    shade = 0.78 + 0.34 * height_above + 0.14 * fur
    colour = coat * light.tint * shade[:, :, None]
    if rng.random() < 0.3:
        patch = np.clip(3 * (canvas.noise() - 0.2), 0, 1)[:, :, None]
        colour = colour + 0.9 * patch * (np.array([0.9, 0.88, 0.84]) * light.tint - colour)
    canvas.cast_shadow(x, y, 0.6 * tall, light)
    canvas.paint(HORSE, mask, colour, softness=0.4)
