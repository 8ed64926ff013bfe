"""Bands around the borders of the classes, where weak supervision loses most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wsstools.core.labels import IGNORE_LABEL


def border_distance(
    gt: NDArray[np.uint8], limit: int, *, void_is_border: bool = False
) -> NDArray[np.float64]:
    """Euclidean distance of each pixel to the nearest one of another class, (H, W), in pixels.

    It is 1 beside a pixel of another class, and infinity where `gt` is 255 or the distance is above
    `limit`, which saves time. `void_is_border` counts 255 as another class. It does in the trimaps
    of Kohli et al. and of DeepLab, for PASCAL VOC, where a line of 255 covers the borders;
    in other sets 255 often marks what nobody labelled, and its edges are no borders of classes.

    References
    ----------
    P. Kohli, L. Ladicky, P. Torr: Robust Higher Order Potentials for Enforcing Label Consistency,
    IJCV 2009, section 5 (the trimap). L.-C. Chen et al.: DeepLab, TPAMI 2018, section 4.1.
    """
    distance = np.full(gt.shape, np.inf)
    ids = np.where(gt == IGNORE_LABEL, 0, gt.astype(np.int32) + 1)  # find_objects leaves out 0
    for class_id, box in enumerate(ndimage.find_objects(ids)):
        if box is None:
            continue
        around = tuple(slice(max(0, part.start - limit), part.stop + limit) for part in box)
        part = gt[around]
        own = part == class_id
        inside = own if void_is_border else own | (part == IGNORE_LABEL)
        if inside.all():
            continue
        to_others = ndimage.distance_transform_edt(inside)
        distance[around][own] = to_others[own]
    distance[distance > limit] = np.inf
    return distance


def within_band(
    gt: NDArray[np.uint8], distance: NDArray[np.float64], width: int
) -> NDArray[np.uint8]:
    """The ground truth within `width` pixels of a border, by `border_distance`, else 255."""
    return np.where(distance <= width, gt, np.uint8(IGNORE_LABEL))
