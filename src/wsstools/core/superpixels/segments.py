"""An image divided into superpixels, and how alike neighbouring ones are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb

from wsstools.core.superpixels.settings import SuperpixelSettings

_BINS = 25  # of each colour
_DIFFERENCE_BINS = 10  # of each direction
_LARGEST_DIFFERENCE = 64  # grey levels; larger ones count as it
_BLUR = 0.8  # pixels, as its authors have it


@dataclass(frozen=True)
class Segments:
    """Superpixels 0..n-1 of an image, and the pairs that touch."""

    of_pixel: NDArray[np.int64]  # (H, W)
    pairs: NDArray[np.int64]  # (m, 2), the smaller number first
    likeness: NDArray[np.float64]  # (m,), in 0..1

    @cached_property
    def n(self) -> int:
        """How many there are."""
        return int(self.of_pixel.max()) + 1

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of a value of each pixel, (H, W), in each superpixel, (n,)."""
        sums = np.bincount(self.of_pixel.ravel(), values.ravel(), self.n)
        return sums.astype(np.float64)


def segments(image: NDArray[np.uint8], settings: SuperpixelSettings) -> Segments:
    """The superpixels of an image (H, W, 3).

    Two that touch are alike by exp(-|c - d|^2 / sigma_colour^2 - |s - t|^2 / sigma_texture^2), of
    their histograms of colours c, d (25 bins of red, green and blue) and of the differences to the
    next pixel s, t (10 bins of both directions); the numbers of each sum up to 1.

    References
    ----------
    Felzenszwalb and Huttenlocher, IJCV 2004; the histograms: Lin et al., CVPR 2016.
    """
    found = felzenszwalb(image, settings.scale, _BLUR, settings.min_size).astype(np.int64)
    pairs = _touching(found)
    exponent = np.zeros(len(pairs))
    for histogram, sigma in (
        (_colours(image, found), settings.sigma_colour),
        (_differences(image, found), settings.sigma_texture),
    ):
        step = histogram[pairs[:, 0]] - histogram[pairs[:, 1]]
        exponent += (step**2).sum(axis=1) / sigma**2
    return Segments(found, pairs, np.exp(-exponent))


def _touching(of_pixel: NDArray[np.int64]) -> NDArray[np.int64]:
    beside = np.stack([of_pixel[:, :-1].ravel(), of_pixel[:, 1:].ravel()], axis=1)
    below = np.stack([of_pixel[:-1].ravel(), of_pixel[1:].ravel()], axis=1)
    both = np.concatenate([beside, below])
    both = np.sort(both[both[:, 0] != both[:, 1]], axis=1)
    return np.unique(both, axis=0).reshape(-1, 2)


def _colours(image: NDArray[np.uint8], of_pixel: NDArray[np.int64]) -> NDArray[np.float64]:
    bins = image.reshape(-1, 3).astype(np.int64) * _BINS // 256
    return _histograms(list(bins.T), _BINS, of_pixel)


def _differences(image: NDArray[np.uint8], of_pixel: NDArray[np.int64]) -> NDArray[np.float64]:
    grey = image.astype(np.float64).mean(axis=2)
    found = []
    for axis in (0, 1):
        step = np.diff(grey, axis=axis, append=np.take(grey, [-1], axis=axis))
        place = (step + _LARGEST_DIFFERENCE) / (2 * _LARGEST_DIFFERENCE) * _DIFFERENCE_BINS
        found.append(np.clip(place.astype(np.int64), 0, _DIFFERENCE_BINS - 1).ravel())
    return _histograms(found, _DIFFERENCE_BINS, of_pixel)


def _histograms(
    parts: list[NDArray[np.int64]], n_bins: int, of_pixel: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, parts * n_bins): how often each superpixel has each bin, in sum 1."""
    n = int(of_pixel.max()) + 1
    counts = [
        np.bincount(of_pixel.ravel() * n_bins + part, minlength=n * n_bins).reshape(n, n_bins)
        for part in parts
    ]
    joined = np.concatenate(counts, axis=1).astype(np.float64)
    normed: NDArray[np.float64] = joined / joined.sum(axis=1, keepdims=True)
    return normed
