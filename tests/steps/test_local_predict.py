"""`local-predict`: walks and boosting on folders."""

from __future__ import annotations

import inspect
import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from builders import N_CLASSES, STEMS, draw_image, folder_bytes

from wsstools.core.local.random_walker import random_walker
from wsstools.core.local.settings import BoostingSettings, ParzenSettings, WalkerSettings
from wsstools.formats import label_files, map_files

OPTIONS = {"walker": [], "boosting": ["--rounds", "10", "--l2", "1"], "gmm": [], "parzen": []}
EACH = pytest.mark.parametrize("model", OPTIONS)


@pytest.fixture
def local(wss, dataset, tmp_path):
    """Run a model on the data set (or another) into a folder of tmp_path."""

    def run(model: str, out: str, *more: object, data=dataset):
        inputs = [data / "images", data / "scribbles"]
        options = ["-o", tmp_path / out, "--model", model, *OPTIONS[model]]
        return wss("local-predict", *inputs, *options, *more)

    return run


def test_the_walkers_default_is_that_of_its_settings():
    defaults = inspect.signature(random_walker).parameters
    assert defaults["beta"].default == WalkerSettings().beta


@EACH
def test_one_and_two_jobs_give_the_same_maps_and_a_rerun_writes_nothing(local, model, tmp_path):
    one = local(model, "one", "--jobs", 1)
    assert one.code == 0, one.err
    assert [path.stem for path in one.paths] == list(STEMS)
    two = local(model, "two", "--jobs", 2)
    assert two.code == 0, two.err
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").iterdir()}
    again = local(model, "one", "--jobs", 1)
    assert again.paths == one.paths
    assert "skipped 4 (up to date)" in again.err
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "one").iterdir()}
    for path in one.paths:
        with np.load(path, allow_pickle=False) as archive:
            probs, classes = archive["probs"], archive["classes"]
        assert probs.shape == (3, 40, 56)
        assert classes.tolist() == [0, 1, 3]
        np.testing.assert_allclose(probs.astype(float).sum(axis=0), 1, atol=3e-3)
        _, labels, _ = draw_image(STEMS.index(path.stem))
        right = (classes[probs.argmax(axis=0)] == labels).mean()
        assert right > (0.7 if model in ("gmm", "parzen") else 0.9)  # of colours alone


@EACH
def test_the_record_holds_the_options_of_this_model_only(local, model, tmp_path):
    local(model, "out", "--jobs", 1)
    meta = map_files.read_meta(tmp_path / "out" / "a.npz")
    assert meta["kind"] == "prob"
    assert meta["step"] == "local-predict"
    assert [entry["role"] for entry in meta["inputs"]] == ["image", "scribbles"]
    options = meta["options"]
    assert options.pop("model") == model
    assert options.pop("n_classes") == N_CLASSES
    if model == "walker":
        assert options == {"beta": WalkerSettings.beta}
        assert meta["result"] == {"reduced_by": 1}
    elif model == "gmm":
        assert options == {"components": 5, "seed": 0}
    elif model == "parzen":
        assert options == asdict(ParzenSettings())
    else:
        assert options.pop("filters") == "gabor"
        assert options.keys() >= asdict(BoostingSettings()).keys()
        assert options["rounds"] == 10
        assert "beta" not in options


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("walker", ["--beta", 2]),
        ("boosting", ["--seed", 1]),
        ("gmm", ["--components", 2]),
        ("parzen", ["--reach", 1]),
    ],
)
def test_other_options_are_refused_and_overwrite_replaces(local, model, change, tmp_path):
    local(model, "out", "--jobs", 1)
    before = folder_bytes(tmp_path / "out")
    refused = local(model, "out", "--jobs", 1, *change)
    assert refused.code == 2
    assert "other options" in refused.err
    assert folder_bytes(tmp_path / "out") == before
    assert local(model, "out", "--jobs", 1, "--overwrite", *change).code == 0
    for name in before:
        old = map_files.decode_map(before[name], name).value.probs
        new = map_files.decode_map((tmp_path / "out" / name).read_bytes(), name).value.probs
        assert not np.array_equal(old, new)


@EACH
def test_what_is_wrong_with_one_image_stops_no_other(local, model, dataset, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(dataset, data)
    (data / "scribbles" / "a.png").unlink()
    empty = np.full((40, 56), 255, np.uint8)
    (data / "scribbles" / "b.png").write_bytes(label_files.encode_labels(empty, {}))
    outcome = local(model, "out", "--jobs", 1, data=data)
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == ["c", "d"]
    assert "b: skipped: no scribble" in outcome.err
    assert "1 left out (no scribbles)" in outcome.err
    (data / "scribbles" / "b.png").write_bytes(label_files.encode_labels(empty[:10, :10], {}))
    (data / "images" / "c.png").write_bytes(b"no picture")
    outcome = local(model, "other", "--jobs", 1, data=data)
    assert outcome.code == 1
    assert "b: failed: image has shape (40, 56), scribbles (10, 10)" in outcome.err
    assert "c.png: not a readable image" in outcome.err
    assert [path.stem for path in outcome.paths] == ["d"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "forest"],
            "expected one of boosting, gmm, linear, parzen, walker; wss rf-predict is the random",
        ),
        (["--model", "walker", "--rounds", "3"], "--rounds does not belong to --model walker"),
        (["--model", "walker", "--seed", "1"], "--seed does not belong to --model walker"),
        (["--model", "walker", "--filters", "gabor"], "--filters does not belong to"),
        (["--model", "walker", "--scales", "1,2"], "--scales does not belong to"),
        (["--model", "boosting", "--beta", "3"], "--beta does not belong to --model boosting"),
        (["--model", "walker", "--beta", "-1"], "--beta -1: expected a number 0 or more"),
        (["--model", "walker", "--beta", "nan"], "--beta nan: expected a number 0 or more"),
        (["--model", "boosting", "--learning-rate", "0"], "--learning-rate 0: expected a number"),
        (["--model", "boosting", "--leaves", "1"], "--leaves"),
        (["--model", "gmm", "--components", "0"], "--components"),
        (["--model", "gmm", "--filters", "gabor"], "--filters does not belong to"),
        (["--model", "parzen", "--bandwidth", "0"], "--bandwidth 0: expected a number above 0"),
        (["--model", "parzen", "--components", "3"], "--components does not belong to"),
        (["--model", "parzen", "--seed", "1"], "--seed does not belong to --model parzen"),
        ([], "--model"),
    ],
)
def test_wrong_options_are_refused(wss, dataset, tmp_path, arguments, message):
    inputs = [dataset / "images", dataset / "scribbles"]
    outcome = wss("local-predict", *inputs, "-o", tmp_path / "out", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_weights_in_the_environment_is_no_option_of_the_walker(
    local, tmp_path, monkeypatch
):
    monkeypatch.setenv("WSS_WEIGHTS", str(tmp_path))
    assert local("walker", "out", "--jobs", 1).code == 0


@pytest.mark.slow
def test_maps_go_on_down_the_pipe(shell, wss, dataset, tmp_path):
    outcome = shell(
        f"wss local-predict {dataset}/images {dataset}/scribbles -o walk/ --model walker -j 1 |"
        f" wss regularize --potts --lambda 1 --images {dataset}/images - -o smooth/ -j 1 |"
        " wss argmax - -o labels/ -j 1"
    )
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == list(STEMS)
    scored = json.loads(wss("score", tmp_path / "labels", dataset / "gt", "--json").out)
    assert scored["miou"] > 0.95
