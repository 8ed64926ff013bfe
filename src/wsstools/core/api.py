"""The steps on arrays, for Python users: a map or probabilities in, a map out.

`import wsstools as wss` gives these functions, the local models and the readers of maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.crf import mean_field
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.evaluation.metrics import Scores, confusion_matrix, scores
from wsstools.core.map_operations import argmax_labels, fuse_maps
from wsstools.core.maps import ProbabilityMap
from wsstools.core.potts.settings import PottsSettings
from wsstools.core.potts.solver import PottsSolution, edge_weights, solve_potts, unary
from wsstools.core.stored_maps import StoredMap, as_map

_POTTS, _CRF = PottsSettings(), CrfSettings()
Probs: TypeAlias = "ProbabilityMap | AnyArray"


def fuse(maps: Sequence[Probs], *, weights: Sequence[float] | None = None) -> ProbabilityMap:
    """The weighted mean of the maps of one image.

    Parameters
    ----------
    maps : sequence of ProbabilityMap or (C, H, W) arrays
        At least one; all of one size and one label space.
    weights : sequence of float or None
        A positive number per map; a larger one pulls the mean to its map. None: equal.

    Returns
    -------
    ProbabilityMap
        Sums to 1 over the union of the classes.

    Raises
    ------
    ValueError
        If the sizes or the label spaces differ, or a weight is not positive.

    Examples
    --------
    >>> sure, unsure = np.array([[[1.0]], [[0.0]]]), np.array([[[0.5]], [[0.5]]])
    >>> fuse([sure, unsure]).probs.ravel().tolist()
    [0.75, 0.25]
    """
    weights = [1.0] * len(maps) if weights is None else list(weights)
    return fuse_maps([as_map(one) for one in maps], weights)


def argmax(
    probs: Probs, *, min_prob: float = 0.0, scribbles: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The most probable class of each pixel, (H, W) uint8.

    Parameters
    ----------
    probs : ProbabilityMap or (C, H, W) array
        Among equal probabilities the lowest class id wins.
    min_prob : float
        Pixels whose best class is less probable get 255; larger ignores more.
    scribbles : (H, W) uint8 or None
        Pixels that are not 255 in it get its class.

    Raises
    ------
    ValueError
        If the scribbles have another size, or a class that the map does not know.

    Examples
    --------
    >>> argmax(np.array([[[0.9, 0.4]], [[0.1, 0.6]]]), min_prob=0.7).tolist()
    [[0, 255]]
    """
    return argmax_labels(as_map(probs), scribbles, min_prob=min_prob)


def potts(
    probs: Probs,
    image: AnyArray | None,
    *,
    lambda_: float = _POTTS.lambda_,
    eta: float = _POTTS.eta,
    floor: float = _POTTS.floor,
    tol: float = _POTTS.tol,
    max_iterations: int = _POTTS.max_iterations,
    edges: NDArray[np.float32] | None = None,
) -> ProbabilityMap:
    """The map smoothed by a Potts model whose borders follow the edges of the image.

    Parameters
    ----------
    probs : ProbabilityMap or (C, H, W) array
    image : (H, W, 3) or (H, W)
        RGB or grey in 0..255; None where `edges` are given.
    lambda_ : float
        Weight of the borders' length; larger is smoother.
    eta : float
        How much cheaper a border is on an edge of the image.
    floor : float
        Least probability; smaller ones count as it.
    tol : float
        Relative duality gap at which the solver stops.
    max_iterations : int
        Bound on the iterations of each level.
    edges : (H, W) float32 or None
        `edge_weights` of this image and `eta`, where they are known already.

    Returns
    -------
    ProbabilityMap
        The soft map. Its info holds `primal`, `dual`, `gap`, `iterations`,
        `label_energy`, `converged` and `needless`, see `PottsSolution`.

    Raises
    ------
    ValueError
        If the sizes differ or a value is out of range.

    Notes
    -----
    Minimizes sum_i <-log P_i, M_i> + lambda sum_c TV_g(M_c) over the simplex, with
    g = exp(-eta |grad I|), by a first-order primal-dual method.

    References
    ----------
    arXiv:1808.01625, section 3. A. Chambolle, T. Pock: A First-Order Primal-Dual Algorithm for
    Convex Problems with Applications to Imaging, 2011.

    Examples
    --------
    >>> probs = np.full((2, 8, 8), [[[0.9]], [[0.1]]])
    >>> probs[:, 4, 4] = 0.2, 0.8  # one pixel of another class
    >>> smooth = potts(probs, np.zeros((8, 8, 3), np.uint8))
    >>> int(argmax(smooth).sum()), smooth.info["converged"]
    (0, True)
    """
    found = as_map(probs)
    if edges is None:
        if image is None:
            raise ValueError("give the image, or its edges")
        check_size(found, image)
        edges = edge_weights(image, eta=eta)
    solution = solve_potts(
        unary(found.probs, floor=floor),
        (lambda_ * edges).astype(np.float32),
        tol=tol,
        max_iterations=max_iterations,
    )
    return soft_map(found, solution)


def soft_map(probability_map: ProbabilityMap, solution: PottsSolution) -> ProbabilityMap:
    """The map that a solution of the Potts model gives, with its numbers."""
    info = {
        "primal": solution.primal,
        "dual": solution.dual,
        "gap": solution.gap,
        "iterations": solution.iterations,
        "label_energy": solution.label_energy,
        "converged": solution.converged,
        "needless": probability_map.classes[list(solution.needless)].tolist(),
    }
    return probability_map.with_probs(solution.soft, info)


def dense_crf(
    probs: Probs,
    image: AnyArray,
    *,
    w1: float = _CRF.w1,
    sigma_alpha: float = _CRF.sigma_alpha,
    sigma_beta: float = _CRF.sigma_beta,
    w2: float = _CRF.w2,
    sigma_gamma: float = _CRF.sigma_gamma,
    iterations: int = _CRF.iterations,
    floor: float = _CRF.floor,
    prune: float = _CRF.prune,
    engine: str = _CRF.engine,
    kernels: mean_field.Kernels | None = None,
) -> ProbabilityMap:
    """The map smoothed by a fully connected CRF: every pixel looks at all near and alike ones.

    Parameters
    ----------
    probs : ProbabilityMap or (C, H, W) array
    image : (H, W, 3) or (H, W)
        RGB or grey in 0..255.
    w1, sigma_alpha, sigma_beta, w2, sigma_gamma, iterations, floor, prune, engine, kernels
        See `wsstools.core.crf.mean_field.dense_crf`.

    Returns
    -------
    ProbabilityMap
        The marginals. Its info holds `pruned` and `pruned_mass`, see `CrfSolution`.

    Raises
    ------
    ValueError
        If the sizes differ or a value is out of range.

    References
    ----------
    P. Kraehenbuehl, V. Koltun: Efficient Inference in Fully Connected CRFs with Gaussian Edge
    Potentials, NIPS 2011.

    Examples
    --------
    >>> probs = np.full((2, 16, 16), [[[0.6]], [[0.4]]])
    >>> probs[:, 4, 4] = 0.45, 0.55
    >>> bool(argmax(dense_crf(probs, np.zeros((16, 16, 3), np.uint8))).any())
    False
    """
    found = as_map(probs)
    check_size(found, image)
    solution = mean_field.dense_crf(
        found.probs, image, w1=w1, sigma_alpha=sigma_alpha, sigma_beta=sigma_beta, w2=w2,
        sigma_gamma=sigma_gamma, iterations=iterations, floor=floor, prune=prune, engine=engine,
        kernels=kernels,
    )  # fmt: skip
    info = {
        "pruned": found.classes[list(solution.pruned)].tolist(),
        "pruned_mass": solution.pruned_mass,
    }
    return found.with_probs(solution.marginals, info)


def score(
    labels: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    gt: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    *,
    n_classes: int | None = None,
) -> Scores:
    """Mean IoU, IoU of each class and pixel accuracy of labels, over one or several images.

    Parameters
    ----------
    labels, gt : (H, W) uint8, or sequences of them
        Class ids; 255 in `gt` does not count, in `labels` it is a miss.
    n_classes : int or None
        Number of classes, to name those that occur in neither.

    Raises
    ------
    ValueError
        If shapes or numbers of images differ.

    Examples
    --------
    >>> found = score(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    >>> found.mean_iou, found.pixel_accuracy
    (0.25, 0.5)
    """
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        labels, gt = [labels], [np.asarray(gt)]
    pairs = zip(labels, gt, strict=True)
    return scores(np.sum([confusion_matrix(*pair) for pair in pairs], axis=0), n_classes)


def check_size(probability_map: ProbabilityMap | StoredMap, image: AnyArray) -> None:
    """Raise ValueError unless a map and its image have one size."""
    if probability_map.shape != image.shape[:2]:
        raise ValueError(f"map has shape {probability_map.shape}, image {image.shape[:2]} (H, W)")
