"""GrabCut: the object in a box by models of its colours and those around it."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from wsstools.core.boxes.box import Box
from wsstools.core.minimum_cut import minimum_cut

_JITTER = 0.05
"""Share of its sides by which a box is moved, at most; our choice."""
_MARGIN = (0.1, 0.6)
"""Share of the box's sides that is seen around it, least and most; our choice."""
_LARGEST_SIDE = 128
"""Pixels of what is cut; larger parts of an image are averaged in blocks. Bounds the time."""
_ITERATIONS = 3
_COMPONENTS = 5
"""Gaussians of the object, and of what is around it (Rother et al.)."""
_EM_STEPS = 5
"""Of expectation and maximization in each iteration, which go on from those before."""
_SAMPLES = 1000
"""Most pixels that a mixture is fitted to, spread evenly."""
_LEAST_PIXELS = 4 * _COMPONENTS
"""A mixture of fewer says nothing."""
_LEAST_SPREAD = 2.0
"""Standard deviation that is added to colours, grey levels."""
_GAMMA = 50.0
"""Price of a border between neighbours of equal colours (Rother et al.)."""
_SIDE_OF_GAMMA = 800
"""Pixels of the longer side of a picture in which that is the price. In a smaller one it is less in
proportion: a part twice as large has borders twice as long and four times the pixels."""
_LARGEST_COST = 8 * _GAMMA
"""More than all borders of a pixel cost: a pixel of such a cost keeps its side."""
_UNITS = 100
"""The flow counts whole units: hundredths of the energy."""


def foreground_share(
    image: NDArray[np.uint8] | NDArray[np.float32], box: Box, *, runs: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The share of runs of GrabCut in which each pixel of a box is the object's, (h, w) in 0..1.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32, in 0..255
    box : Box
        In the image.
    runs : int
        Each takes other borders of the box, up to 5 % of its sides away, and another margin around
        it, 10 to 60 %.
    rng : Generator
        What chooses these, and the first guess of the Gaussians.

    Notes
    -----
    Where fewer than 20 pixels are around the box in the image, nothing is the object's.

    References
    ----------
    A. Khoreva et al.: Simple Does It, CVPR 2017 (about 150 runs, and learned edges, which are not
    used here).
    """
    votes = np.zeros(box.shape)
    for _ in range(runs):
        votes += _segment(image, box, rng)
    return votes / runs


def grabcut(
    colours: NDArray[np.float64], inside: NDArray[np.bool_], *, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """The object among the pixels `inside`, (H, W) bool; False everywhere where it cannot be found.

    Parameters
    ----------
    colours : (H, W, C) float64
        In 0..255.
    inside : (H, W) bool
        Pixels that may be the object's; the others show what it is not.
    rng : Generator
        Of the first guess of the Gaussians.

    Notes
    -----
    Minimizes, in turn over two mixtures of Gaussians p and the segment M, with 8 neighbours,

        E = sum_i -log p(I_i | M_i) + gamma sum_ij [M_i != M_j] exp(-beta |I_i - I_j|^2) / |i - j|

    where beta is 1 / (2 mean |I_i - I_j|^2) and gamma 50 max(H, W) / 800, by a minimum cut.
    Gaussians are fitted to shares of pixels (EM), where Rother et al. give each pixel to one.

    References
    ----------
    C. Rother, V. Kolmogorov, A. Blake: GrabCut, SIGGRAPH 2004.
    """
    pixels = colours.reshape(-1, colours.shape[2])
    borders = _border_prices(colours)
    mixtures = [_mixture(rng) for _ in range(2)]
    segment = inside
    for _ in range(_ITERATIONS):
        if min(segment.sum(), (~segment).sum()) < _LEAST_PIXELS:
            return np.zeros_like(inside)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps are what is wanted
            for mixture, part in zip(mixtures, (segment, ~segment), strict=True):
                own = pixels[part.ravel()]
                mixture.fit(own[:: math.ceil(len(own) / _SAMPLES)])
            gains = np.subtract(*(mixture.score_samples(pixels) for mixture in mixtures))
        gains = np.where(inside, gains.reshape(inside.shape), -_LARGEST_COST)
        segment = _cut(np.clip(gains, -_LARGEST_COST, _LARGEST_COST), borders)
    return segment


def _segment(
    image: NDArray[np.uint8] | NDArray[np.float32], box: Box, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """What one run finds in a box, (h, w)."""
    sides = np.array(box.shape)
    corners = [[box.top, box.left], [box.bottom, box.right]]
    moved = np.rint(corners + rng.uniform(-_JITTER, _JITTER, (2, 2)) * sides).astype(int)
    high, wide = np.ceil(rng.uniform(*_MARGIN) * sides).astype(int)
    corner = np.maximum([box.top - high, box.left - wide], 0)
    part = image[corner[0] : box.bottom + high, corner[1] : box.right + wide]
    (top, left), (bottom, right) = np.maximum(moved - corner, 0)
    inside = np.zeros((*part.shape[:2], 1))
    inside[top:bottom, left:right] = 1
    step = math.ceil(max(part.shape[:2]) / _LARGEST_SIDE)
    colours = _block_means(part.astype(np.float64), step)
    found = grabcut(colours, _block_means(inside, step)[:, :, 0] > 0.5, rng=rng)
    enlarged = found.repeat(step, axis=0).repeat(step, axis=1)
    rows, columns = corners[0] - corner
    return enlarged[rows : rows + sides[0], columns : columns + sides[1]]


def _block_means(planes: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Means of (H, W, C) in blocks of `step` x `step`; the last ones repeat the border."""
    padding = [(0, -side % step) for side in planes.shape[:2]]
    padded = np.pad(planes, [*padding, (0, 0)], mode="edge")
    height, width, n_planes = padded.shape
    blocks = padded.reshape(height // step, step, width // step, step, n_planes)
    means: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return means


def _mixture(rng: np.random.Generator) -> GaussianMixture:
    """A mixture that each fit improves."""
    return GaussianMixture(
        _COMPONENTS,
        reg_covar=_LEAST_SPREAD**2,
        max_iter=_EM_STEPS,
        warm_start=True,
        random_state=int(rng.integers(2**31)),
    )


def _border_prices(colours: NDArray[np.float64]) -> csr_matrix:
    """What a border between two pixels costs, in units, (n, n), both ways."""
    height, width = colours.shape[:2]
    place = np.arange(height * width, dtype=np.int32).reshape(height, width)
    pairs, differences, distances = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(down, height), slice(max(0, right), width + min(0, right))
        pairs.append(np.stack([place[here].ravel(), place[there].ravel()]))
        differences.append(np.square(colours[here] - colours[there]).sum(axis=2).ravel())
        distances.append(np.full(pairs[-1].shape[1], math.hypot(down, right)))
    squared = np.concatenate(differences)
    beta = 1 / max(2 * squared.mean(), 1e-9)
    gamma = _GAMMA * max(height, width) / _SIDE_OF_GAMMA
    prices = gamma * np.exp(-beta * squared) / np.concatenate(distances)
    first, second = np.concatenate(pairs, axis=1)
    one_way = csr_matrix(
        (np.rint(_UNITS * prices).astype(np.int32), (first, second)), shape=(place.size,) * 2
    )
    return one_way + one_way.T


def _cut(gains: NDArray[np.float64], borders: csr_matrix) -> NDArray[np.bool_]:
    """The segment, (H, W), of most gains less the prices of its borders."""
    units = np.rint(_UNITS * gains).astype(np.int32).ravel()
    pairs = borders.tocoo()
    return minimum_cut(units, pairs.row, pairs.col, pairs.data).reshape(gains.shape)
