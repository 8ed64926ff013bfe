"""What a probability map says besides its labels: how probable a class is, and how sure it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsstools.view.scale import scale_colours


def probability_picture(
    probs: NDArray[np.floating], classes: ArrayLike, class_id: int
) -> NDArray[np.uint8]:
    """How probable a class is at each pixel, (H, W, 3) uint8: dark is 0, light is 1.

    Parameters
    ----------
    probs : (K, H, W) float
        Probabilities.
    classes : (K,) integers
        Class ids of the planes; a class that is none of them has probability 0.
    class_id : int
        The class.
    """
    chosen = probs[np.asarray(classes) == class_id]
    return scale_colours(chosen.sum(axis=0))


def entropy_picture(probs: NDArray[np.floating], n_classes: int) -> NDArray[np.uint8]:
    """How unsure a map is at each pixel, (H, W, 3) uint8: dark is certain.

    Parameters
    ----------
    probs : (K, H, W) float
        Probabilities.
    n_classes : int
        Number of classes of the label space: light is all of them equally probable, so that maps
        of different K compare.
    """
    positive = np.maximum(probs, np.finfo(np.float32).tiny)
    entropy = -(probs * np.log(positive)).sum(axis=0)
    return scale_colours(entropy / np.log(max(n_classes, 2)))
