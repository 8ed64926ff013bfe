"""The random walker: a pixel takes the class whose scribbles a walk from it meets first."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from skimage import segmentation
from skimage.transform import resize

from wsstools.core.arrays import AnyArray
from wsstools.core.local.scribbled import ScribbledPixels, scribbled_pixels
from wsstools.core.local.settings import WalkerSettings
from wsstools.core.maps import SUM_TOLERANCE, ProbabilityMap

_MOST_PIXELS = 1 << 20
"""Larger images are reduced: the factors of the matrix take about 2 kB a pixel."""


def random_walker(
    image: AnyArray,
    scribbles: NDArray[np.uint8],
    *,
    n_classes: int | None = None,
    beta: float = WalkerSettings.beta,
) -> ProbabilityMap:
    """Class probabilities of all pixels: whose scribbles a random walk from there meets first.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32
        RGB in 0..255.
    scribbles : (H, W) uint8
        Class ids; 255 = unlabelled.
    n_classes : int or None
        Number of classes of the label space; None: the largest class scribbled is the last one.
    beta : float
        0 or more; larger: the walk crosses edges of the image less.

    Returns
    -------
    ProbabilityMap
        Over the classes scribbled in this image only. At scribbled pixels the probability of
        their class is 1; with a single class it is 1 everywhere. Its info holds `reduced_by`,
        the side of the squares of pixels that were taken as one; 1 for images of up to 2**20
        pixels.

    Raises
    ------
    SkippedImage
        If nothing is scribbled.
    ValueError
        If the sizes differ, a scribble has a class outside 0..n_classes-1, or the equations
        could not be solved.

    Notes
    -----
    From pixel i a walk steps to a neighbour j with probability proportional to
    w_ij = exp(-beta |c_i - c_j|**2 / (10 sqrt(3) std(c))) + 1e-10, with colours c in 0..1. The
    probabilities x_k that it meets class k first solve L x_k = 0 outside the scribbles, where L
    is the Laplacian of the graph, with x_k = 1 on the scribbles of k and 0 on the others. One
    factorization solves this for all classes. (An iterative solver, which scikit-image prefers,
    leaves pixels wrong that strong edges cut off: their residual is next to nothing.)

    References
    ----------
    L. Grady, Random Walks for Image Segmentation, IEEE TPAMI 28(11), 2006. The weights are those
    of scikit-image, whose `random_walker` this is.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> image[:, 4:] = 200
    >>> scribbles = np.full((8, 8), 255, np.uint8)
    >>> scribbles[2, 1], scribbles[5, 6] = 0, 1
    >>> random_walker(image, scribbles).dense().argmax(axis=0)[0].tolist()
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    pixels = scribbled_pixels(image, scribbles, n_classes)
    side = 1
    if len(pixels.classes) == 1:
        probs = np.ones((1, *pixels.shape), np.float32)
    else:
        side = math.ceil(math.sqrt(scribbles.size / _MOST_PIXELS))
        colours = _means(image.astype(np.float64) / 255, side)
        probs = _enlarged(_walked(colours, _seeds(pixels, side), pixels, beta), side, pixels)
        probs[:, pixels.rows, pixels.columns] = 0
        probs[pixels.labels, pixels.rows, pixels.columns] = 1
    return ProbabilityMap(probs, pixels.classes, pixels.n_classes, {"reduced_by": side})


def _means(colours: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Means over squares of pixels, (h, w, 3); the last ones repeat the outermost pixels."""
    margins = [(0, -size % side) for size in colours.shape[:2]]
    padded = np.pad(colours, [*margins, (0, 0)], mode="edge")
    height, width = padded.shape[:2]
    blocks = padded.reshape(height // side, side, width // side, side, 3)
    means: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return means


def _seeds(pixels: ScribbledPixels, side: int) -> NDArray[np.int64]:
    """1 + the index of the most frequent class in each square of pixels, 0 without; (h, w)."""
    height, width = (math.ceil(size / side) for size in pixels.shape)
    counts = np.zeros((len(pixels.classes), height, width), np.int64)
    np.add.at(counts, (pixels.labels, pixels.rows // side, pixels.columns // side), 1)
    return np.where(counts.any(axis=0), counts.argmax(axis=0) + 1, 0)


def _walked(
    colours: NDArray[np.float64], seeds: NDArray[np.int64], pixels: ScribbledPixels, beta: float
) -> NDArray[np.float32]:
    """(K, h, w) probabilities."""
    probs = np.array([seeds == k + 1 for k in range(len(pixels.classes))], np.float32)
    if seeds.all():  # scikit-image would give an array of another shape
        return probs
    if colours.std() == 0:  # scikit-image divides by it; beta 0 makes all steps alike
        colours, beta = seeds[:, :, None].astype(np.float64), 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they report is checked below
        found = segmentation.random_walker(
            colours, seeds, beta=beta, mode="bf", return_full_prob=True, channel_axis=2
        )
    found = np.maximum(found, 0)
    total = found.sum(axis=0)
    worst = np.abs(total - 1).max()
    if not worst <= SUM_TOLERANCE:  # NaN too
        raise ValueError(
            f"the equations of the random walk could not be solved with beta {beta:g} "
            f"(probabilities sum to 1 +- {worst:g}); a smaller beta is easier"
        )
    probs[np.unique(seeds[seeds > 0]) - 1] = found / total  # others lost every square
    return probs


def _enlarged(
    probs: NDArray[np.float32], side: int, pixels: ScribbledPixels
) -> NDArray[np.float32]:
    """(K, H, W): bilinear interpolation between the centres of the squares."""
    if side == 1:
        return probs
    height, width = pixels.shape
    out = np.empty((len(probs), height, width), np.float32)
    for plane, small in zip(out, probs, strict=True):
        size = (small.shape[0] * side, small.shape[1] * side)
        large = resize(small, size, order=1, mode="edge", anti_aliasing=False)
        plane[:] = large[:height, :width]
    return out
