"""Fully connected CRF: every pixel looks at all others that are near and alike."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.compiled.elementary import exp, log
from wsstools.core.crf.kernels import blur, from_rows, to_rows, update
from wsstools.core.crf.lattice import Lattice
from wsstools.core.crf.pydensecrf_engine import pydensecrf_marginals
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.potts.solver import unary

ENGINES = ("compiled", "pydensecrf")
# Its `prune`, on 111 maps of road scenes with 5 to 11 classes (w1 3, w2 5, 19 million pixels),
# changed no label, and no marginal by more than 2e-5. 0.1 changed no label, and marginals by 0.002
# at most; 0.2 changed 2 labels, and marginals by 0.01 at most.
_DEFAULT = CrfSettings()
_CACHE_LINE = 64  # bytes


@dataclass(frozen=True)
class CrfSolution:
    """Class marginals of a fully connected CRF, and which classes were solved as one for them.

    The pruned classes, ascending, were solved as one, whose marginal was then shared out among them
    by their probabilities.
    """

    # (K, H, W), mean field marginals Q; they sum to 1 over the classes
    marginals: NDArray[np.float32]
    pruned: tuple[int, ...]
    pruned_mass: float  # the most that they hold together at a pixel, in 0..1; 0 if there is none


@dataclass(frozen=True)
class Kernels:
    """The two pairwise kernels of an image, for any weights and any costs."""

    shape: tuple[int, int]  # (H, W) of the image
    bilateral: Lattice  # by position and colour
    spatial: Lattice  # by position

    @classmethod
    def of(
        cls,
        image: AnyArray,
        *,
        sigma_alpha: float,
        sigma_beta: float,
        sigma_gamma: float,
        origin: tuple[int, int] = (0, 0),
    ) -> Kernels:
        """The kernels of an image, (H, W, 3) or (H, W); parameters and errors as in `dense_crf`.

        `origin` is the row and column of its first pixel in the image that it is a part of: its
        kernels are then those of the whole, but near its sides.
        """
        rgb = _rgb(image)
        _check_reaches(sigma_alpha, sigma_beta, sigma_gamma)
        height, width = rgb.shape[:2]
        with np.errstate(all="ignore"):  # the lattice refuses what is infinite
            colours = rgb.transpose(2, 0, 1) / np.float32(sigma_beta)
        features = np.concatenate([_positions(height, width, sigma_alpha, origin), colours])
        try:
            bilateral = Lattice.of(features.reshape(len(features), -1))
        except ValueError as error:
            raise ValueError(
                f"sigma_alpha {sigma_alpha:g} or sigma_beta {sigma_beta:g} is too small for "
                f"this image: {error}"
            ) from error
        spatial = _spatial if origin == (0, 0) else _spatial.__wrapped__  # parts are not kept
        return cls((height, width), bilateral, spatial(height, width, float(sigma_gamma), origin))


def dense_crf(
    probs: AnyArray,
    image: AnyArray,
    *,
    w1: float = _DEFAULT.w1,
    sigma_alpha: float = _DEFAULT.sigma_alpha,
    sigma_beta: float = _DEFAULT.sigma_beta,
    w2: float = _DEFAULT.w2,
    sigma_gamma: float = _DEFAULT.sigma_gamma,
    iterations: int = _DEFAULT.iterations,
    floor: float = _DEFAULT.floor,
    prune: float = _DEFAULT.prune,
    engine: str = "compiled",
    kernels: Kernels | None = None,
    pruned: tuple[tuple[int, ...], float] | None = None,
) -> CrfSolution:
    """Class marginals of a fully connected CRF; they sum to 1 over the classes.

    Parameters
    ----------
    probs : (K, H, W) float
        Class probabilities P.
    image : (H, W, 3) or (H, W), uint8 or float
        The picture itself in 0..255, not a network's normalized input. Floats are rounded and
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
        Mean field iterations; 0 gives the normalized probabilities.
    floor : float
        Probabilities below it count as `floor`, as in `unary`.
    prune : float
        Probability in 0..1: the least probable classes of the image, as many as hold together no
        more than this at any pixel, are solved as one by the compiled engine. Larger is faster; 0
        solves each class by itself. The error is nothing where they are below `floor` everywhere,
        and small of second order otherwise.
    engine : {"compiled", "pydensecrf"}
        Who computes: our own code, or the library that it is tested against.
    kernels : Kernels or None
        `Kernels.of` this image and these reaches, where they are known already.
    pruned : tuple or None
        `pruned_classes` of the image that this is a part of.

    Returns
    -------
    CrfSolution
        The marginals Q, and which classes were solved as one.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, a reach is not above 0 or too small for the
        lattice, `iterations` is negative, `prune` out of range or `engine` unknown.
    WssError
        If pydensecrf shall compute and is not installed.

    Notes
    -----
    Mean field for the energy, with f the position and I the colour of a pixel,

        E(x) = sum_i -log P_i(x_i) + sum_{i<j} [x_i != x_j] k(i, j)
        k(i, j) = w1 exp(-|f_i - f_j|^2 / (2 sigma_alpha^2) - |I_i - I_j|^2 / (2 sigma_beta^2))
                  + w2 exp(-|f_i - f_j|^2 / (2 sigma_gamma^2))

    where each kernel is normalized symmetrically, so that w1 and w2 hardly depend on the number of
    pixels. With the same classes both engines give the same Q but for rounding, about 1e-5.

    Classes whose probabilities are the floor everywhere have equal marginals, and are one without
    any error (see `mean_field`). Other pruned classes get the message of their mean instead of
    their own. Both are at most W q, where W is the most that the kernels weigh at a pixel (9 on
    photos, for w1 + w2 = 8) and q the largest of their marginals; messages are not negative, so
    that with probabilities of at most p all iterations keep q <= p exp(W q).

    References
    ----------
    P. Kraehenbuehl, V. Koltun: Efficient Inference in Fully Connected CRFs with Gaussian Edge
    Potentials, NIPS 2011, equations 2 and 3. arXiv:1808.01625 for the parameters.
    """
    costs = unary(probs, floor=floor)
    rgb = _rgb(image, costs.shape[1:])
    _check_reaches(sigma_alpha, sigma_beta, sigma_gamma)
    _check_iterations(iterations)
    if not (0 <= w1 < np.inf and 0 <= w2 < np.inf):
        raise ValueError(f"w1 is {w1:g}, w2 {w2:g}, expected finite numbers of 0 or more")
    if not 0 <= prune < 1:
        raise ValueError(f"prune is {prune:g}, expected a value in [0, 1)")
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}, expected one of {', '.join(ENGINES)}")
    reaches = {"sigma_alpha": sigma_alpha, "sigma_beta": sigma_beta, "sigma_gamma": sigma_gamma}
    if len(costs) == 1:
        return CrfSolution(np.ones_like(costs), (), 0.0)
    if engine == "compiled":
        kernels = kernels or Kernels.of(
            rgb, sigma_alpha=sigma_alpha, sigma_beta=sigma_beta, sigma_gamma=sigma_gamma
        )
        as_one, mass = pruned or pruned_classes([np.asarray(probs)], prune)
        solve = functools.partial(mean_field, kernels=kernels, w1=w1, w2=w2, iterations=iterations)
        marginals = _as_one(costs, as_one, solve) if as_one else solve(costs)
        return CrfSolution(marginals, as_one, mass)
    marginals = pydensecrf_marginals(costs, rgb, w1=w1, w2=w2, iterations=iterations, **reaches)
    return CrfSolution(marginals, (), 0.0)


def pruned_classes(parts: Iterable[AnyArray], prune: float) -> tuple[tuple[int, ...], float]:
    """The least probable classes that hold at most `prune` at any pixel, and the most they hold.

    The probabilities of the image may come in parts, (K, h, w) each; `parts` is gone through twice.
    No class, where it would be one.
    """
    if prune <= 0:
        return (), 0.0
    order = np.argsort(np.max([part.max(axis=(1, 2)) for part in parts], axis=0), kind="stable")[
        :-1
    ]
    most = np.zeros(len(order))
    for part in parts:
        total = np.zeros(part.shape[1:], np.float32)
        for place, label in enumerate(order):
            total += part[label]
            most[place] = max(most[place], total.max())
            if most[place] > prune:
                order, most = order[:place], most[:place]
                break
    return (tuple(sorted(order.tolist())), float(most[-1])) if len(order) > 1 else ((), 0.0)


def mean_field(
    costs: NDArray[np.float32],
    kernels: Kernels,
    *,
    w1: float = _DEFAULT.w1,
    w2: float = _DEFAULT.w2,
    iterations: int = 10,
    counts: Sequence[int] | None = None,
) -> NDArray[np.float32]:
    """Mean field marginals Q, (K, H, W) float32, of costs U (K, H, W); they sum to 1 over K.

    One `Kernels` serves any costs, weights and number of iterations. `counts` (K,) says of how many
    classes with these same costs each class represents; its marginal is their sum. The other
    parameters are as in `dense_crf`.

    Raises
    ------
    ValueError
        If the costs are of another size than the image or `iterations` is negative.

    Notes
    -----
    Q = softmax(-U) at first; each iteration sets Q = softmax(-U + w1 K1 Q + w2 K2 Q), K1 and K2 the
    bilateral and the spatial kernel. Classes of equal costs have equal marginals, so that n of them
    are one with Q = softmax(log n - U + w1 K1 Q/n + w2 K2 Q/n).
    """
    if costs.ndim != 3 or costs.shape[1:] != kernels.shape:
        raise ValueError(f"costs has shape {costs.shape}, expected (K, *{kernels.shape})")
    _check_iterations(iterations)
    n_classes, height, width = costs.shape
    size = _row_size(n_classes)
    logits = _aligned(height * width, size)
    gains, parts = np.zeros(n_classes, np.float32), np.ones((1, size), np.float32)
    if counts is not None:
        gains[:] = [math.log(count) for count in counts]
        parts[0, :n_classes] /= counts
    to_rows(np.ascontiguousarray(costs, np.float32).reshape(n_classes, -1), gains, logits)
    far, near = kernels.bilateral, kernels.spatial
    far_values, far_sums = (_aligned(far.n_vertices, size) for _ in range(2))
    near_values, near_sums = (_aligned(near.n_vertices, size) for _ in range(2))
    blur_rows, update_rows = blur(size), update(size)
    for iteration in range(iterations + 1):
        far_sums[:], near_sums[:] = 0, 0
        is_first, is_last = iteration == 0, iteration == iterations
        update_rows(
            logits, far.offsets, far.weights, near.offsets, near.weights, far_values, near_values,
            np.float32(w1), np.float32(w2), parts, far_sums, near_sums, not is_first, not is_last,
        )  # fmt: skip
        if not is_last:
            blur_rows(far_sums, far.chains)
            blur_rows(near_sums, near.chains)
        far_values, far_sums = far_sums, far_values
        near_values, near_sums = near_sums, near_values
    marginals = np.empty((n_classes, height * width), np.float32)
    from_rows(logits, marginals)
    return marginals.reshape(costs.shape)


def _row_size(n_classes: int) -> int:
    """Values of a row that holds a value for each class and fills the processor's vectors."""
    return 2 if n_classes <= 2 else 4 if n_classes <= 4 else -(-n_classes // 8) * 8


def _aligned(n_rows: int, size: int) -> NDArray[np.float32]:
    """An array (n_rows, size) that begins at a cache line, values undefined."""
    n_bytes = n_rows * size * 4
    buffer = np.empty(n_bytes + _CACHE_LINE, np.uint8)
    start = -buffer.ctypes.data % _CACHE_LINE
    return buffer[start : start + n_bytes].view(np.float32).reshape(n_rows, size)


def _as_one(
    costs: NDArray[np.float32], pruned: tuple[int, ...], solve: Callable[..., NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Marginals where the pruned classes are solved as one and share what it gets."""
    kept = np.setdiff1d(np.arange(len(costs)), pruned)
    shares = exp(-costs[list(pruned)])  # their probabilities, not below the floor
    total = shares.sum(axis=0)
    joint = log(len(pruned) / total)  # the cost of their mean
    found = solve(
        np.concatenate([costs[kept], joint[np.newaxis]]), counts=[1] * len(kept) + [len(pruned)]
    )
    marginals = np.empty_like(costs)
    marginals[kept] = found[:-1]
    marginals[list(pruned)] = shares * (found[-1] / total)
    return marginals


def _rgb(image: ArrayLike, shape: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    """The image as (H, W, 3) uint8."""
    pixels = np.asarray(image)
    expected = shape or pixels.shape[:2]
    if len(expected) != 2 or pixels.shape not in (expected, (*expected, 3)) or 0 in expected:
        wanted = f"{(*shape, 3)} or {shape}" if shape else "(H, W, 3) or (H, W)"
        raise ValueError(f"image has shape {pixels.shape}, expected {wanted}")
    if pixels.dtype != np.uint8:
        if not np.isfinite(pixels).all():
            raise ValueError("image holds values that are not finite")
        pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return np.repeat(pixels[:, :, np.newaxis], 3, axis=2) if pixels.ndim == 2 else pixels


def _positions(
    height: int, width: int, reach: float, origin: tuple[int, int]
) -> NDArray[np.float32]:
    """Column and row of each pixel over a reach, (2, H, W)."""
    with np.errstate(all="ignore"):
        positions = np.indices((height, width), np.float32)[::-1]
        positions += np.array(origin[::-1], np.float32)[:, np.newaxis, np.newaxis]
        scaled: NDArray[np.float32] = positions / np.float32(reach)
    return scaled


@functools.lru_cache(maxsize=2)  # images of a set often have one size, upright or not
def _spatial(height: int, width: int, sigma_gamma: float, origin: tuple[int, int]) -> Lattice:
    try:
        return Lattice.of(_positions(height, width, sigma_gamma, origin).reshape(2, -1))
    except ValueError as error:
        raise ValueError(f"sigma_gamma {sigma_gamma:g} is too small: {error}") from error


def _check_reaches(sigma_alpha: float, sigma_beta: float, sigma_gamma: float) -> None:
    for name, reach in (
        ("sigma_alpha", sigma_alpha),
        ("sigma_beta", sigma_beta),
        ("sigma_gamma", sigma_gamma),
    ):
        if not reach > 0:
            raise ValueError(f"{name} is {reach:g}, expected more than 0")


def _check_iterations(iterations: int) -> None:
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}, expected 0 or more")
