"""The steps on real data sets, where they are beside the checkout."""

from __future__ import annotations

import json

import pytest

from wsstools.formats import map_files

pytestmark = [pytest.mark.shared, pytest.mark.slow]

N_IMAGES = 6


@pytest.fixture
def camvid(shared, tmp_path):
    """The data set and a list of a few of its training images."""
    ids = (shared / "data" / "camvid" / "train.txt").read_text().split()
    chosen = tmp_path / "ids.txt"
    chosen.write_text("\n".join(ids[:: len(ids) // N_IMAGES][:N_IMAGES]))
    return shared / "data" / "camvid", chosen


def miou(wss, maps, gt, ids, tmp_path) -> float:
    labels = tmp_path / f"{maps.name}-labels"
    assert wss("argmax", maps, "-o", labels).code == 0
    return json.loads(wss("score", labels, gt, "--ids", ids, "--json").out)["miou"]


def test_local_model_and_potts_on_camvid(wss, camvid, tmp_path):
    data, ids = camvid
    local, potts = tmp_path / "local", tmp_path / "potts"
    outcome = wss("rf-predict", data / "images", data / "scribbles", "--ids", ids, "-o", local)
    assert outcome.code == 0, outcome.err
    dense = 4 * 11 * 360 * 480
    for path in outcome.paths:
        assert path.stat().st_size < dense / 4
    plain = miou(wss, local, data / "gt", ids, tmp_path)
    assert plain > 0.30
    outcome = wss("regularize", "--potts", "--images", data / "images", local, "-o", potts)
    assert outcome.code == 0, outcome.err
    assert all(map_files.read_meta(path)["result"]["gap"] <= 1e-3 for path in outcome.paths)
    assert miou(wss, potts, data / "gt", ids, tmp_path) > plain + 0.03


def test_grey_images_of_acdc(wss, shared, tmp_path):
    data = shared / "data" / "acdc"
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join((data / "train.txt").read_text().split()[40:44]))
    local = tmp_path / "local"
    outcome = wss("rf-predict", data / "images", data / "scribbles", "--ids", ids, "-o", local)
    assert outcome.code == 0, outcome.err
    outcome = wss("regularize", "--crf", "--images", data / "images", local, "-o", tmp_path / "c")
    assert outcome.code == 0, outcome.err


def test_strokes_of_voc_become_scribbles(wss, shared, tmp_path):
    data = shared / "data" / "voc10"
    outcome = wss(
        "scribbles", data / "scribbles_src", "--images", data / "images", "-o", tmp_path / "out"
    )
    assert outcome.code == 0, outcome.err
    assert len(outcome.paths) == 4


def test_the_papers_160_filters_from_files(wss, camvid, shared, tmp_path):
    data, ids = camvid
    weights = shared / "weights"
    outcome = wss(
        "rf-predict", data / "images", data / "scribbles", "--ids", ids, "--shard", "1/6",
        "--filters", weights / "vgg16_hed_first_blocks.npz",
        "--filters", weights / "caffenet_conv1_bgr.npz", "--filter-input", "caffe",
        "-o", tmp_path / "local",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    meta = map_files.read_meta(outcome.paths[0])
    assert meta["options"]["filters"] == ("vgg16_hed_first_blocks:caffe+caffenet_conv1_bgr:caffe")
    assert [entry["role"] for entry in meta["inputs"]] == [
        "image", "scribbles", "filters", "filters",
    ]  # fmt: skip
