"""Local models of colours: how likely a pixel's colour is among those of each class's strokes."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.densities import density_parts
from wsstools.core.compiled.elementary import exp, log
from wsstools.core.local.scribbled import ScribbledPixels
from wsstools.core.local.settings import MixtureSettings, ParzenSettings
from wsstools.core.maps import ProbabilityMap

_LEAST_SPREAD = 2.0
"""Standard deviation that a mixture adds to colours, grey levels: those of a stroke can be one."""
_PIXELS_A_COMPONENT = 4
_NEAREST = 0.4
"""Distance from a stroke below which its width does not shrink further, pixels."""


def gaussian_mixtures(
    image: AnyArray,
    pixels: ScribbledPixels,
    *,
    settings: MixtureSettings = MixtureSettings(),
    rng: np.random.Generator,
) -> ProbabilityMap:
    """Class probabilities of all pixels from a mixture of Gaussians of each class's colours.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32
        RGB in 0..255.
    pixels : ScribbledPixels
        What the mixtures are fitted to; all classes are as frequent as each other.
    settings : MixtureSettings
    rng : Generator
        Of the first guess of the components.

    Returns
    -------
    ProbabilityMap
        Over the classes scribbled in this image only. With a single one, its probability is 1.

    References
    ----------
    C. Rother, V. Kolmogorov, A. Blake: GrabCut, SIGGRAPH 2004, section 2, for two classes.
    """
    # scikit-learn takes a second, which `parzen` need not wait for.
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.mixture import GaussianMixture  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    if len(pixels.classes) == 1:
        return pixels.certain()
    colours = image.reshape(-1, 3).astype(np.float64)
    strokes = image[pixels.rows, pixels.columns].astype(np.float64)
    logs = np.empty((len(pixels.classes), len(colours)), np.float32)
    with threadpool_limits(1):  # the images are what runs side by side
        for k in range(len(pixels.classes)):
            own = strokes[pixels.labels == k]
            model = GaussianMixture(
                max(1, min(settings.components, len(own) // _PIXELS_A_COMPONENT)),
                reg_covar=_LEAST_SPREAD**2,
                random_state=int(rng.integers(2**31)),
            )
            with warnings.catch_warnings():
                # Strokes of few colours leave some Gaussians without pixels, which do no harm.
                warnings.simplefilter("ignore", ConvergenceWarning)
                # One pixel has no covariance; twice the same has none but what is added.
                model.fit(own if len(own) > 1 else np.repeat(own, 2, axis=0))
            logs[k] = model.score_samples(colours)
    return _map_of(logs, pixels)


def parzen(
    image: AnyArray, pixels: ScribbledPixels, *, settings: ParzenSettings = ParzenSettings()
) -> ProbabilityMap:
    """Class probabilities of all pixels from densities of colours that vary over the image.

    Parameters
    ----------
    image : (H, W, 3) uint8 or float32
        RGB in 0..255.
    pixels : ScribbledPixels
        The strokes; all classes are as frequent as each other.
    settings : ParzenSettings

    Returns
    -------
    ProbabilityMap
        Over the classes scribbled in this image only. With a single one, its probability is 1.

    Notes
    -----
    The density of class k at place x and colour I is the mean over its scribbled pixels j of
    N(x - x_j; rho) N(I - I_j; sigma), with rho the `reach` times the distance from x to the nearest
    of them: far from the strokes of a class all of them count alike, near one that one does. Of
    many pixels, `samples` are taken, evenly.

    References
    ----------
    C. Nieuwenhuis, D. Cremers: Spatially Varying Color Distributions for Interactive Multilabel
    Segmentation, IEEE TPAMI 35(5), 2013.
    """
    if len(pixels.classes) == 1:
        return pixels.certain()
    colours = image.reshape(-1, 3).astype(np.float32)
    logs = np.empty((len(pixels.classes), len(colours)), np.float32)
    highest = np.empty(len(colours), np.float32)
    factor = np.float32(0.5 / settings.bandwidth**2)
    for k in range(len(pixels.classes)):
        mask = np.ones(pixels.shape, bool)
        own = pixels.labels == k
        mask[pixels.rows[own], pixels.columns[own]] = False
        widths = settings.reach * np.maximum(distance_transform_edt(mask), _NEAREST)
        widths = widths.astype(np.float32).ravel()
        chosen = pixels.evenly(k, settings.samples)
        rows, columns = pixels.rows[chosen], pixels.columns[chosen]
        samples = np.column_stack([rows, columns, image[rows, columns]]).astype(np.float32)
        given = colours, pixels.shape[1], widths, samples.T.copy(), factor
        density_parts(*given, logs[k], highest)
        log(logs[k])
        logs[k] += highest - 2 * log(widths)
    return _map_of(logs, pixels)


def _map_of(logs: NDArray[np.float32], pixels: ScribbledPixels) -> ProbabilityMap:
    """Posterior probabilities of log densities (K, H W), all classes alike before."""
    logs -= logs.max(axis=0)
    exp(logs)
    logs /= logs.sum(axis=0)
    return ProbabilityMap(logs.reshape(-1, *pixels.shape), pixels.classes, pixels.n_classes)
