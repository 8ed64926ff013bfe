"""The built-in filter bank: 64 patterns of 3x3 and 96 filters of 11x11, most of them Gabors.

They act on opponent colours. The bank replaces the first layers of VGG-16 (64 filters of
3x3) and of the original AlexNet (96 of 11x11), whose filters are, after training, edges, bars and
gratings, most of them grey, the rest along the red-green and blue-yellow axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.filter_bank import FilterBank, FilterLayer

OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float64) / np.sqrt(
    [[3.0], [2.0], [6.0]]
)
"""Luminance, red-green, blue-yellow: the principal axes of natural colours (rows, orthonormal)."""

_SIZE = 11
_N_ORIENTATIONS = 8
_GRATINGS = (
    (0, ((3.0, 1.3), (4.3, 1.8), (6.0, 2.4), (8.5, 3.0))),
    (1, ((3.5, 1.5), (5.0, 2.0), (8.0, 2.8))),
    (2, ((3.5, 1.5), (5.0, 2.0), (8.0, 2.8))),
)
"""Per opponent channel: (wavelength, sigma of the envelope) in pixels, about an octave wide."""
_GRATING_STRIDE = 4
"""Smoothed responses vary slowly: every fourth pixel holds all of them."""
_ROUNDING = 1e-12
"""Weights below it are 0 but for rounding, which depends on the machine; others are above 1e-9."""
_Y, _X = np.mgrid[-(_SIZE // 2) : _SIZE // 2 + 1, -(_SIZE // 2) : _SIZE // 2 + 1]


def gabor_bank() -> FilterBank:
    """The 160 filters as a FilterBank.

    Notes
    -----
    3x3, 64 filters, signed responses. Per opponent channel: the nine products of the kernels
    (1, 2, 1)/4, (-1, 0, 1)/2 and (-1, 2, -1)/4 (local mean, first and second derivatives: the
    orthogonal 3x3 basis), the two diagonal derivatives and bars, the pixel itself and the ring
    around it; steps from the centre to its neighbours; and the centre less its surround.

    11x11, 16 filters, signed responses: Gaussian means of three widths per channel, their
    differences, and the centre less the mean of the window.

    11x11, 80 complex Gabor filters exp(-|x|^2 / 2 s^2) exp(2 pi i u.x / wavelength) at 8
    orientations u: 4 wavelengths on luminance, 3 on each colour axis. The response is the
    modulus (Gabor energy): how much of a texture there is, whatever its phase. It varies
    slowly, so it is taken at every fourth pixel, as AlexNet's first layer is.

    Real parts have zero mean and the 2-norm of the imaginary ones; filters have unit sum of
    absolute weights, so that responses are in grey levels. On 37 CamVid images the energies gave
    1.5 points of mIoU over as many signed Gabor responses.

    References
    ----------
    J. G. Daugman, J. Opt. Soc. Am. A 2(7), 1985 (2-D Gabor functions). A. K. Jain and
    F. Farrokhnia, Pattern Recognition 24(12), 1991 (Gabor energy for texture). A. Krizhevsky et
    al., NIPS 2012, figure 3 (learned first layer). D. L. Ruderman et al., J. Opt. Soc. Am. A
    15(8), 1998 (opponent axes).
    """
    return FilterBank(
        "gabor",
        (
            _layer(_patterns()),
            _layer(_blobs()),
            _layer(_gratings(), stride=_GRATING_STRIDE, is_energy=True),
        ),
    )


def _layer(
    weights: NDArray[np.float32], *, stride: int = 1, is_energy: bool = False
) -> FilterLayer:
    biases = np.zeros(len(weights), np.float32)
    colours = OPPONENT.astype(np.float32)
    return FilterLayer(weights, biases, stride, is_energy=is_energy, colours=colours)


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
    return np.stack([_on_channel(channel, _unit(plane)) for channel, plane in filters])


def _blobs() -> NDArray[np.float32]:
    """(16, 3, 11, 11) weights over the opponent channels."""
    narrow, middle, wide = (_gaussian(sigma) for sigma in (1.2, 2.0, 3.2))
    planes = [narrow, middle, wide, narrow - middle, middle - wide]
    filters = [(channel, plane) for channel in range(3) for plane in planes]
    filters.append((0, narrow - np.full((_SIZE, _SIZE), 1 / _SIZE**2)))
    return np.stack([_on_channel(channel, _unit(plane)) for channel, plane in filters])


def _gratings() -> NDArray[np.float32]:
    """(160, 3, 11, 11) weights over the opponent channels: even and odd parts in turn."""
    filters = [
        _on_channel(channel, plane)
        for channel, gratings in _GRATINGS
        for wavelength, sigma in gratings
        for plane in _quadrature_pairs(wavelength, sigma)
    ]
    return np.stack(filters)


def _quadrature_pairs(wavelength: float, sigma: float) -> list[NDArray[np.float64]]:
    """Even and odd Gabor functions of every orientation, of zero mean and equal 2-norm."""
    envelope = np.exp(-(_X**2 + _Y**2) / (2 * sigma**2))
    planes = []
    for k in range(_N_ORIENTATIONS):
        angle = np.pi * k / _N_ORIENTATIONS
        phase = 2 * np.pi * (_X * np.cos(angle) + _Y * np.sin(angle)) / wavelength
        even = envelope * np.cos(phase)
        even = _unit(even - envelope * (even.sum() / envelope.sum()))
        odd = envelope * np.sin(phase)
        planes += [even, odd * (np.linalg.norm(even) / np.linalg.norm(odd))]
    return planes


def _gaussian(sigma: float) -> NDArray[np.float64]:
    plane: NDArray[np.float64] = np.exp(-(_X**2 + _Y**2) / (2 * sigma**2))
    plane /= plane.sum()
    return plane


def _unit(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = plane / np.abs(plane).sum()
    return unit


def _on_channel(channel: int, plane: NDArray[np.float64]) -> NDArray[np.float32]:
    """A plane of weights on one opponent channel, as (3, k, k)."""
    weights = np.zeros((3, *plane.shape), np.float32)
    weights[channel] = np.where(np.abs(plane) < _ROUNDING, 0, plane)
    return weights
