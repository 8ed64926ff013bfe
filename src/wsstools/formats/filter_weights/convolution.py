"""The first convolution among a network's layers, whatever the order of its axes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from wsstools.core.arrays import AnyArray

N_PLANES = 3
_FIRST = re.compile(r"(?:^|[/._])(?:conv1_1|conv1|block1_conv1|features[._]0)(?=[/._:]|$)")
"""Names of the first layer in AlexNet, VGG, Keras and torchvision."""
_BIAS_NAMES = (
    (re.compile(r"weights(?=:\d+$|$)"), "biases"),
    (re.compile(r"(?:weight|kernel)(?=:\d+$|$)"), "bias"),
    (re.compile(r"_W(?=_\d+|:\d+|$)"), "_b"),
    (re.compile(r"_w(?=_\d+|:\d+|$)"), "_b"),
    (re.compile(r"/0$"), "/1"),  # Keras 3, and lists of weights and bias
)
_SHOWN = 5
_MOST_WEIGHTS = 1 << 22
"""Of one layer; AlexNet's has 34,848. A file of a few bytes can claim any number."""


class StoredArray(Protocol):
    """An array that may still be in its file, from which it is read when it is used."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, known before it is read."""

    def __array__(self) -> AnyArray: ...


@dataclass(frozen=True)
class Convolution:
    """The weights of a convolution."""

    name: str  # as in the file
    weights: StoredArray  # (F, planes, k, k), or (k, k, planes, F) as in TensorFlow
    bias: StoredArray | None = None
    stride: int | None = None  # None if the file does not say
    groups: int = 1  # 1: every filter sees all planes


def convolutions_in(arrays: Mapping[str, StoredArray]) -> list[Convolution]:
    """The convolutions among named arrays, in their order, each with the bias named after it."""
    found = []
    for name, array in arrays.items():
        if len(array.shape) == 4:
            biases = (arrays.get(pattern.sub(new, name, count=1)) for pattern, new in _BIAS_NAMES)
            bias = next((b for b in biases if b is not None and len(b.shape) == 1), None)
            found.append(Convolution(name, array, bias))
    return found


def first_convolution(found: Iterable[Convolution]) -> Convolution:
    """The first convolution on three planes: by its name, or else by its place in the file.

    Its weights are (F, 3, k, k) float32, k odd, and its bias (F,) or None. The order of the axes
    follows from their lengths: the two equal ones are the kernel (the shorter two where both pairs
    are equal), and the planes come before it or after it.

    ValueError: there is none on three planes, or it is grouped, or its kernel is not square and
    odd, or it holds what is no finite number.
    """
    every = list(found)
    candidates = [c for c in every if _layout(c.weights.shape)[1] == N_PLANES]
    named = [c for c in candidates if _FIRST.search(c.name)]
    if not candidates:
        shown = ", ".join(f"{c.name} {tuple(c.weights.shape)}" for c in every[:_SHOWN])
        raise ValueError(
            f"no convolution on {N_PLANES} planes, of shape (F, 3, k, k) or (k, k, 3, F); "
            f"it holds {shown or 'no convolution at all'}"
        )
    return _checked((named or candidates)[0])


def _layout(shape: tuple[int, ...]) -> tuple[bool, int, tuple[int, int]]:
    """Whether the kernel comes first, the number of planes, and the kernel's height and width."""
    a, b, c, d = shape
    layouts = [(False, b, (c, d)), (True, c, (a, b))]
    square = [layout for layout in layouts if layout[2][0] == layout[2][1]]
    if square:
        return min(square, key=lambda layout: layout[2])
    return next((layout for layout in layouts if layout[1] == N_PLANES), layouts[0])


def _checked(chosen: Convolution) -> Convolution:
    is_kernel_first, _, (height, width) = _layout(chosen.weights.shape)
    what = f"{chosen.name} {tuple(chosen.weights.shape)}"
    if chosen.groups != 1:
        raise ValueError(f"{what} has {chosen.groups} groups, expected 1")
    if height != width or height % 2 == 0:
        raise ValueError(f"{what} has a kernel of {height}x{width}, expected square and odd")
    n_weights = math.prod(chosen.weights.shape)
    if not 0 < n_weights <= _MOST_WEIGHTS:
        raise ValueError(f"{what} has {n_weights} weights, expected 1 to {_MOST_WEIGHTS}")
    weights = np.asarray(chosen.weights)
    if weights.dtype.kind != "f":
        raise ValueError(f"{what} is {weights.dtype}, expected floating-point weights")
    if is_kernel_first:
        weights = weights.transpose(3, 2, 0, 1)
    bias = chosen.bias
    if bias is not None and math.prod(bias.shape) != len(weights):
        raise ValueError(f"{what} has {math.prod(bias.shape)} biases, expected {len(weights)}")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        weights = np.ascontiguousarray(weights, np.float32)
        bias = None if bias is None else np.asarray(bias).astype(np.float32).ravel()
    if not np.isfinite(weights).all() or (bias is not None and not np.isfinite(bias).all()):
        raise ValueError(f"{what} is not finite")
    return replace(chosen, weights=weights, bias=bias)
