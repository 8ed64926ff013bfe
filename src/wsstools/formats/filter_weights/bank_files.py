"""A network's first layer from a file, as a filter bank on RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wsstools.core.local.filter_bank import FilterBank, FilterLayer
from wsstools.files.limits import read_file
from wsstools.files.provenance import digest
from wsstools.formats.filter_weights.network_files import read_first_convolution
from wsstools.formats.filter_weights.network_input import INPUTS, on_rgb

LARGE_KERNEL = 7
LARGE_STRIDE = 4
"""Kernels of at least `LARGE_KERNEL` are sampled as AlexNet's, where the file does not say how."""


def read_bank(
    path: Path, *, filter_input: str = "rgb", is_rectified: bool = False
) -> tuple[FilterBank, str]:
    """The first layer of filters in a file, on RGB, and the file's digest; see `read_layer`.

    The bank is named after the file, and after its input unless that is RGB: two inputs make two
    banks.
    """
    layer = read_layer(path, filter_input=filter_input, is_rectified=is_rectified)
    name = path.stem if filter_input == "rgb" else f"{path.stem}:{filter_input}"
    return FilterBank(name, (layer,)), digest(read_file(path))


def read_layer(path: Path, *, filter_input: str = "rgb", is_rectified: bool = False) -> FilterLayer:
    """The first layer of filters in a file whose network takes `filter_input`, a key of `INPUTS`.

    Rectified, its negative responses become 0 as in the network. Only then do the biases matter to
    a forest, whose thresholds make up for them. DataError if the file holds no such filters.
    """
    first = read_first_convolution(path)
    kernels = np.asarray(first.weights)
    biases = np.zeros(len(kernels)) if first.bias is None else np.asarray(first.bias)
    weights, biases = on_rgb(kernels, biases, INPUTS[filter_input])
    stride = first.stride
    if stride is None:
        stride = LARGE_STRIDE if weights.shape[2] >= LARGE_KERNEL else 1
    return FilterLayer(weights, biases, stride=stride, is_rectified=is_rectified)
