"""Maps in the numbers of their files."""

import numpy as np
import pytest
from builders import draw_image, noisy_map

from wsstools.core.map_operations import (
    argmax_labels,
    fuse_maps,
    stored_labels,
    stored_without_improbable,
    without_improbable,
)
from wsstools.core.maps import ProbabilityMap
from wsstools.core.stored_maps import StoredMap, bands, by_rows, checked_map, checked_stored_map


@pytest.fixture(params=[1 << 16, 200])
def bands_of(request, monkeypatch):
    monkeypatch.setattr("wsstools.core.stored_maps._PIXELS_AT_ONCE", request.param)


@pytest.fixture
def dense():
    return noisy_map(draw_image(0)[1], 0)


@pytest.fixture
def stored(dense, bands_of):
    return StoredMap.of(dense)


def test_bands_are_all_rows_in_their_order():
    assert [r for rows in bands((5, 1 << 15)) for r in range(*rows.indices(5))] == [*range(5)]
    assert len(list(bands((5, 1 << 15)))) == 3


def test_it_is_off_by_no_more_than_the_grid(stored, dense):
    whole = stored.whole()
    assert np.abs(whole.probs - dense.probs).max() <= len(dense.probs) / 2048
    np.testing.assert_allclose(whole.probs.sum(axis=0), 1, atol=1e-6)
    part = stored.window(slice(3, 9), slice(2, 20))
    assert np.array_equal(part.probs, whole.probs[:, 3:9, 2:20])
    assert stored.values.dtype == np.float16


def test_what_is_put_into_parts_is_the_whole(stored, dense):
    made = StoredMap.blank(stored.classes, stored.n_classes, stored.shape)
    for rows in (slice(0, 7), slice(7, stored.shape[0])):
        for columns in (slice(0, 11), slice(11, stored.shape[1])):
            made.put(dense.probs[:, rows, columns], rows, columns)
    assert np.array_equal(made.values, stored.values)


def test_steps_give_the_same_by_rows(stored):
    other = StoredMap.of(noisy_map(draw_image(0)[1], 1))
    dense = fuse_maps([stored.whole(), other.whole()], [1, 2])
    found = by_rows(lambda maps: fuse_maps(maps, [1, 2]), [stored, other])
    assert np.array_equal(found.values, StoredMap.of(dense).values)
    assert np.array_equal(stored_labels(found), argmax_labels(found.whole()))
    lower = StoredMap(other.values[:, 1:], other.classes, other.n_classes)
    with pytest.raises(ValueError, match="maps have shapes"):
        by_rows(lambda maps: fuse_maps(maps, [1, 2]), [stored, lower])


@pytest.mark.parametrize("floor", [1e-3, 0.3])
def test_improbable_classes_leave_it_too(bands_of, floor):
    probs = np.zeros((4, 30, 40), np.float32)
    probs[0], probs[1, :, 20:], probs[2, 5:7, 5], probs[3] = 0.55, 0.25, 0.002, 0.0001
    whole = checked_map(probs / probs.sum(axis=0), np.arange(4), 4)
    found = stored_without_improbable(StoredMap.of(whole), floor)
    wanted = without_improbable(whole, floor)
    assert found.classes.tolist() == wanted.classes.tolist()
    assert np.abs(found.whole().probs - wanted.probs).max() < 2e-3


def test_classes_that_are_nowhere_are_not_held(stored):
    wide = StoredMap.blank(np.arange(6), 7, (3, 4))
    wide.values[[1, 4]] = 0.5
    assert wide.held().classes.tolist() == [1, 4]
    assert stored.held() is stored


def test_what_is_no_map_is_refused_wherever_it_is(bands_of):
    good = np.full((2, 40, 30), 0.5, np.float32)
    for value, message in ((np.nan, "not finite"), (-0.5, "negative"), (0.7, "do not sum to 1")):
        bad = good.copy()
        bad[1, 39, 29] = value
        with pytest.raises(ValueError, match=message):
            checked_stored_map(bad, [0, 1], 2)
    with pytest.raises(ValueError, match="not finite"):
        StoredMap.of(ProbabilityMap(good * np.float32(np.inf), np.arange(2), 2))
