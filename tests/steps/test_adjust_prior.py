"""adjust-prior: Bayes' rule with other class shares."""

import json

import numpy as np
import pytest
from builders import folder_bytes, map_of

from wsstools.core.map_operations import adjust_prior, class_shares, weighted_shares
from wsstools.core.maps import ProbabilityMap
from wsstools.formats.label_files import decode_labels, encode_labels
from wsstools.formats.map_files import as_stored, encode_map


@pytest.fixture
def lopsided(dataset, tmp_path):
    """Labels of which class 0 holds nine tenths, 1 the rest; another file holds 255 only."""
    labels = np.zeros((10, 10), np.uint8)
    labels[:, 0] = 1
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "other.png").write_bytes(encode_labels(labels, {}))
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
        expected = adjust_prior(map_of(dataset / "maps" / path.name), learned, wanted)
        np.testing.assert_array_equal(map_of(path).probs, as_stored(expected).whole().probs)
    info = json.loads(wss("info", "--json", done.paths[0]).out)
    assert info["meta"]["options"] == {"power": 1.0, "from": pixels.tolist(), "to": [90, 10]}


def test_a_shard_has_the_bytes_of_the_whole_run(wss, dataset, lopsided, tmp_path):
    options = ("--from", dataset / "scribbles", "--to", lopsided, "--power", 0.5)
    wss("adjust-prior", dataset / "maps", *options, "-o", tmp_path / "all", "--jobs", 2)
    for shard in ("1/2", "2/2"):
        again = (*options, "--shard", shard, "-o", tmp_path / "parts", "--jobs", 1)
        assert wss("adjust-prior", dataset / "maps", *again).code == 0
    assert folder_bytes(tmp_path / "all") == folder_bytes(tmp_path / "parts")


def test_shares_are_given_as_numbers_too(wss, dataset, tmp_path):
    """Of pixels: 0.1 x 0.5 / 0.25 for class 0, and so on, over their sum."""
    probs = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    (tmp_path / "maps").mkdir()
    one = ProbabilityMap(np.tile(probs[:, None, None], (1, 2, 3)), np.arange(4), 4)
    (tmp_path / "maps" / "a.npz").write_bytes(encode_map(one, {}))
    options = ("--from", "1,1,1,1", "--to", "0.5,0.2,0.2,0.1", "-o", tmp_path / "out")
    done = wss("adjust-prior", tmp_path / "maps", *options)
    assert done.code == 0, done.err
    found = map_of(tmp_path / "out" / "a.npz").probs[:, 1, 2]
    expected = np.array([0.05, 0.04, 0.06, 0.04]) / 0.19
    np.testing.assert_allclose(found, expected, atol=6e-4)
    info = json.loads(wss("info", "--json", done.paths[0]).out)
    assert info["meta"]["options"] == {
        "power": 1.0, "from": [1.0] * 4, "to": [0.5, 0.2, 0.2, 0.1],
    }  # fmt: skip
    for shares, code, reason in (
        ("1,2,3", 1, "the map has 4 classes, there are 3 shares"),
        ("1,-1,1,1", 2, "--to 1,-1,1,1: expected shares"),
        ("0,0,0,0", 2, "--to 0,0,0,0: expected shares"),
    ):
        bad = wss("adjust-prior", tmp_path / "maps", "--from", "1,1,1,1", "--to", shares,
                  "-o", tmp_path / "bad")  # fmt: skip
        assert bad.code == code
        assert reason in bad.err


def test_weighted_shares_are_those_that_a_weighted_loss_has():
    shares, weights = np.array([0.5, 0.25, 0.25]), np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(weighted_shares(shares, weights), [0.25, 0.25, 0.5])
    # Class 1 had no pixels: as the rarest, which has the largest weight.
    weights[1] = 0
    np.testing.assert_allclose(weighted_shares(shares, weights), np.array([0.5, 1, 1]) / 2.5)
    with pytest.raises(ValueError, match="2 class weights, 3 shares"):
        weighted_shares(shares, weights[:2])


def test_bad_folders_are_reported(wss, dataset, lopsided, tmp_path):
    run = ("adjust-prior", dataset / "maps", "-o", tmp_path / "out", "--from")
    (lopsided / "other.png").unlink()
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
