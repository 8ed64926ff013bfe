"""adjust-prior: Bayes' rule with other class shares."""

import json

import numpy as np
import pytest
from builders import folder_bytes

from wsstools.core.map_operations import adjust_prior, class_shares
from wsstools.core.maps import ProbabilityMap
from wsstools.formats.label_files import decode_labels, encode_labels
from wsstools.formats.map_files import as_stored, decode_map

SHAPE = (40, 50)


def a_map(probs, n_classes=None):
    probs = np.asarray(probs, np.float32)
    return ProbabilityMap(probs, np.arange(len(probs)), n_classes or len(probs))


def test_a_model_of_balanced_classes_becomes_the_one_of_their_true_shares():
    """Two Gaussian classes: the posterior under even shares, adjusted, is that under 0.9, 0.1."""
    x = np.linspace(-4, 4, 200)
    likelihood = np.stack([np.exp(-((x + 1) ** 2) / 2), np.exp(-((x - 1) ** 2) / 2)])
    shares = np.array([0.9, 0.1])

    def posterior(prior):
        joint = likelihood * prior[:, None]
        return (joint / joint.sum(0))[:, None, :]

    even = np.array([0.5, 0.5])
    adjusted = adjust_prior(a_map(posterior(even)), even, shares)
    np.testing.assert_allclose(adjusted.probs, posterior(shares), atol=1e-6)
    half = adjust_prior(a_map(posterior(even)), even, shares, 0.5)
    twice = adjust_prior(half, even, shares, 0.5)
    np.testing.assert_allclose(twice.probs, adjusted.probs, atol=1e-6)
    same = adjust_prior(a_map(posterior(even)), even, shares, 0.0)
    np.testing.assert_allclose(same.probs, posterior(even), atol=1e-6)


def test_classes_keep_their_ids_and_the_sum_stays_one():
    rng = np.random.default_rng(0)
    probs = np.moveaxis(rng.dirichlet([1, 1, 1], SHAPE), -1, 0).astype(np.float32)
    found = ProbabilityMap(probs, np.array([1, 4, 6]), 8)
    learned, wanted = (
        class_shares(np.arange(1, 9)),
        class_shares(np.array([0, 9, 0, 1, 5, 0, 1, 0])),
    )
    adjusted = adjust_prior(found, learned, wanted)
    assert adjusted.classes.tolist() == [1, 4, 6]
    np.testing.assert_allclose(adjusted.probs.sum(0), 1, atol=1e-6)
    ratio = (wanted[4] / learned[4]) / (wanted[1] / learned[1])
    np.testing.assert_allclose(
        adjusted.probs[1] * probs[0], ratio * adjusted.probs[0] * probs[1], rtol=1e-5
    )


def test_a_class_of_almost_no_share_is_not_lost_where_it_stands_alone():
    probs = np.zeros((2, 1, 2), np.float32)
    probs[1, 0, 0], probs[0, 0, 1] = 1, 1
    adjusted = adjust_prior(a_map(probs), class_shares(np.array([1, 9])), np.array([1, 1e-44]))
    assert adjusted.probs[:, 0, 0].tolist() == [0, 1]
    assert adjusted.probs[:, 0, 1].tolist() == [1, 0]


def test_shares_that_do_not_fit_are_refused():
    found = a_map(np.full((2, 1, 1), 0.5))
    even = np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="shares of 3 classes, the map has 2"):
        adjust_prior(found, even, np.ones(3) / 3)
    with pytest.raises(ValueError, match="not positive"):
        adjust_prior(found, np.array([1.0, 0.0]), even)
    with pytest.raises(ValueError, match="no pixel"):
        class_shares(np.zeros(3, int))


def read(path):
    return decode_map(path.read_bytes(), str(path)).value


@pytest.fixture
def lopsided(dataset, tmp_path):
    """Labels of which class 0 holds nine tenths, 1 the rest; another file holds 255 only."""
    labels = np.zeros((10, 10), np.uint8)
    labels[:, 0] = 1
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "elsewhere.png").write_bytes(encode_labels(labels, {}))
    (tmp_path / "to" / "empty.png").write_bytes(encode_labels(np.full_like(labels, 255), {}))
    return tmp_path / "to"


def test_the_shares_are_those_of_the_folders(wss, dataset, lopsided, tmp_path):
    options = ("--from", dataset / "gt", "--to", lopsided)
    done = wss("adjust-prior", dataset / "maps", *options, "-o", tmp_path / "all")
    assert done.code == 0, done.err
    truths = [decode_labels(p.read_bytes(), str(p)).value for p in (dataset / "gt").glob("*.png")]
    pixels = np.bincount(np.ravel(truths), minlength=4)
    learned = class_shares(pixels)
    wanted = class_shares(np.array([90, 10, 0, 0]))
    for path in done.paths:
        expected = adjust_prior(read(dataset / "maps" / path.name), learned, wanted)
        np.testing.assert_array_equal(read(path).probs, as_stored(expected).probs)
    told = json.loads(wss("info", "--json", done.paths[0]).out)
    assert told["meta"]["options"] == {"power": 1.0, "from": pixels.tolist(), "to": [90, 10]}


def test_a_shard_has_the_bytes_of_the_whole_run(wss, dataset, lopsided, tmp_path):
    options = ("--from", dataset / "scribbles", "--to", lopsided, "--power", 0.5)
    wss("adjust-prior", dataset / "maps", *options, "-o", tmp_path / "all", "--jobs", 2)
    for shard in ("1/2", "2/2"):
        again = (*options, "--shard", shard, "-o", tmp_path / "parts", "--jobs", 1)
        assert wss("adjust-prior", dataset / "maps", *again).code == 0
    assert folder_bytes(tmp_path / "all") == folder_bytes(tmp_path / "parts")


def test_bad_folders_are_told(wss, dataset, lopsided, tmp_path):
    run = ("adjust-prior", dataset / "maps", "-o", tmp_path / "out", "--from")
    (lopsided / "elsewhere.png").unlink()
    empty = wss(*run, dataset / "gt", "--to", lopsided)
    assert empty.code == 1
    assert "no pixel carries a class" in empty.err
    stream = wss(*run, dataset / "gt", "--to", "-")
    assert stream.code == 2
    assert "--to -: expected a folder" in stream.err
    beyond = np.full((4, 4), 7, np.uint8)
    (lopsided / "beyond.png").write_bytes(encode_labels(beyond, {}))
    failed = wss(*run, dataset / "gt", "--to", lopsided)
    assert failed.code == 1
    assert "the map has 4 classes, the labels hold class 7" in failed.err
