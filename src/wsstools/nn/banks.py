"""First layers of ImageNet networks as filter banks, for features of pixels."""

from __future__ import annotations

import numpy as np

from wsstools.core.bank import FilterBank, FilterLayer
from wsstools.nn.networks import IMAGENET_MEAN, IMAGENET_STD
from wsstools.nn.pretrained import load_pretrained

STRIDES = {"vgg16": 1, "alexnet": 4}


def torchvision_bank(name: str, folder: str | None = None) -> FilterBank:
    """The first layer of torchvision's VGG-16 or AlexNet: 64 filters of 3x3 or 11x11.

    Torchvision's networks take (RGB / 255 - mean) / std; that is folded into the weights, so that
    the bank takes RGB in 0..255.

    Parameters
    ----------
    name : {"vgg16", "alexnet"}
    folder : str or None
        Looked into before torch's cache; what is in neither is downloaded.

    Raises
    ------
    DataError
        The weights are damaged, or neither at hand nor to be downloaded.
    ValueError
        `name` is another.
    """
    if name not in STRIDES:
        raise ValueError(f"no bank {name!r}; there are {', '.join(STRIDES)}")
    state = load_pretrained(name, folder)
    weights = state["features.0.weight"].detach().numpy()  # (F, 3, k, k)
    biases = state["features.0.bias"].detach().numpy()
    mean, std = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    layer = FilterLayer(
        weights=(weights / (255 * std)[:, None, None]).astype(np.float32),
        biases=(biases - (weights.sum(axis=(2, 3)) * (mean / std)).sum(axis=1)).astype(np.float32),
        stride=STRIDES[name],
    )
    return FilterBank(name, (layer,))
