"""Slices of volumes: arrays (Z, Y, X) and pictures (H, W)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL


def intensity_range(volume: AnyArray, percentiles: tuple[float, float]) -> tuple[float, float]:
    """The values that are black and white: percentiles of the finite voxels.

    Parameters
    ----------
    volume : array of any shape and real type
    percentiles : pair of float, in 0..100, ascending

    Raises
    ------
    ValueError
        If no voxel is finite, or both percentiles have one value.

    Examples
    --------
    >>> intensity_range(np.arange(101.0), (10, 90))
    (10.0, 90.0)
    """
    finite = volume if volume.dtype.kind in "iub" else volume[np.isfinite(volume)]
    if not finite.size:
        raise ValueError("no voxel is finite")
    low, high = np.percentile(cast("NDArray[np.float64]", finite), percentiles).tolist()
    if low >= high:
        raise ValueError(
            f"its percentiles {percentiles[0]:g} and {percentiles[1]:g} are both {low:g} "
            "(state --window LOW,HIGH)"
        )
    return low, high


def grey_levels(plane: AnyArray, low: float, high: float) -> NDArray[np.uint8]:
    """Values as 0..255, `low` as 0 and `high` as 255, rounded; what is not a number is 0.

    Examples
    --------
    >>> grey_levels(np.array([-1000.0, -160.0, 40.0, 240.0, np.nan, np.inf]), -160, 240)
    array([  0,   0, 128, 255,   0, 255], dtype=uint8)
    """
    shares = (np.asarray(plane, np.float64) - low) / (high - low)
    levels: NDArray[np.uint8] = np.rint(
        255 * np.clip(np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    ).astype(np.uint8)
    return levels


def class_ids(
    volume: AnyArray, *, unlabelled: int = IGNORE_LABEL, first: int = 0
) -> NDArray[np.uint8]:
    """Class ids of the values of a volume, 255 where there is none.

    Parameters
    ----------
    volume : array of whole numbers, of any type
    unlabelled : int, the value of voxels without a class; 255 is one in any case
    first : int, the value of class 0

    Raises
    ------
    ValueError
        If values are not whole, or one is no class id.

    Examples
    --------
    >>> class_ids(np.array([0, 1, 2, 2]), unlabelled=0, first=1)
    array([255,   0,   1,   1], dtype=uint8)
    """
    if volume.dtype.kind not in "iubf":
        raise ValueError(f"its values are {volume.dtype}, expected whole numbers")
    with np.errstate(invalid="ignore"):
        whole = np.asarray(volume, np.int64)
    if volume.dtype.kind == "f" and not np.array_equal(whole, volume):
        odd = volume[~np.equal(whole, volume)]
        raise ValueError(f"it holds the value {odd.flat[0]:g}, expected whole numbers")
    is_unlabelled = (whole == unlabelled) | (whole == IGNORE_LABEL)
    ids = whole - first
    taken = ids[~is_unlabelled]
    if taken.size and not 0 <= taken.min() <= taken.max() < IGNORE_LABEL:
        odd_id = taken.min() if taken.min() < 0 else taken.max()
        raise ValueError(
            f"the value {odd_id + first} is no class (class 0 is {first}, at most "
            f"{first + IGNORE_LABEL - 1} is read; --unlabelled and --first-class say otherwise)"
        )
    ids[is_unlabelled] = IGNORE_LABEL
    return ids.astype(np.uint8)


def voxel_values(
    ids: NDArray[np.uint8], *, unlabelled: int = IGNORE_LABEL, first: int = 0
) -> NDArray[np.uint8]:
    """Values of the class ids of a volume, of which `class_ids` makes these ids again.

    Parameters
    ----------
    ids : array of uint8, 255 where there is no class
    unlabelled : int, the value of voxels without a class
    first : int, the value of class 0

    Raises
    ------
    ValueError
        If the value of a class is above 254.

    Examples
    --------
    >>> voxel_values(np.array([255, 0, 1, 1], np.uint8), unlabelled=0, first=1)
    array([0, 1, 2, 2], dtype=uint8)
    """
    is_unlabelled = ids == IGNORE_LABEL
    highest = int(ids[~is_unlabelled].max(initial=0))
    if highest + first >= IGNORE_LABEL:
        raise ValueError(
            f"class {highest} has the value {highest + first}, expected at most {IGNORE_LABEL - 1} "
            f"(class 0 is {first})"
        )
    values: NDArray[np.uint8] = ids + np.uint8(first)  # modulo 256 where there is no class
    values[is_unlabelled] = unlabelled
    return values


def stacked(
    planes: Mapping[int, AnyArray], shape: tuple[int, ...], axis: int, missing: AnyArray
) -> AnyArray:
    """The volume of some of its slices.

    Parameters
    ----------
    planes : mapping of int to array, the slices by their places along the axis
    shape : tuple of int, of the volume
    axis : int
    missing : array, what fills the places without a slice, broadcast to a slice

    Raises
    ------
    ValueError
        If a slice does not fit.

    Examples
    --------
    >>> stacked({1: np.array([[7, 8]])}, (2, 1, 2), 0, np.array(255)).tolist()
    [[[255, 255]], [[7, 8]]]
    """
    first = next(iter(planes.values()))
    expected = (*shape[:axis], *shape[axis + 1 :])
    volume = np.empty(shape, first.dtype)
    places = np.moveaxis(volume, axis, 0)
    places[...] = missing
    for place, plane in planes.items():
        if not 0 <= place < shape[axis]:
            raise ValueError(f"slice {place} of a volume of {shape[axis]} slices")
        if plane.shape != expected:
            raise ValueError(f"slice {place} has shape {plane.shape}, expected {expected}")
        places[place] = plane
    return volume
