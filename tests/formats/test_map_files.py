"""Maps as files: what is written is read back, and maps of others are read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from builders import META, draw_image, noisy_map, npz

from wsstools.core.maps import ProbabilityMap
from wsstools.formats import map_files
from wsstools.formats.map_files import as_stored, decode_map, encode_map


def a_map(shape=(50, 60)) -> ProbabilityMap:
    return noisy_map(np.zeros(shape, np.uint8), 0)


def test_a_map_is_read_back_to_5e_4():
    one = a_map()
    decoded = map_files.decode_map(map_files.encode_map(one, META), "x.npz")
    assert decoded.meta == META
    assert decoded.value.classes.tolist() == [0, 1, 3]
    assert decoded.value.n_classes == 4
    with np.load(io.BytesIO(map_files.encode_map(one, META)), allow_pickle=False) as archive:
        assert archive["probs"].dtype == np.float16
        assert archive["classes"].dtype == np.int16
        assert archive["n_classes"].dtype == np.int16
        assert archive["n_classes"].shape == ()
        assert archive["meta"].dtype.kind == "U"
        assert np.abs(archive["probs"].astype(np.float32) - one.probs).max() <= 5e-4


@pytest.mark.parametrize("meta", [{}, [1], "x", {**META, "inputs": [{"role": 1}]}])
def test_a_record_that_is_none_of_ours_is_passed_over(meta):
    assert map_files.decode_map(map_files.encode_map(a_map(), meta), "x.npz").meta is None


def test_the_same_map_gives_the_same_bytes():
    assert map_files.encode_map(a_map(), META) == map_files.encode_map(a_map(), META)


def test_classes_that_round_to_zero_everywhere_are_left_out():
    probs = np.zeros((3, 4, 5), np.float32)
    probs[0], probs[1], probs[2] = 0.9997, 0.0003, 0.0
    stored = map_files.encode_map(ProbabilityMap(probs, np.array([2, 5, 7]), 9), META)
    assert map_files.decode_map(stored, "x").value.classes.tolist() == [2]


@pytest.mark.parametrize("key", ["probs", "probabilities", "arr_0"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dense_maps_of_others_are_taken_and_told(key, dtype):
    dense = a_map().dense().astype(dtype)
    decoded = map_files.decode_map(npz(**{key: dense}), "x.npz")
    assert decoded.value.n_classes == 4
    assert key in decoded.note
    np.testing.assert_allclose(decoded.value.probs, dense.astype(np.float32), atol=2e-3)


def test_a_npy_is_taken_too():
    buffer = io.BytesIO()
    np.save(buffer, a_map().dense())
    assert map_files.decode_map(buffer.getvalue(), "x.npy").value.n_classes == 4


def test_a_map_as_stored_is_what_comes_back_from_its_file():
    _, labels, _ = draw_image(0)
    found = noisy_map(labels, 0)
    back = decode_map(encode_map(found, {}), "a").value
    stored = as_stored(found)
    assert (stored.probs == back.probs).all()
    assert (stored.classes == back.classes).all()
    assert stored.n_classes == back.n_classes
