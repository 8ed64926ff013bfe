"""The canvas of a drawn scene: its light, noise, textures, and the painting of masks.

Lengths are in units of the image height, x to the right and y down, so that a scene looks the same
at any size. Masks are drawn on a grid that is `FINE` times finer; their share of a pixel is the
opacity there, and a pixel takes the class of the layer that covers at least half of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.draw import polygon2mask

from wsstools.core.arrays import AnyArray

SCENE_CLASSES = ("sky", "mountain", "grass", "road", "house", "tree", "horse")
SKY, MOUNTAIN, GRASS, ROAD, HOUSE, TREE, HORSE = range(len(SCENE_CLASSES))

FINE = 2

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Point = tuple[float, float]


@dataclass(frozen=True)
class Light:
    """Time of day: two sky colours, the tint of all that is lit, and where the sun is."""

    zenith: Array
    haze: Array
    tint: Array
    sun: float  # -1: left, 1: right
    contrast: float


def choose_light(rng: np.random.Generator) -> Light:
    """One of four times of day, a little off."""
    skies = (  # zenith, haze, tint, contrast, how often
        ((0.30, 0.52, 0.86), (0.78, 0.88, 0.96), (1.05, 1.02, 0.95), 1.0, 0.40),  # noon
        ((0.62, 0.67, 0.73), (0.84, 0.86, 0.87), (0.88, 0.91, 0.95), 0.45, 0.20),  # overcast
        ((0.42, 0.53, 0.76), (0.99, 0.80, 0.56), (1.12, 0.98, 0.82), 1.1, 0.25),  # evening
        ((0.29, 0.28, 0.50), (0.93, 0.60, 0.55), (0.80, 0.73, 0.82), 0.7, 0.15),  # dusk
    )
    chance = [sky[-1] for sky in skies]
    zenith, haze, tint, contrast, _ = skies[rng.choice(len(skies), p=chance)]
    return Light(
        zenith=np.clip(np.array(zenith) + rng.normal(0, 0.035, 3), 0, 1),
        haze=np.clip(np.array(haze) + rng.normal(0, 0.025, 3), 0, 1),
        tint=np.array(tint) * rng.uniform(0.9, 1.05),
        sun=float(rng.choice([-1, 1])),
        contrast=contrast,
    )


class Canvas:
    """The picture while it is painted: colours in 0..1, labels, and the noise it shares."""

    def __init__(
        self, rng: np.random.Generator, textures: Mapping[str, AnyArray], height: int, width: int
    ) -> None:
        self.rng = rng
        self.textures = textures
        self.height = height
        self.aspect = width / height
        self.image = np.zeros((height, width, 3))
        self.labels = np.full((height, width), SKY, np.uint8)
        self.x, self.y = _grid(height, width, 1)
        self.fine_x, self.fine_y = _grid(height, width, FINE)
        self._noise = {k: _fractal(rng, (k * height, k * width)) for k in (1, FINE)}

    def noise(self, fine: int = 1) -> Array:
        """Cloudy noise, mean 0 and standard deviation 1: (H, W), or of the fine grid for FINE."""
        noise = self._noise[fine]
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
        grain: Array = ndimage.map_coordinates(texture, at, order=1, mode="mirror")
        return grain

    def polygon(self, corners: Sequence[Point]) -> Mask:
        """The fine mask of a polygon, its corners (x, y)."""
        rows = (np.array(corners)[:, ::-1] * self.height + 0.5) * FINE - 0.5
        size = np.broadcast_shapes(self.fine_x.shape, self.fine_y.shape)
        mask: Mask = polygon2mask(size, rows)
        return mask

    def paint(self, label: int, mask: Mask, colour: ArrayLike, softness: float = 0.0) -> None:
        """Cover a fine mask with a colour, (3,) or (H, W, 3); `softness` blurs its edge."""
        cover = coverage(mask)
        self.labels[cover >= 0.5] = label
        self.tint(cover, colour, softness)

    def tint(self, cover: Array, colour: ArrayLike, softness: float = 0.0) -> None:
        """Mix a colour in, with the opacities (H, W); the labels stay."""
        cover = ndimage.gaussian_filter(cover, softness) if softness else cover
        self.image += cover[:, :, None] * (np.asarray(colour) - self.image)

    def cast_shadow(self, x: float, y: float, reach: float, light: Light) -> None:
        """Darken the ground beside an object at (x, y)."""
        x = x - 0.5 * light.sun * reach
        away = ((self.x - x) / reach) ** 2 + ((self.y - y) / (0.16 * reach + 0.004)) ** 2
        is_ground = np.isin(self.labels, (GRASS, ROAD))
        self.image *= 1 - (is_ground * 0.45 * light.contrast * np.exp(-(away**1.5)))[:, :, None]


def develop(canvas: Canvas) -> NDArray[np.uint8]:
    """The picture as a camera gives it: soft, with grain and darker corners, in 0..255."""
    rng = canvas.rng
    image = ndimage.gaussian_filter(canvas.image, (*[rng.uniform(0.2, 0.42)] * 2, 0))
    centre = np.hypot(canvas.x / canvas.aspect - 0.5, canvas.y - 0.5)
    image *= (1 - rng.uniform(0, 0.35) * centre**2)[:, :, None]
    image = np.clip(image, 0, 1) ** rng.uniform(0.85, 1.1)
    image += rng.normal(0, rng.uniform(0.004, 0.012), image.shape)
    levels: Array = np.rint(255 * np.clip(image, 0, 1))
    return levels.astype(np.uint8)


def coverage(mask: Mask) -> Array:
    """Share of each pixel that a fine mask covers, (H, W) in 0..1."""
    height, width = mask.shape[0] // FINE, mask.shape[1] // FINE
    share: Array = mask.reshape(height, FINE, width, FINE).mean(axis=(1, 3))
    return share


def mix_colour(rng: np.random.Generator, *choices: tuple[float, float, float]) -> Array:
    """One of the colours, or a mixture of two of them, a little off."""
    first, second = (np.array(choices[rng.integers(len(choices))]) for _ in range(2))
    mixed: Array = first + rng.uniform(0, 0.4) * (second - first)
    mixed = mixed * rng.uniform(0.85, 1.12) + rng.normal(0, 0.02, 3)
    return np.clip(mixed, 0.02, 1)


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
    noise: Array = (total - total.mean()) / total.std()
    return noise


def _shrink(texture: Array, factor: int) -> Array:
    """The texture at 1 / `factor` of its size, each pixel the mean of a block."""
    height, width = (size // factor for size in texture.shape)
    blocks = texture[: height * factor, : width * factor]
    shrunk: Array = blocks.reshape(height, factor, width, factor).mean(axis=(1, 3))
    return shrunk
