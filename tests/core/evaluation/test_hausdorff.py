"""HD95 against brute force over all pairs of surface voxels, and against medpy's algorithm."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import ndimage

from wsstools.core.evaluation.hausdorff import hausdorff_95, surface

SPACINGS = [(1, 1, 1), (10, 1.4, 1.4), (0.3, 2, 0.7)]


def brute_surface(region):
    """Voxels with a neighbour by a face that is not in the region, one by one."""
    found = set()
    for place in map(tuple, np.argwhere(region)):
        for axis, step in product(range(region.ndim), (-1, 1)):
            near = list(place)
            near[axis] += step
            inside = all(0 <= n < size for n, size in zip(near, region.shape, strict=True))
            if not (inside and region[tuple(near)]):
                found.add(place)
    return sorted(found)


def brute_hd95(first, second, spacing):
    points = [np.array(brute_surface(region)) * spacing for region in (first, second)]
    pairs = np.sqrt(((points[0][:, None] - points[1][None]) ** 2).sum(axis=2))
    return np.percentile([*pairs.min(axis=1), *pairs.min(axis=0)], 95)


def medpy_hd95(result, reference, voxelspacing):
    """What medpy.metric.binary.hd95 computes, on whole arrays."""
    footprint = ndimage.generate_binary_structure(result.ndim, 1)

    def surface_distances(of, to):
        of_border, to_border = (
            one ^ ndimage.binary_erosion(one, structure=footprint, iterations=1) for one in (of, to)
        )
        return ndimage.distance_transform_edt(~to_border, sampling=voxelspacing)[of_border]

    both = surface_distances(result, reference), surface_distances(reference, result)
    return np.percentile(np.hstack(both), 95)


def regions(seed, shape=(5, 8, 9)):
    """Two regions: blobs that touch the edges of the array, and single voxels."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal((2, *shape)), (0, 1, 1, 1))
    return [(one > 0.1) | (rng.random(shape) > 0.99) for one in smooth]


@pytest.mark.parametrize("seed", range(6))
def test_a_surface_is_that_of_brute_force(seed):
    for region in regions(seed):
        assert list(map(tuple, np.argwhere(surface(region)))) == brute_surface(region)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(6))
def test_hd95_is_that_of_brute_force_and_of_medpy(seed, spacing):
    first, second = regions(seed)
    found = hausdorff_95(first, second, spacing)
    assert found == pytest.approx(brute_hd95(first, second, spacing), rel=1e-12)
    assert found == medpy_hd95(first, second, spacing)
    assert found == hausdorff_95(second, first, spacing)


def test_the_box_around_far_regions_changes_nothing():
    first, second = np.zeros((2, 6, 30, 40), bool)
    first[1:3, 4:9, 5:9] = second[4, 20:25, 30:33] = True
    spacing = SPACINGS[1]
    assert hausdorff_95(first, second, spacing) == medpy_hd95(first, second, spacing)


def test_equal_regions_are_at_no_distance():
    first, _ = regions(0)
    assert hausdorff_95(first, first, (1, 1, 1)) == 0


def test_an_empty_region_is_an_error():
    first, _ = regions(0)
    with pytest.raises(ValueError, match="a region is empty"):
        hausdorff_95(first, np.zeros_like(first), (1, 1, 1))
