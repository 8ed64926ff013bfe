"""What a network's first layer takes, folded into its weights so that it takes RGB in 0..255."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray


@dataclass(frozen=True)
class NetworkInput:
    """How the planes of a network's input come from an image in 0..255.

    Plane c is ``(scale * image[order[c]] - mean[c]) / std[c]``; the order (2, 1, 0) is BGR.
    """

    order: tuple[int, int, int] = (0, 1, 2)
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


INPUTS: dict[str, NetworkInput] = {
    "rgb": NetworkInput(),
    "bgr": NetworkInput(order=(2, 1, 0)),
    # ImageNet's mean pixel: the average of the ilsvrc_2012_mean.npy that Caffe's models subtract.
    "caffe": NetworkInput(order=(2, 1, 0), mean=(104.007, 116.669, 122.679)),
    "torchvision": NetworkInput(
        scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    ),
}
"""The inputs that networks are commonly trained with, by the name that `--filter-input` takes."""


def on_rgb(
    weights: AnyArray, biases: AnyArray, planes: NetworkInput
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and biases whose responses on RGB in 0..255 are those of the network on its input.

    Weights are (F, 3, k, k) correlation kernels, on the network's `planes` and then on RGB; biases
    are (F,), and then hold what the subtracted mean takes away.

    Notes
    -----
    With p_c = (s x_c - m_c) / d_c, the response sum_c w_c * p_c + b equals
    sum_c (w_c s / d_c) * x_c + b - sum_c (m_c / d_c) sum(w_c). Equal to rounding where the window
    is inside the image; beyond the border the network sees zeros, a bank the outermost pixels.
    """
    std = np.asarray(planes.std)
    exact = np.asarray(weights, np.float64)
    folded = np.empty_like(exact)
    folded[:, list(planes.order)] = exact * (planes.scale / std)[:, None, None]
    taken = exact.sum(axis=(2, 3)) @ (np.asarray(planes.mean) / std)  # (F,)
    return folded.astype(np.float32), (np.asarray(biases, np.float64) - taken).astype(np.float32)
