"""Maps as files: what is written is read back, and maps of others are read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from builders import META, draw_image, noisy_map, npy, npz

from wsstools.core.maps import ProbabilityMap
from wsstools.core.stored_maps import checked_map
from wsstools.errors import DataError
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


@pytest.mark.parametrize("key", ["probs", "probabilities", "softmax", "arr_0"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dense_maps_of_others_are_taken_and_reported(key, dtype):
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
    assert (stored.whole().probs == back.probs).all()
    assert (stored.classes == back.classes).all()
    assert stored.n_classes == back.n_classes


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("key", ["probabilities", "softmax"])
@pytest.mark.parametrize(
    "as_saved",
    [
        lambda dense: dense[:, None],  # nnU-Net, of a picture
        lambda dense: dense[None],  # a batch of one
        lambda dense: dense[None, :, None],
    ],
)
def test_axes_of_length_1_do_not_count(as_saved, key, dtype):
    dense = a_map((24, 32)).dense().astype(dtype)
    found = map_files.decode_map(npz(**{key: as_saved(dense)}), "x.npz").value
    assert found.shape == (24, 32)
    assert found.n_classes == 4
    np.testing.assert_allclose(found.probs, dense.astype(np.float32), atol=2e-3)
    found = map_files.decode_map(npy(as_saved(dense)), "x.npy").value
    np.testing.assert_allclose(found.probs, dense.astype(np.float32), atol=2e-3)


def test_a_picture_of_one_row_keeps_its_axes():
    dense = a_map((1, 32)).dense()
    np.testing.assert_allclose(decode_map(npy(dense), "x").value.probs, dense, atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 32), (4, 32), (3, 3)])
def test_classes_in_the_last_axis_are_recognized(shape):
    dense = np.moveaxis(a_map(shape).dense(), 0, -1)
    with pytest.raises(DataError, match=r"x.npy: .*1 over the last axis: it is \(H, W, C\)"):
        decode_map(npy(dense), "x.npy")


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        (np.zeros((4, 3, 24, 32), np.float32), r"a volume or a batch, \(4, 3, 24, 32\).*slices"),
        (np.full((4, 5, 6), 3.0), "do not sum to 1 over the classes"),
        (np.zeros((2, 1, 24, 32), int), r"int64 \(2, 1, 24, 32\), expected floats"),
        (np.zeros((5, 6)), r"float64 \(5, 6\), expected floats"),
    ],
)
def test_what_is_no_map_is_refused_with_its_shape(probs, message):
    with pytest.raises(DataError, match=f"^x: not a map: .*{message}"):
        decode_map(npz(probabilities=probs), "x")


def test_a_map_of_thousands_of_classes_is_read_back_or_refused():
    probs = np.zeros((3000, 2, 2), np.float32)
    probs[2999, 0], probs[:, 1] = 1, 0
    probs[:1500, 1] = 1 / 1500
    found = decode_map(encode_map(checked_map(probs, np.arange(3000), 3000), META), "x").value
    assert (found.n_classes, len(found.classes), found.classes[-1]) == (3000, 1501, 2999)
    np.testing.assert_allclose(found.of_class(7)[1], 1 / 1500, atol=5e-4)
    even = checked_map(np.full((3000, 2, 2), 1 / 3000), np.arange(3000), 3000)
    with pytest.raises(ValueError, match="none of 3000 classes has a probability of 1/2048"):
        encode_map(even, META)


def test_class_ids_do_not_lose_bits():
    arrays = {"probs": np.ones((1, 2, 2), np.float16), "n_classes": np.int16(3)}
    data = npz(**arrays, classes=np.array([2**63], np.uint64))
    with pytest.raises(DataError, match="reach beyond"):
        decode_map(data, "x")


def test_a_record_that_no_reader_takes_is_not_written():
    record = {**META, "options": {"x": "a" * (1 << 24)}}
    with pytest.raises(ValueError, match=r"16,777,\d+ letters, expected fewer"):
        encode_map(checked_map(np.ones((1, 2, 2)), [0], 1), record)
