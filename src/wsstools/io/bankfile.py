"""First-layer filters from a file: `.npz` or `.pth`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsstools.core.bank import FilterBank, FilterLayer
from wsstools.errors import DataError
from wsstools.io.provenance import digest

ALEXNET_STRIDE = 4
_LARGE_KERNEL = 7
"""Kernels of at least this size are sampled at every fourth pixel, as AlexNet's first layer is."""


def read_bank(path: Path, *, order: str = "RGB") -> tuple[FilterBank, str]:
    """The first layer of filters in a file, and the file's digest.

    Parameters
    ----------
    path : Path
        `.npz` or PyTorch state dict (`.pth`, `.pt`); the first array of shape (F, 3, k, k) in it
        counts. A `.npz` may also hold `stride`.
    order : str
        `RGB` or `BGR`: the order of the three planes in the file.

    Returns
    -------
    bank : FilterBank
        Named after the file. The responses are linear: not rectified, and without biases, which
        a forest's thresholds make up for.
    digest : str
        BLAKE2b of the file.

    Raises
    ------
    DataError
        If the file holds no such filters.
    """
    data = path.read_bytes()
    arrays = _torch_arrays(path) if path.suffix in (".pth", ".pt") else _numpy_arrays(path)
    weights = next(
        (
            np.asarray(array, np.float32)
            for array in arrays.values()
            if array.ndim == 4 and array.shape[1] == 3 and array.shape[2] == array.shape[3]
        ),
        None,
    )
    if weights is None or weights.shape[2] % 2 == 0 or not np.isfinite(weights).all():
        shapes = ", ".join(f"{key} {array.shape}" for key, array in list(arrays.items())[:5])
        raise DataError(f"{path}: no filters of shape (F, 3, k, k), k odd; it holds {shapes}")
    if order == "BGR":
        weights = weights[:, ::-1]
    stride = ALEXNET_STRIDE if weights.shape[2] >= _LARGE_KERNEL else 1
    if "stride" in arrays:
        stride = int(arrays["stride"])
    layer = FilterLayer(
        np.ascontiguousarray(weights), np.zeros(len(weights), np.float32), stride=stride
    )
    return FilterBank(path.stem, (layer,)), digest(data)


def _numpy_arrays(path: Path) -> Mapping[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, AttributeError, EOFError) as error:
        raise DataError(f"{path}: not a readable .npz: {error}") from error


def _torch_arrays(path: Path) -> Mapping[str, Any]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {key: value.numpy() for key, value in state.items() if hasattr(value, "numpy")}
    except Exception as error:  # damaged bytes raise whatever the unpickler stumbles over
        raise DataError(f"{path}: not a readable state dict") from error
