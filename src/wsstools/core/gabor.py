"""The built-in filter bank: 64 patterns of 3x3 and 96 Gabor filters of 11x11, opponent colours.

It stands in for the first layers of VGG-16 (64 filters of 3x3) and of the original AlexNet (96 of
11x11), whose filters are, after training, edges, bars and gratings, most of them grey, the rest
along the red-green and blue-yellow axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.bank import FilterBank, FilterLayer

OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float64) / np.sqrt(
    [[3.0], [2.0], [6.0]]
)
"""Luminance, red-green, blue-yellow: the principal axes of natural colours (rows, orthonormal)."""

_SIZE = 11
_GRATINGS = ((3.0, 1.3), (5.0, 2.0), (8.0, 2.8))
"""(wavelength, sigma of the envelope) in pixels: about one octave of bandwidth each."""
_N_ORIENTATIONS = 8


def gabor_bank() -> FilterBank:
    """The 160 filters as a FilterBank; their responses are signed, not rectified.

    Notes
    -----
    3x3, 64 filters. Per opponent channel: the nine products of the kernels (1, 2, 1)/4,
    (-1, 0, 1)/2 and (-1, 2, -1)/4 (local mean, first and second derivatives: the orthogonal
    3x3 basis), the two diagonal first derivatives and the two diagonal bars (13 filters), and on
    luminance and the colours the eight signed steps from the centre to a neighbour and the pixel
    itself, as far as they fit: 64 in all.

    11x11, 96 filters. Gabor functions exp(-|x|^2 / 2 s^2) cos(2 pi u.x / wavelength + phase) of
    8 orientations. Luminance: 3 wavelengths x 8 x 2 phases (even, odd) = 48. Each of the two
    colour axes: even and odd at one wavelength x 8 = 16, together 32. On each channel Gaussian
    means of three widths and two differences of Gaussians (15), and one broad luminance surround.
    Even filters have zero mean; all have unit sum of absolute weights, so that responses are in
    grey levels.

    References
    ----------
    J. G. Daugman, J. Opt. Soc. Am. A 2(7), 1985 (2-D Gabor functions). A. Krizhevsky et al.,
    NIPS 2012, figure 3 (learned first layer). D. L. Ruderman et al., J. Opt. Soc. Am. A 15(8),
    1998 (opponent axes).
    """
    colours = OPPONENT.astype(np.float32)
    layers = (
        FilterLayer(weights, np.zeros(len(weights), np.float32), colours=colours)
        for weights in (_patterns(), _gabors())
    )
    return FilterBank("gabor", tuple(layers))


def _patterns() -> NDArray[np.float32]:
    """(64, 3, 3, 3) weights over the opponent channels."""
    mean, slope, bar = np.array([1, 2, 1]) / 4, np.array([-1, 0, 1]) / 2, np.array([-1, 2, -1]) / 4
    planes = [np.outer(a, b) for a in (mean, slope, bar) for b in (mean, slope, bar)]
    diagonal = np.array([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]) / 4
    stripe = np.array([[-1, -1, 2], [-1, 2, -1], [2, -1, -1]]) / 4
    planes += [diagonal, diagonal[:, ::-1], stripe, stripe[:, ::-1]]
    filters = [(channel, plane) for channel in range(3) for plane in planes]  # 39
    centre = np.zeros((3, 3))
    centre[1, 1] = 1
    filters += [(channel, centre) for channel in range(3)]  # 42
    steps = []
    for y, x in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        step = centre.copy()
        step[y, x] = -1
        steps.append(step)
    filters += [(0, step) for step in steps]  # 50
    filters += [(channel, np.abs(step)) for channel in (1, 2) for step in steps[1:7:2]]  # 56
    filters += [(channel, step) for channel in (1, 2) for step in (steps[1], steps[3])]  # 60
    ring = np.ones((3, 3))
    ring[1, 1] = 0
    filters += [(channel, ring) for channel in range(3)]  # 63
    filters += [(0, centre - ring / 8)]  # 64
    return np.stack([_on_channel(channel, plane) for channel, plane in filters])


def _gabors() -> NDArray[np.float32]:
    """(96, 3, 11, 11) weights over the opponent channels."""
    filters = []
    for wavelength, sigma in _GRATINGS:
        filters += [(0, plane) for plane in _gratings(wavelength, sigma)]  # 48
    for channel in (1, 2):
        filters += [(channel, plane) for plane in _gratings(*_GRATINGS[1])]  # 80
    widths = [_gaussian(sigma) for sigma in (1.2, 2.0, 3.2)]
    for channel in range(3):
        filters += [(channel, plane) for plane in widths]
        filters += [(channel, widths[0] - widths[1]), (channel, widths[1] - widths[2])]  # 95
    filters.append((0, widths[0] - np.full((_SIZE, _SIZE), 1 / _SIZE**2)))  # 96
    return np.stack([_on_channel(channel, plane) for channel, plane in filters])


def _gratings(wavelength: float, sigma: float) -> list[NDArray]:
    radius = _SIZE // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    planes = []
    for k in range(_N_ORIENTATIONS):
        angle = np.pi * k / _N_ORIENTATIONS
        phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength
        envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
        even = envelope * np.cos(phase)
        planes += [even - envelope * (even.sum() / envelope.sum()), envelope * np.sin(phase)]
    return planes


def _gaussian(sigma: float) -> NDArray:
    radius = _SIZE // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    plane = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return plane / plane.sum()


def _on_channel(channel: int, plane: NDArray) -> NDArray[np.float32]:
    """A plane of weights on one opponent channel, as (3, k, k) with unit 1-norm."""
    weights = np.zeros((3, *plane.shape), np.float32)
    weights[channel] = plane / np.abs(plane).sum()
    return weights
