"""The mean field of pydensecrf, the reference for our own."""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from wsstools.errors import WssError


def pydensecrf_marginals(
    costs: NDArray[np.float32],
    rgb: NDArray[np.uint8],
    *,
    w1: float,
    sigma_alpha: float,
    sigma_beta: float,
    w2: float,
    sigma_gamma: float,
    iterations: int,
) -> NDArray[np.float32]:
    """Marginals Q, (K, H, W), of costs (K, H, W) and an image (H, W, 3); they sum to 1 over K.

    The parameters are those of `wsstools.core.crf.mean_field.dense_crf`. The GIL is held all the
    time.
    """
    n_classes, height, width = costs.shape
    crf = _pydensecrf().DenseCRF2D(width, height, n_classes)
    crf.setUnaryEnergy(np.ascontiguousarray(costs.reshape(n_classes, -1)))
    crf.addPairwiseGaussian(sxy=sigma_gamma, compat=w2)
    crf.addPairwiseBilateral(
        sxy=sigma_alpha, srgb=sigma_beta, rgbim=np.ascontiguousarray(rgb), compat=w1
    )
    marginals = np.array(crf.inference(iterations), np.float32).reshape(costs.shape)
    marginals /= marginals.sum(axis=0)
    return marginals


def _pydensecrf() -> ModuleType:
    try:
        return importlib.import_module("pydensecrf.densecrf")  # an extra, the reference only
    except ImportError as error:
        raise WssError(
            f"pydensecrf cannot be imported ({error}): "
            "pip install pydensecrf2 (needs a C++ compiler)"
        ) from error
