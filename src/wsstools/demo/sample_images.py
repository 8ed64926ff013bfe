"""Pictures that ship inside the wheels of scikit-image and scikit-learn."""

from __future__ import annotations

import numpy as np
import skimage.color
import skimage.data
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_sample_image

from wsstools.core.arrays import AnyArray

FUR_BOX = np.s_[5:95, 130:290]  # the forehead of the cat, without its eyes
EVEN_SIGMA = 30  # pixels


def load_textures() -> dict[str, AnyArray]:
    """The textures that `draw_scene` takes: (H, W) float around 0; `horse` is bool, true inside."""
    return {
        "grass": _even(skimage.data.grass() / 255),
        "brick": _even(np.rot90(skimage.data.brick()) / 255),  # courses are level
        "gravel": _even(skimage.data.gravel() / 255),
        "fur": _even(skimage.color.rgb2gray(skimage.data.chelsea()[FUR_BOX])),
        "horse": ~skimage.data.horse().astype(bool),
    }


def load_photos() -> dict[str, NDArray[np.uint8]]:
    """Six photographs, (H, W, 3) uint8 each, by name; strokes for them are in strokes/."""
    return {
        "astronaut": skimage.data.astronaut(),
        "chelsea": skimage.data.chelsea(),
        "china": np.asarray(load_sample_image("china.jpg")),
        "coffee": skimage.data.coffee(),
        "flower": np.asarray(load_sample_image("flower.jpg")),
        "rocket": skimage.data.rocket(),
    }


def _even(texture: NDArray[np.float64]) -> NDArray[np.float64]:
    """The texture without slow changes of brightness."""
    even: NDArray[np.float64] = texture - ndimage.gaussian_filter(texture, EVEN_SIGMA)
    return even
