"""A race of settings over images: the hopeless ones are found before all images are seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.metrics import mean_iou

MIN_IMAGES = 6
"""Fewer images than this rule nobody out: their resamples hardly differ."""
_RESAMPLES = 1000
_SHARE = 0.99


def survivors(
    confusions: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    n_resamples: int = _RESAMPLES,
    share: float = _SHARE,
) -> NDArray[np.bool_]:
    """Which settings may still turn out to be the best, (S,) bool.

    Parameters
    ----------
    confusions : (S, N, C, C) int64
        Confusion matrix of each of S settings on each of the same N images, rows ground truth.
    rng : Generator
        Draws the resamples; all settings are seen on the same ones.
    n_resamples : int
        Number of resamples; more make the answer depend less on chance.
    share : float
        A setting is out if it is worse than the leader in at least this share of the resamples,
        in (0, 1]; larger is more careful.

    Returns
    -------
    (S,) bool
        False for the settings that are out. The leader (the best mean IoU on these images) never
        is, nor is a setting that ties with it. With fewer than 6 images nobody is.

    Raises
    ------
    ValueError
        If the shape is another.

    Notes
    -----
    Images are resampled with replacement, and the mean IoU of a resample comes from its summed
    confusion matrix, as that of the whole set does. Comparing on the same resamples takes out
    what makes images easy or hard for every setting. The leader is the best of many and the looks
    are several, so `share` is no error rate of the whole race.

    References
    ----------
    O. Maron, A. Moore: Hoeffding Races, NIPS 1994. M. Birattari, T. Stuetzle, L. Paquete,
    K. Varrentrapp: A Racing Algorithm for Configuring Metaheuristics, GECCO 2002 (F-race).
    B. Efron, R. Tibshirani: An Introduction to the Bootstrap, 1993.
    """
    confusions = np.asarray(confusions)
    shape = confusions.shape
    if len(shape) != 4 or shape[2] != shape[3] or 0 in shape[:2]:
        raise ValueError(f"confusions has shape {shape}, expected (S, N, C, C)")
    n_settings, n_images = shape[:2]
    if n_images < MIN_IMAGES:
        return np.ones(n_settings, bool)
    hits, unions = _hits_and_unions(confusions)
    leader = int(mean_iou(hits.sum(axis=1), unions.sum(axis=1)).argmax())
    counts = rng.multinomial(n_images, np.full(n_images, 1 / n_images), n_resamples)  # (B, N)
    resampled = mean_iou(counts @ hits, counts @ unions)  # (S, B)
    return (resampled < resampled[leader]).mean(axis=1) < share


def _hits_and_unions(confusions: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
    """Pixels in the intersection and in the union of each class, both (S, N, C)."""
    hits = np.diagonal(confusions, axis1=2, axis2=3)
    return hits, confusions.sum(axis=2) + confusions.sum(axis=3) - hits


@dataclass(frozen=True)
class Standing:
    """How one setting did in a race.

    Attributes
    ----------
    parameters : mapping
        The setting.
    mean_iou : float
        From the confusion matrix summed over the images that it ran on.
    n_images : int
        Their number.
    is_out : bool
        Whether it left the race after them.
    is_paper : bool
        Whether it is the paper's setting, which runs to the end for comparison.
    is_contender : bool
        Whether it can win; the paper's setting cannot where the grid leaves it out.
    """

    parameters: Mapping[str, float]
    mean_iou: float
    n_images: int
    is_out: bool = False
    is_paper: bool = False
    is_contender: bool = True


def ranked(standings: Iterable[Standing]) -> list[Standing]:
    """The best first: those who saw all images by mean IoU, then those who left late.

    Among equals the order stays.
    """
    return sorted(standings, key=lambda one: (one.is_out, -one.n_images, -one.mean_iou))


def winner(standings: Iterable[Standing]) -> Standing:
    """The best of those who can win."""
    return next(one for one in ranked(standings) if one.is_contender)
