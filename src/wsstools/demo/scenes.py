"""Small painted landscapes with their ground truth: the data of the demo.

Here the land is laid out and painted, from the sky to the road, and a place is found for all that
is on it. Lengths are in units of the image height; see `wsstools.demo.canvas`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from wsstools.core.arrays import AnyArray
from wsstools.demo.canvas import (
    FINE,
    GRASS,
    MOUNTAIN,
    ROAD,
    SCENE_CLASSES,
    TREE,
    Array,
    Canvas,
    Light,
    choose_light,
    coverage,
    develop,
    mix_colour,
)
from wsstools.demo.objects import LEAVES, paint_horse, paint_house, paint_tree

__all__ = ["SCENE_CLASSES", "SCENE_TEXTURES", "draw_scene"]

SCENE_TEXTURES = ("brick", "fur", "grass", "gravel", "horse")

EYE_HEIGHT = 3.2  # metres: what is y below the horizon line appears y / EYE_HEIGHT per metre


@dataclass(frozen=True)
class _Road:
    """A road that runs from the horizon to the lower border."""

    start: float
    end: float
    bend: float
    half_width: float

    def centre(self, depth: ArrayLike) -> Array:
        depth = np.asarray(depth)
        sway = self.bend * np.sin(2 * math.pi * depth**0.6) * depth**0.5 * (1 - 0.5 * depth)
        return self.start + (self.end - self.start) * depth + sway

    def reach(self, depth: ArrayLike) -> Array:
        return 0.006 + self.half_width * np.asarray(depth) ** 1.2


def draw_scene(
    rng: np.random.Generator,
    textures: Mapping[str, AnyArray],
    *,
    height: int = 160,
    width: int = 208,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A painted landscape, (height, width, 3) uint8, and its ground truth, (height, width) uint8.

    Light, season, layout and the scale of the textures differ from scene to scene, so that no
    colour alone identifies a class over a set of them. The ground truth has an index into
    `SCENE_CLASSES` at every pixel.

    The textures have the names in `SCENE_TEXTURES`: `brick` (courses level), `fur`, `grass` and
    `gravel`, (H, W) grey of any range; `horse`, (H, W), above 0 inside the silhouette.
    """
    _check(textures, height, width)
    canvas = Canvas(rng, textures, height, width)
    light = choose_light(rng)
    horizon = rng.uniform(0.38, 0.5)
    _paint_sky(canvas, light, horizon)
    if rng.random() < 0.85:
        _paint_mountains(canvas, light, horizon)
    if rng.random() < 0.5:
        _paint_far_trees(canvas, light, horizon)
    _paint_grass(canvas, light, horizon)
    road = _paint_road(canvas, light, horizon) if rng.random() < 0.85 else None
    for _, paint in sorted(_place_objects(canvas, light, horizon, road), key=lambda item: item[0]):
        paint()
    return develop(canvas), canvas.labels


def _check(textures: Mapping[str, AnyArray], height: int, width: int) -> None:
    if min(height, width) < 32:
        raise ValueError(f"scene of {height} x {width} pixels, expected at least 32 x 32")
    for name in SCENE_TEXTURES:
        if name not in textures:
            raise ValueError(f"texture {name} is missing, expected {', '.join(SCENE_TEXTURES)}")
        if np.ndim(textures[name]) != 2:
            raise ValueError(
                f"texture {name} has shape {np.shape(textures[name])}, expected (H, W)"
            )


def _paint_sky(canvas: Canvas, light: Light, horizon: float) -> None:
    rng = canvas.rng
    fade = np.clip(canvas.y / (horizon + 0.05), 0, 1)[:, :, None] ** rng.uniform(0.7, 1.4)
    canvas.image[:] = light.zenith + fade * (light.haze - light.zenith)
    sun_x = canvas.aspect * (0.5 + 0.4 * light.sun)
    glow = np.exp(-4 * np.hypot(canvas.x - sun_x, 1.5 * (canvas.y - 0.7 * horizon)))
    canvas.tint(0.5 * light.contrast * glow, np.minimum(light.haze * 1.12 + 0.06, 1))
    cloud = canvas.noise() + 0.5 * ndimage.gaussian_filter1d(canvas.noise(), 6, axis=1)
    cover = np.clip((cloud - rng.uniform(-0.3, 1.4)) * 0.9, 0, 1) * rng.uniform(0.45, 0.9)
    canvas.tint(cover, np.minimum(0.55 * light.haze + 0.45, 1))


def _ridge(canvas: Canvas, base: float, rise: float, roughness: float) -> Array:
    """Height of a skyline, (1, fine W), as y; it is `rise` above `base` on average."""
    rng = canvas.rng
    x = canvas.fine_x / canvas.aspect
    line = np.zeros_like(x)
    for octave in range(6):
        count = 3 * 2**octave
        knots = rng.standard_normal(count + 2)
        line += np.interp(x * count, np.arange(count + 2), knots) * roughness**octave
    return base - rise * np.clip(1 + 0.55 * line, 0.1, None)


def _paint_mountains(canvas: Canvas, light: Light, horizon: float) -> None:
    rng = canvas.rng
    rock = mix_colour(rng, (0.36, 0.38, 0.46), (0.45, 0.39, 0.34), (0.33, 0.40, 0.33))
    n_ridges = int(rng.integers(1, 3))
    is_snowy = rng.random() < 0.35
    for index in range(n_ridges):
        nearness = (index + 1) / n_ridges
        rise = rng.uniform(0.13, 0.24) * (1.25 - 0.45 * nearness)
        skyline = _ridge(canvas, horizon + 0.01, rise, rng.uniform(0.42, 0.55))
        relief = canvas.noise() + 0.5 * canvas.grain("gravel", 5)
        slope = np.gradient(ndimage.gaussian_filter(canvas.noise(), 1.5), axis=1) * light.sun
        shade = 1 + light.contrast * (0.1 * relief + 0.9 * slope)
        colour = np.clip(rock * light.tint * shade[:, :, None], 0, 1)
        if is_snowy and index == 0:
            snow_line = horizon - rise * rng.uniform(0.8, 1.2) + 0.03 * canvas.noise()
            snow = np.clip((snow_line - canvas.y) * 40, 0, 1) * np.clip(0.9 + 1.5 * slope, 0, 1)
            colour += snow[:, :, None] * (np.array([0.95, 0.96, 1.0]) * light.tint - colour)
        haze = rng.uniform(0.2, 0.5) * (1.3 - 0.7 * nearness)
        colour += haze * (light.haze - colour)
        canvas.paint(MOUNTAIN, canvas.fine_y > skyline, colour, softness=0.6)


def _paint_far_trees(canvas: Canvas, light: Light, horizon: float) -> None:
    rng = canvas.rng
    bumps = np.abs(_ridge(canvas, 0.0, 1.0, 0.75))
    skyline = horizon + 0.03 - rng.uniform(0.02, 0.045) * bumps
    present = np.interp(canvas.fine_x[0], np.linspace(0, canvas.aspect, 6), rng.normal(0.3, 1, 6))
    leaves = mix_colour(rng, *LEAVES) * light.tint * 0.8
    shade = 1 + 0.22 * canvas.grain("gravel", 4)
    colour = leaves * shade[:, :, None] * 0.75 + 0.25 * light.haze
    canvas.paint(TREE, (canvas.fine_y > skyline) & (present > 0), colour)


def _depth(y: Array, horizon: float) -> Array:
    """0 at the horizon, 1 at the lower border, in the shape of y."""
    return np.clip((y - horizon) / (1 - horizon), 0, 1)


def _paint_grass(canvas: Canvas, light: Light, horizon: float) -> None:
    rng = canvas.rng
    base = mix_colour(
        rng, (0.36, 0.50, 0.18), (0.48, 0.55, 0.22), (0.66, 0.58, 0.30), (0.28, 0.42, 0.20)
    )
    dry = base * (1.25, 1.08, 0.75)
    n_hills = int(rng.integers(1, 4))
    coarseness = rng.uniform(1.3, 2.4)
    for index in range(n_hills):
        top = horizon + (0.0, 0.05, 0.17)[index] * rng.uniform(0.7, 1.3)
        skyline = _ridge(canvas, top, 0.012 + 0.012 * index, 0.3)
        depth = np.clip((canvas.y - top) / (1 - horizon), 0, 1)
        blades = canvas.grain("grass", coarseness / (0.45 + depth))
        patches = np.clip(0.5 + 0.45 * canvas.noise(), 0, 1)[:, :, None]
        colour = base * rng.uniform(0.85, 1.15) + patches * (dry - base) * 0.6
        shade = 1 + (0.07 + 0.16 * depth) * blades + 0.10 * (depth - 0.5) - 0.06 * index
        colour = colour * light.tint * shade[:, :, None]
        haze = (0.30 * (1 - depth) ** 3)[:, :, None]
        canvas.paint(GRASS, canvas.fine_y > skyline, colour + haze * (light.haze - colour), 0.5)
    _scatter_flowers(canvas, light, horizon)


def _scatter_flowers(canvas: Canvas, light: Light, horizon: float) -> None:
    rng = canvas.rng
    if rng.random() < 0.5:
        return
    petals = mix_colour(rng, (0.95, 0.85, 0.25), (0.92, 0.92, 0.95), (0.80, 0.22, 0.20))
    chance = 0.05 * np.clip(canvas.noise() - 0.3, 0, 1) * _depth(canvas.y, horizon)
    cover = (rng.random(canvas.labels.shape) < chance).astype(float)
    canvas.tint(0.8 * cover, petals * light.tint)


def _paint_road(canvas: Canvas, light: Light, horizon: float) -> _Road:
    rng = canvas.rng
    road = _Road(
        start=canvas.aspect * rng.uniform(0.25, 0.75),
        end=canvas.aspect * rng.uniform(0.2, 0.8),
        bend=rng.uniform(0.05, 0.3) * rng.choice([-1, 1]),
        half_width=rng.uniform(0.16, 0.32),
    )
    is_paved = rng.random() < 0.45
    greys = ((0.42, 0.42, 0.44), (0.34, 0.34, 0.37))
    earths = ((0.66, 0.56, 0.43), (0.58, 0.45, 0.34), (0.62, 0.60, 0.55))
    base = mix_colour(rng, *(greys if is_paved else earths))
    depth, near = _depth(canvas.fine_y, horizon), _depth(canvas.y, horizon)
    wobble = (0.02 if is_paved else 0.12) * canvas.noise(FINE)
    offset = (canvas.fine_x - road.centre(depth)) / road.reach(depth)
    mask = (np.abs(offset) + wobble < 1) & (canvas.fine_y > horizon + 0.012)
    mask &= np.repeat(np.repeat(canvas.labels == GRASS, FINE, axis=0), FINE, axis=1)
    stones = canvas.grain("gravel", rng.uniform(1.6, 3.2) / (0.45 + near))
    shade = 1 + (0.05 if is_paved else 0.04 + 0.12 * near) * stones + 0.05 * canvas.noise()
    colour = base * light.tint * shade[:, :, None]
    canvas.paint(ROAD, mask, colour, softness=0.5 if is_paved else 0.9)
    if is_paved:
        dashes = np.sin(26 / (0.12 + depth)) > -0.2
        line = mask & (np.abs(offset) < 0.035) & dashes
        canvas.tint(0.8 * coverage(line), np.array([0.93, 0.91, 0.80]) * light.tint)
    elif rng.random() < 0.5:
        strip = 0.55 * coverage(mask & (np.abs(offset) + 0.5 * wobble < 0.16))
        canvas.tint(strip, np.array([0.40, 0.46, 0.22]) * light.tint)
    return road


def _place_objects(
    canvas: Canvas, light: Light, horizon: float, road: _Road | None
) -> list[tuple[float, Callable[[], None]]]:
    """The y of each object, and the call that paints it."""
    rng = canvas.rng
    n_houses = int(rng.choice(3, p=[0.12, 0.48, 0.40]))
    n_trees = int(rng.integers(1, 5))
    n_horses = int(rng.choice(4, p=[0.12, 0.30, 0.30, 0.28]))
    objects: list[tuple[float, Callable[[], None]]] = []
    taken: list[tuple[float, float]] = []
    for paint, count, low, high, metres in (
        (paint_house, n_houses, 0.08, 0.17, 11),
        (paint_tree, n_trees, 0.06, 0.20, 5),
        (paint_horse, n_horses, 0.22, 0.50, 2.4),
    ):
        for _ in range(count):
            obstacle = None if paint is paint_horse else road
            x, below = _free_place(canvas, horizon, obstacle, taken, (low, high), metres)
            scale = below / EYE_HEIGHT  # image heights per metre
            taken.append((x, 0.38 * metres * scale))
            call = partial(paint, canvas, light, x, horizon + below, scale)
            objects.append((horizon + below, call))
    return objects


def _free_place(
    canvas: Canvas,
    horizon: float,
    road: _Road | None,
    taken: list[tuple[float, float]],
    limits: tuple[float, float],
    metres: float,
) -> tuple[float, float]:
    """x, and y below the horizon, where an object of that breadth fits, or any place if none."""
    for _ in range(40):
        below = canvas.rng.uniform(*limits)
        x = canvas.rng.uniform(0.02, 0.98) * canvas.aspect
        half = 0.5 * metres * below / EYE_HEIGHT
        depth = below / (1 - horizon)
        is_on_road = road is not None and abs(x - road.centre(depth)) < road.reach(depth) + half
        if not is_on_road and all(abs(x - other) > half + reach for other, reach in taken):
            break
    return x, below
