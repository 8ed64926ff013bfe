"""Slices of volumes: intensities, class ids, and how they are stacked again."""

from __future__ import annotations

import numpy as np
import pytest

from wsstools.core.volumes.slicing import class_ids, grey_levels, intensity_range, stacked


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_percentiles_are_those_of_all_voxels(dtype):
    volume = np.random.default_rng(0).integers(0, 200, (3, 4, 5)).astype(dtype)
    expected = tuple(np.percentile(volume.astype(float), [2, 97]))
    assert intensity_range(volume, (2, 97)) == pytest.approx(expected)


def test_what_is_not_finite_does_not_count():
    volume = np.array([[[np.nan, -np.inf, 3.0, 5.0, np.inf]]])
    assert intensity_range(volume, (0, 100)) == (3, 5)
    with pytest.raises(ValueError, match="no voxel is finite"):
        intensity_range(np.full((2, 2), np.nan), (0, 100))


def test_white_and_black_are_reached_and_not_passed():
    levels = grey_levels(np.array([-5, 0, 1, 50, 99, 100, 4000], np.int16), 0, 100)
    assert levels.tolist() == [0, 0, 3, 128, 252, 255, 255]
    assert levels.dtype == np.uint8


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.uint64, np.float32])
def test_ids_of_every_type(dtype):
    values = np.array([[0, 1], [1, 0]]).astype(dtype)
    assert class_ids(values).tolist() == [[0, 1], [1, 0]]
    assert class_ids(values, unlabelled=0, first=1).tolist() == [[255, 0], [0, 255]]


def test_ids_beyond_the_labels_are_refused():
    assert class_ids(np.array([254, 255])).tolist() == [254, 255]
    assert class_ids(np.array([1000, 7]), unlabelled=1000).tolist() == [255, 7]
    for value in (-1, 256, 2**63 - 1):
        with pytest.raises(ValueError, match="no class"):
            class_ids(np.array([0, value]))
    with pytest.raises(ValueError, match=r"the value 0 is no class \(class 0 is 1"):
        class_ids(np.array([0, 1]), first=1)
    with pytest.raises(ValueError, match="complex128, expected whole numbers"):
        class_ids(np.array([1j]))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stacking_undoes_cutting(axis):
    volume = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    planes = {k: np.take(volume, k, axis) for k in range(volume.shape[axis])}
    np.testing.assert_array_equal(stacked(planes, (2, 3, 4), axis, np.array(9)), volume)
    del planes[1]
    expected = volume.copy()
    np.moveaxis(expected, axis, 0)[1] = 9
    np.testing.assert_array_equal(stacked(planes, (2, 3, 4), axis, np.array(9)), expected)


def test_slices_that_do_not_fit():
    with pytest.raises(ValueError, match="slice 2 of a volume of 2 slices"):
        stacked({2: np.zeros((3, 4))}, (2, 3, 4), 0, np.array(0))
    with pytest.raises(ValueError, match=r"slice 0 has shape \(4, 3\), expected \(3, 4\)"):
        stacked({0: np.zeros((4, 3))}, (2, 3, 4), 0, np.array(0))
