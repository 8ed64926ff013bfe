"""Small painted landscapes with their ground truth: the data of the demo.

Lengths are in units of the image height, x to the right and y down, so that a scene looks the same
at any size. Masks are drawn on a grid that is `FINE` times finer; their share of a pixel is the
opacity there, and a pixel takes the class of the layer that covers at least half of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.draw import polygon2mask

SCENE_CLASSES = ("sky", "mountain", "grass", "road", "house", "tree", "horse")
SKY, MOUNTAIN, GRASS, ROAD, HOUSE, TREE, HORSE = range(len(SCENE_CLASSES))
SCENE_TEXTURES = ("brick", "fur", "grass", "gravel", "horse")

FINE = 2
EYE_HEIGHT = 3.2  # metres: what stands y below the horizon line appears y / EYE_HEIGHT per metre

LEAVES = (
    (0.20, 0.36, 0.14),
    (0.34, 0.46, 0.16),
    (0.16, 0.30, 0.22),
    (0.62, 0.40, 0.14),
    (0.52, 0.22, 0.14),
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Point = tuple[float, float]


@dataclass(frozen=True)
class _Light:
    """Time of day: two sky colours, the tint of all that is lit, and where the sun stands."""

    zenith: Array
    haze: Array
    tint: Array
    sun: float  # -1: left, 1: right
    contrast: float


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


class _Canvas:
    """The picture while it is painted: colours in 0..1, labels, and the noise it shares."""

    def __init__(
        self, rng: np.random.Generator, textures: Mapping[str, NDArray], height: int, width: int
    ) -> None:
        self.rng = rng
        self.textures = textures
        self.height = height
        self.aspect = width / height
        self.image = np.zeros((height, width, 3))
        self.labels = np.full((height, width), SKY, np.uint8)
        self.x, self.y = _grid(height, width, 1)
        self.fine_x, self.fine_y = _grid(height, width, FINE)
        self._noise = _fractal(rng, (height, width))
        self._fine_noise = _fractal(rng, (FINE * height, FINE * width))

    def noise(self) -> Array:
        """Cloudy noise, (H, W), mean 0 and standard deviation 1."""
        return self._roll(self._noise)

    def fine_noise(self) -> Array:
        """The same on the fine grid."""
        return self._roll(self._fine_noise)

    def _roll(self, noise: Array) -> Array:
        shift = self.rng.integers(0, noise.shape)
        return np.roll(noise, tuple(shift), axis=(0, 1))

    def grain(self, name: str, scale: ArrayLike, turn: bool = False) -> Array:
        """A texture, (H, W), mean 0 and deviation about 1; `scale`: its pixels per pixel.

        A `scale` of shape (H, 1) gives each row its own: ground that recedes.
        """
        texture = self.textures[name].astype(float)
        texture = (texture - texture.mean()) / max(texture.std(), 1e-6)
        texture = texture.T if turn else texture
        rows = np.broadcast_to(np.asarray(scale, float), (self.height, 1))
        level = max(round(math.log2(float(np.median(rows)))), 0)
        texture = _shrink(texture, 2**level)
        rows = rows / 2**level
        start = self.rng.uniform(0, texture.shape)
        down = start[0] + np.cumsum(rows, axis=0)
        across = start[1] + (self.x - 0.5 * self.aspect) * self.height * rows
        at = np.broadcast_arrays(down, across)
        return ndimage.map_coordinates(texture, at, order=1, mode="mirror")

    def polygon(self, corners: Sequence[Point]) -> Mask:
        """The fine mask of a polygon, its corners (x, y)."""
        rows = (np.array(corners)[:, ::-1] * self.height + 0.5) * FINE - 0.5
        return polygon2mask(np.broadcast_shapes(self.fine_x.shape, self.fine_y.shape), rows)

    def paint(self, label: int, mask: Mask, colour: ArrayLike, softness: float = 0.0) -> None:
        """Cover a fine mask with a colour, (3,) or (H, W, 3); `softness` blurs its edge."""
        cover = _coverage(mask)
        self.labels[cover >= 0.5] = label
        self.tint(cover, colour, softness)

    def tint(self, cover: Array, colour: ArrayLike, softness: float = 0.0) -> None:
        """Mix a colour in, with the opacities (H, W); the labels stay."""
        cover = ndimage.gaussian_filter(cover, softness) if softness else cover
        self.image += cover[:, :, None] * (np.asarray(colour) - self.image)

    def cast_shadow(self, x: float, y: float, reach: float, light: _Light) -> None:
        """Darken the ground beside an object that stands at (x, y)."""
        x = x - 0.5 * light.sun * reach
        away = ((self.x - x) / reach) ** 2 + ((self.y - y) / (0.16 * reach + 0.004)) ** 2
        is_ground = np.isin(self.labels, (GRASS, ROAD))
        self.image *= 1 - (is_ground * 0.45 * light.contrast * np.exp(-(away**1.5)))[:, :, None]


def draw_scene(
    rng: np.random.Generator,
    textures: Mapping[str, NDArray],
    *,
    height: int = 160,
    width: int = 208,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A painted landscape and its ground truth.

    Light, season, layout and the scale of the textures differ from scene to scene, so that no
    colour alone tells a class over a set of them.

    Parameters
    ----------
    rng : numpy.random.Generator
        Same state, same scene.
    textures : mapping of arrays
        The names in `SCENE_TEXTURES`: `brick` (courses level), `fur`, `grass` and `gravel`, (H, W)
        grey of any range; `horse`, (H, W), above 0 inside the silhouette.
    height, width : int, pixels
        Size of the scene, at least 32.

    Returns
    -------
    image : (height, width, 3) uint8
    labels : (height, width) uint8
        Indices into `SCENE_CLASSES`; every pixel has one.

    Raises
    ------
    ValueError
        If a texture is missing or not (H, W), or the size is below 32.
    """
    _check(textures, height, width)
    canvas = _Canvas(rng, textures, height, width)
    light = _choose_light(rng)
    horizon = rng.uniform(0.38, 0.5)
    _paint_sky(canvas, light, horizon)
    if rng.random() < 0.85:
        _paint_mountains(canvas, light, horizon)
    if rng.random() < 0.5:
        _paint_far_trees(canvas, light, horizon)
    _paint_grass(canvas, light, horizon)
    road = None
    if rng.random() < 0.85:
        road = _paint_road(canvas, light, horizon)
    for _, paint in sorted(_place_objects(canvas, light, horizon, road), key=lambda item: item[0]):
        paint()
    return _develop(canvas, light), canvas.labels


def _check(textures: Mapping[str, NDArray], height: int, width: int) -> None:
    if min(height, width) < 32:
        raise ValueError(f"scene of {height} x {width} pixels, expected at least 32 x 32")
    for name in SCENE_TEXTURES:
        if name not in textures:
            raise ValueError(f"texture {name} is missing, expected {', '.join(SCENE_TEXTURES)}")
        if np.ndim(textures[name]) != 2:
            raise ValueError(
                f"texture {name} has shape {np.shape(textures[name])}, expected (H, W)"
            )


def _grid(height: int, width: int, fine: int) -> tuple[Array, Array]:
    """x (1, W) and y (H, 1) of the pixel centres, in units of the image height."""
    x = (np.arange(width * fine) + 0.5) / fine - 0.5
    y = (np.arange(height * fine) + 0.5) / fine - 0.5
    return x[None, :] / height, y[:, None] / height


def _fractal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Noise of all scales, (H, W), mean 0 and standard deviation 1; it tiles the plane."""
    total = np.zeros(shape)
    for octave in range(2, int(math.log2(min(shape)))):
        values = rng.standard_normal((2**octave, 2**octave)) * 0.62**octave
        rows, columns = (np.arange(size) * 2**octave / size for size in shape)
        at = np.broadcast_arrays(rows[:, None], columns)
        total += ndimage.map_coordinates(values, at, order=1, mode="grid-wrap")
    return (total - total.mean()) / total.std()


def _shrink(texture: Array, factor: int) -> Array:
    """The texture at 1 / `factor` of its size, each pixel the mean of a block."""
    height, width = (size // factor for size in texture.shape)
    blocks = texture[: height * factor, : width * factor]
    return blocks.reshape(height, factor, width, factor).mean(axis=(1, 3))


def _coverage(mask: Mask) -> Array:
    """Share of each pixel that a fine mask covers, (H, W) in 0..1."""
    height, width = mask.shape[0] // FINE, mask.shape[1] // FINE
    return mask.reshape(height, FINE, width, FINE).mean(axis=(1, 3))


def _colour(rng: np.random.Generator, *choices: tuple[float, float, float]) -> Array:
    """One of the colours, or a mixture of two of them, a little off."""
    first, second = (np.array(choices[rng.integers(len(choices))]) for _ in range(2))
    mixed = first + rng.uniform(0, 0.4) * (second - first)
    return np.clip(mixed * rng.uniform(0.85, 1.12) + rng.normal(0, 0.02, 3), 0.02, 1)


def _choose_light(rng: np.random.Generator) -> _Light:
    skies = {  # zenith, haze, tint, contrast, how often
        "noon": ((0.30, 0.52, 0.86), (0.78, 0.88, 0.96), (1.05, 1.02, 0.95), 1.0, 0.40),
        "overcast": ((0.62, 0.67, 0.73), (0.84, 0.86, 0.87), (0.88, 0.91, 0.95), 0.45, 0.20),
        "evening": ((0.42, 0.53, 0.76), (0.99, 0.80, 0.56), (1.12, 0.98, 0.82), 1.1, 0.25),
        "dusk": ((0.29, 0.28, 0.50), (0.93, 0.60, 0.55), (0.80, 0.73, 0.82), 0.7, 0.15),
    }
    chance = [sky[-1] for sky in skies.values()]
    zenith, haze, tint, contrast, _ = list(skies.values())[rng.choice(len(skies), p=chance)]
    return _Light(
        zenith=np.clip(np.array(zenith) + rng.normal(0, 0.035, 3), 0, 1),
        haze=np.clip(np.array(haze) + rng.normal(0, 0.025, 3), 0, 1),
        tint=np.array(tint) * rng.uniform(0.9, 1.05),
        sun=float(rng.choice([-1, 1])),
        contrast=contrast,
    )


def _paint_sky(canvas: _Canvas, light: _Light, horizon: float) -> None:
    rng = canvas.rng
    fade = np.clip(canvas.y / (horizon + 0.05), 0, 1)[:, :, None] ** rng.uniform(0.7, 1.4)
    canvas.image[:] = light.zenith + fade * (light.haze - light.zenith)
    sun_x = canvas.aspect * (0.5 + 0.4 * light.sun)
    glow = np.exp(-4 * np.hypot(canvas.x - sun_x, 1.5 * (canvas.y - 0.7 * horizon)))
    canvas.tint(0.5 * light.contrast * glow, np.minimum(light.haze * 1.12 + 0.06, 1))
    cloud = canvas.noise() + 0.5 * ndimage.gaussian_filter1d(canvas.noise(), 6, axis=1)
    cover = np.clip((cloud - rng.uniform(-0.3, 1.4)) * 0.9, 0, 1) * rng.uniform(0.45, 0.9)
    canvas.tint(cover, np.minimum(0.55 * light.haze + 0.45, 1))


def _ridge(canvas: _Canvas, base: float, rise: float, roughness: float) -> Array:
    """Height of a skyline, (1, fine W), as y; it stands `rise` above `base` on average."""
    rng = canvas.rng
    x = canvas.fine_x / canvas.aspect
    line = np.zeros_like(x)
    for octave in range(6):
        count = 3 * 2**octave
        knots = rng.standard_normal(count + 2)
        line += np.interp(x * count, np.arange(count + 2), knots) * roughness**octave
    return base - rise * np.clip(1 + 0.55 * line, 0.1, None)


def _paint_mountains(canvas: _Canvas, light: _Light, horizon: float) -> None:
    rng = canvas.rng
    rock = _colour(rng, (0.36, 0.38, 0.46), (0.45, 0.39, 0.34), (0.33, 0.40, 0.33))
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


def _paint_far_trees(canvas: _Canvas, light: _Light, horizon: float) -> None:
    rng = canvas.rng
    bumps = np.abs(_ridge(canvas, 0.0, 1.0, 0.75))
    skyline = horizon + 0.03 - rng.uniform(0.02, 0.045) * bumps
    present = np.interp(canvas.fine_x[0], *_knots(rng, canvas.aspect))
    leaves = _colour(rng, *LEAVES) * light.tint * 0.8
    shade = 1 + 0.22 * canvas.grain("gravel", 4)
    colour = leaves * shade[:, :, None] * 0.75 + 0.25 * light.haze
    canvas.paint(TREE, (canvas.fine_y > skyline) & (present > 0), colour)


def _knots(rng: np.random.Generator, aspect: float) -> tuple[Array, Array]:
    return np.linspace(0, aspect, 6), rng.normal(0.3, 1, 6)


def _depth(canvas: _Canvas, horizon: float) -> Array:
    """0 at the horizon, 1 at the lower border, (H, 1)."""
    return np.clip((canvas.y - horizon) / (1 - horizon), 0, 1)


def _paint_grass(canvas: _Canvas, light: _Light, horizon: float) -> None:
    rng = canvas.rng
    base = _colour(
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


def _scatter_flowers(canvas: _Canvas, light: _Light, horizon: float) -> None:
    rng = canvas.rng
    if rng.random() < 0.5:
        return
    petals = _colour(rng, (0.95, 0.85, 0.25), (0.92, 0.92, 0.95), (0.80, 0.22, 0.20))
    depth = _depth(canvas, horizon)
    chance = 0.05 * np.clip(canvas.noise() - 0.3, 0, 1) * depth
    cover = (rng.random(canvas.labels.shape) < chance).astype(float)
    canvas.tint(0.8 * cover, petals * light.tint)


def _paint_road(canvas: _Canvas, light: _Light, horizon: float) -> _Road:
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
    base = _colour(rng, *(greys if is_paved else earths))
    depth = np.clip((canvas.fine_y - horizon) / (1 - horizon), 0, 1)
    wobble = (0.02 if is_paved else 0.12) * canvas.fine_noise()
    offset = (canvas.fine_x - road.centre(depth)) / road.reach(depth)
    mask = (np.abs(offset) + wobble < 1) & (canvas.fine_y > horizon + 0.012)
    mask &= np.repeat(np.repeat(canvas.labels == GRASS, FINE, axis=0), FINE, axis=1)
    near = _depth(canvas, horizon)
    stones = canvas.grain("gravel", rng.uniform(1.6, 3.2) / (0.45 + near))
    shade = 1 + (0.05 if is_paved else 0.04 + 0.12 * near) * stones + 0.05 * canvas.noise()
    colour = base * light.tint * shade[:, :, None]
    canvas.paint(ROAD, mask, colour, softness=0.5 if is_paved else 0.9)
    if is_paved:
        dashes = np.sin(26 / (0.12 + depth)) > -0.2
        line = mask & (np.abs(offset) < 0.035) & dashes
        canvas.tint(0.8 * _coverage(line), np.array([0.93, 0.91, 0.80]) * light.tint)
    elif rng.random() < 0.5:
        strip = 0.55 * _coverage(mask & (np.abs(offset) + 0.5 * wobble < 0.16))
        canvas.tint(strip, np.array([0.40, 0.46, 0.22]) * light.tint)
    return road


def _place_objects(
    canvas: _Canvas, light: _Light, horizon: float, road: _Road | None
) -> list[tuple[float, Callable[[], None]]]:
    """The y at which each object stands, and the call that paints it."""
    rng = canvas.rng
    n_houses = int(rng.choice(3, p=[0.12, 0.48, 0.40]))
    n_trees = int(rng.integers(1, 5))
    n_horses = int(rng.choice(4, p=[0.12, 0.30, 0.30, 0.28]))
    objects: list[tuple[float, Callable[[], None]]] = []
    taken: list[tuple[float, float]] = []
    for paint, count, low, high, metres in (
        (_paint_house, n_houses, 0.08, 0.17, 11),
        (_paint_tree, n_trees, 0.06, 0.20, 5),
        (_paint_horse, n_horses, 0.22, 0.50, 2.4),
    ):
        for _ in range(count):
            obstacle = None if paint is _paint_horse else road
            x, below = _free_place(canvas, horizon, obstacle, taken, (low, high), metres)
            scale = below / EYE_HEIGHT  # image heights per metre
            taken.append((x, 0.38 * metres * scale))
            call = partial(paint, canvas, light, x, horizon + below, scale)
            objects.append((horizon + below, call))
    return objects


def _free_place(
    canvas: _Canvas,
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


@dataclass(frozen=True)
class _House:
    """A house seen over its corner; `side` is where the long wall lies, -1 left or 1 right."""

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


def _paint_house(canvas: _Canvas, light: _Light, x: float, y: float, scale: float) -> None:
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


def _paint_walls(
    canvas: _Canvas, light: _Light, house: _House, shades: tuple[float, float]
) -> None:
    rng = canvas.rng
    wall = light.tint * _colour(
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


def _paint_roof(canvas: _Canvas, light: _Light, house: _House, shade: float) -> None:
    rng = canvas.rng
    tiles = light.tint * _colour(rng, (0.62, 0.28, 0.20), (0.36, 0.37, 0.42), (0.45, 0.33, 0.26))
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


def _paint_openings(canvas: _Canvas, light: _Light, house: _House) -> None:
    rng = canvas.rng
    glass = _colour(rng, (0.20, 0.24, 0.30), (0.55, 0.62, 0.70), (0.95, 0.80, 0.45)) * light.tint
    wood = _colour(rng, (0.38, 0.24, 0.16), (0.20, 0.32, 0.26), (0.55, 0.16, 0.14)) * light.tint
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
    """Corners of a box that stands at (x, y)."""
    return [(x - half, y), (x - half, y - tall), (x + half, y - tall), (x + half, y)]


def _paint_tree(canvas: _Canvas, light: _Light, x: float, y: float, scale: float) -> None:
    rng = canvas.rng
    kind = rng.choice(["broad", "poplar", "fir"], p=[0.6, 0.15, 0.25])
    tall = scale * rng.uniform(7, 12)
    trunk = scale * rng.uniform(0.2, 0.4)
    bark = _colour(rng, (0.34, 0.25, 0.18), (0.45, 0.40, 0.35)) * light.tint
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
    mask = field + raggedness * canvas.fine_noise() > 0
    palette = LEAVES[:3] if kind == "fir" else LEAVES
    leaves = canvas.grain("gravel", rng.uniform(2.5, 4.5))
    shade = 1 + 0.26 * leaves + light.contrast * (0.30 * sunlit - 0.05)
    colour = _colour(rng, *palette) * light.tint * np.clip(shade, 0.2, None)[:, :, None]
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


def _blend_blobs(canvas: _Canvas, blobs: Array, light: _Light) -> tuple[Array, Array]:
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


def _paint_horse(canvas: _Canvas, light: _Light, x: float, y: float, scale: float) -> None:
    rng = canvas.rng
    silhouette = canvas.textures["horse"] > 0
    rows, columns = np.nonzero(silhouette)
    silhouette = silhouette[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    tall = scale * rng.uniform(1.9, 2.5)
    step = len(silhouette) / tall  # silhouette pixels per image height
    flip = float(rng.choice([-1, 1]))
    across = (canvas.fine_x - x) * step * flip + silhouette.shape[1] / 2
    down = (canvas.fine_y - y) * step + len(silhouette)
    at = np.broadcast_arrays(down, across)
    mask = ndimage.map_coordinates(silhouette.astype(np.float32), at, order=1) > 0.5
    coat = _colour(
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


def _develop(canvas: _Canvas, light: _Light) -> NDArray[np.uint8]:
    """The picture as a camera gives it: soft, with grain and darker corners, in 0..255."""
    rng = canvas.rng
    image = ndimage.gaussian_filter(canvas.image, (*[rng.uniform(0.2, 0.42)] * 2, 0))
    centre = np.hypot(canvas.x / canvas.aspect - 0.5, canvas.y - 0.5)
    image *= (1 - rng.uniform(0, 0.35) * centre**2)[:, :, None]
    image = np.clip(image, 0, 1) ** rng.uniform(0.85, 1.1)
    image += rng.normal(0, rng.uniform(0.004, 0.012), image.shape)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
