"""Networks for Python users: a model file in, maps out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wsstools.core.arrays import AnyArray
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import naming
from wsstools.files.limits import read_file
from wsstools.nn.models.model_files import LoadedModel, decode_model
from wsstools.nn.predict import Views, predict_probs


def load_model(path: str | Path) -> LoadedModel:
    """The model in a file that `wss train` wrote.

    Raises
    ------
    DataError
        If it is no model, a damaged one, or one of another version.
    """
    with naming(path):
        return decode_model(read_file(path))


def predict(
    model: LoadedModel,
    image: AnyArray,
    *,
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    device: str = "cpu",
    precision: str = "float32",
) -> ProbabilityMap:
    """Class probabilities of each pixel of an image, from a network.

    Parameters
    ----------
    model : LoadedModel
        Of `load_model`; its network is moved to the device.
    image : (H, W, 3) uint8 or float32
        RGB in 0..255.
    scales : tuple of float
        Sizes at which the image is shown, in units of its own.
    flip : bool
        It is shown mirrored too, at each size.
    device : str
        `cpu`, `cuda`, `cuda:1`.
    precision : str
        Of the convolutions: `float32`, `bfloat16` or `float16`.

    Raises
    ------
    DataError
        If the probabilities are not finite.
    """
    probs = predict_probs(
        model.network.to(device), image, device, views=Views(scales, flip), precision=precision
    )
    return ProbabilityMap(probs, np.arange(model.n_classes), model.n_classes)
