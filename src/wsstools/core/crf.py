"""Fully connected CRF: every pixel looks at all others that are near and alike."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from wsstools.core.potts import MIN_PROB, unary
from wsstools.errors import WssError


def dense_crf(
    probs: NDArray,
    image: NDArray,
    *,
    w1: float = 3.0,
    sigma_alpha: float = 30.0,
    sigma_beta: float = 5.0,
    w2: float = 5.0,
    sigma_gamma: float = 2.0,
    iterations: int = 10,
    floor: float = MIN_PROB,
) -> NDArray[np.float32]:
    """Class marginals of a fully connected CRF, (K, H, W) float32; they sum to 1 over K.

    Parameters
    ----------
    probs : (K, H, W) float
        Class probabilities P.
    image : (H, W, 3) or (H, W), uint8 or float
        The picture itself in 0..255, not a network's normalised input. Floats are rounded and
        clipped.
    w1 : float
        Weight of the kernel of near pixels of like colour; larger follows colour edges more.
    sigma_alpha : float
        Its reach in pixels; larger links pixels farther apart.
    sigma_beta : float
        Its reach in grey levels; larger takes more colours for alike.
    w2 : float
        Weight of the kernel of near pixels of any colour; larger is smoother.
    sigma_gamma : float
        Its reach in pixels; larger removes larger specks.
    iterations : int
        Mean-field iterations; 0 gives the normalised probabilities.
    floor : float
        Probabilities below it count as `floor`, as in `unary`.

    Returns
    -------
    (K, H, W) float32
        Mean-field marginals Q. With one class they are 1.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, a reach is not above 0 or `iterations` is
        negative.
    WssError
        If pydensecrf is not installed.

    Notes
    -----
    Mean field for the energy, with f the position and I the colour of a pixel,

        E(x) = sum_i -log P_i(x_i) + sum_{i<j} [x_i != x_j] k(i, j)
        k(i, j) = w1 exp(-|f_i - f_j|^2 / (2 sigma_alpha^2) - |I_i - I_j|^2 / (2 sigma_beta^2))
                  + w2 exp(-|f_i - f_j|^2 / (2 sigma_gamma^2))

    where pydensecrf normalises each kernel symmetrically, so that w1 and w2 hardly depend on the
    number of pixels.

    References
    ----------
    P. Kraehenbuehl, V. Koltun: Efficient Inference in Fully Connected CRFs with Gaussian Edge
    Potentials, NIPS 2011, equations 2 and 3. arXiv:1808.01625 for the parameters.
    """
    costs = unary(probs, floor=floor)
    n_classes, height, width = costs.shape
    rgb = _rgb(image, (height, width))
    for name, reach in (
        ("sigma_alpha", sigma_alpha),
        ("sigma_beta", sigma_beta),
        ("sigma_gamma", sigma_gamma),
    ):
        if not reach > 0:
            raise ValueError(f"{name} is {reach:g}, expected more than 0")
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}, expected 0 or more")
    if n_classes == 1:
        return np.ones_like(costs)
    crf = _pydensecrf().DenseCRF2D(width, height, n_classes)
    crf.setUnaryEnergy(np.ascontiguousarray(costs.reshape(n_classes, -1)))
    crf.addPairwiseGaussian(sxy=sigma_gamma, compat=w2)
    crf.addPairwiseBilateral(sxy=sigma_alpha, srgb=sigma_beta, rgbim=rgb, compat=w1)
    marginals = np.array(crf.inference(iterations), np.float32).reshape(costs.shape)
    return marginals / marginals.sum(axis=0)


def _rgb(image: NDArray, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The image as pydensecrf wants it: (H, W, 3) uint8, contiguous."""
    image = np.asarray(image)
    if image.shape not in (shape, (*shape, 3)):
        raise ValueError(f"image has shape {image.shape}, expected {(*shape, 3)} or {shape}")
    if image.dtype != np.uint8:
        if not np.isfinite(image).all():
            raise ValueError("image holds values that are not finite")
        image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if image.ndim == 2:
        image = np.repeat(image[:, :, np.newaxis], 3, axis=2)
    return np.ascontiguousarray(image)


def _pydensecrf() -> ModuleType:
    try:
        import pydensecrf.densecrf
    except ImportError as error:
        raise WssError(
            f"pydensecrf cannot be imported ({error}): "
            "pip install pydensecrf2 (needs a C++ compiler)"
        ) from error
    return pydensecrf.densecrf
