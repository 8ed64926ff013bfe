"""Images and maps that the benchmarks of the regularizers share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from skimage import data, transform

from wsstools.formats.image_files import decode_image
from wsstools.formats.map_files import decode_map

SHAPE = (375, 500)
SMALLEST_SHAPE = (60, 80)
PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")
"""Photos that scikit-image brings along."""


def photo(name: str, shape: tuple[int, int] = SHAPE) -> NDArray[np.uint8]:
    image = transform.resize(_loaded(name)[:, :, :3], shape, anti_aliasing=True)
    return np.rint(image * 255).astype(np.uint8)


@cache
def _loaded(name: str) -> NDArray[np.uint8]:
    return getattr(data, name)()


def colour_probs(image: NDArray[np.uint8], n_classes: int) -> NDArray[np.float32]:
    """Probabilities that fall with the distance to the means of k-means, with noise."""
    rng = np.random.default_rng(0)
    pixels = image.reshape(-1, 3) / 255.0
    means, _ = kmeans2(pixels[::37], n_classes, minit="++", rng=rng)
    squared = ((pixels[:, None] - means) ** 2).sum(axis=2).T.reshape(n_classes, *image.shape[:2])
    logits = -8 * squared + rng.normal(0, 0.5, squared.shape)
    probs = np.exp(logits - logits.max(axis=0))
    return np.ascontiguousarray(probs / probs.sum(axis=0), np.float32)


def few_of_many(image: NDArray[np.uint8], n_strong: int, n_classes: int) -> NDArray[np.float32]:
    """A map of many classes of which a few occur, as networks give."""
    rng = np.random.default_rng(1)
    probs = rng.uniform(0, 5e-4, (n_classes, *image.shape[:2])).astype(np.float32)
    strong = np.linspace(0, n_classes - 1, n_strong).astype(int)
    probs[strong] = 0
    probs[strong] = colour_probs(image, n_strong) * (1 - probs.sum(axis=0))
    return probs


def maps_of(
    maps: Path, images: Path, every: int
) -> Iterator[tuple[str, NDArray[np.float32], NDArray]]:
    """Name, probabilities (K, H, W) and image of each so many-th map of a folder."""
    by_stem = {path.stem: path for path in images.iterdir()}
    for path in sorted(maps.glob("*.npz"))[::every]:
        probs = np.asarray(decode_map(path.read_bytes(), path.name).value.probs, np.float32)
        image = decode_image(by_stem[path.stem].read_bytes(), path.stem).value
        yield path.stem, probs, image


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
