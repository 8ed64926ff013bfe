"""`train` and `global-predict` on a tiny data set, from random weights."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SHARED, STEMS, folder_bytes

from wsstools.io import mapfile

ITERATIONS = 6


def train_command(data: Path, model: Path, *more: object) -> list[str]:
    command = [
        "train", "--images", data / "images", "--labels", data / "scribbles",
        "--ids", data / "train.txt", "--arch", "deeplabv2-mobilenetv2", "--init", "random",
        "--iterations", ITERATIONS, "--batch", 2, "--crop", 33, "--checkpoint-every", 2,
        "--precision", "float32", "-o", model, *more,
    ]  # fmt: skip
    return [str(argument) for argument in command]


@pytest.fixture(scope="module")
def model(dataset, tmp_path_factory) -> Path:
    """A model that was trained without interruption."""
    path = tmp_path_factory.mktemp("model") / "net.pt"
    subprocess.run(
        [sys.executable, "-m", "wsstools", *train_command(dataset, path)],
        check=True,
        capture_output=True,
    )
    return path


def test_training_leaves_a_model_and_a_log(model):
    assert sorted(path.name for path in model.parent.iterdir()) == ["net.pt", "net.pt.csv"]
    header, *lines = (model.parent / "net.pt.csv").read_text().splitlines()
    assert header == "iteration,loss,learning_rate"
    assert [int(line.split(",")[0]) for line in lines] == list(range(1, ITERATIONS + 1))
    rates = [float(line.split(",")[2]) for line in lines]
    assert rates == sorted(rates, reverse=True)


def test_a_model_stands_and_other_options_are_refused(wss, dataset, model):
    before = model.stat().st_mtime_ns
    again = wss(*train_command(dataset, model))
    assert (again.code, again.paths) == (0, [model])
    assert "stands already" in again.err
    other = wss(*train_command(dataset, model, "--seed", 1))
    assert other.code == 2
    assert "seed 0 (now 1)" in other.err
    assert model.stat().st_mtime_ns == before


def test_a_killed_training_goes_on_to_the_same_bytes(dataset, model, tmp_path):
    path = tmp_path / "net.pt"
    command = [sys.executable, "-m", "wsstools", *train_command(dataset, path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = path.with_name("net.pt.checkpoint")
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    assert not path.exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on from iteration" in done.stderr
    assert path.read_bytes() == model.read_bytes()
    assert (tmp_path / "net.pt.csv").read_bytes() == (model.parent / "net.pt.csv").read_bytes()
    assert not checkpoint.exists()


def test_a_checkpoint_of_other_options_is_refused(wss, dataset, model, tmp_path):
    path = tmp_path / "net.pt"
    path.with_name("net.pt.checkpoint").write_bytes(b"broken")
    outcome = wss(*train_command(dataset, path))
    assert outcome.code == 1
    assert "checkpoint" in outcome.err


def test_the_model_tells_what_it_is(wss, model):
    described = json.loads(wss("info", model, "--json").out)
    assert described["what"] == "a model"
    assert described["facts"]["classes"] == "4: sky, grass, unused, water"
    assert described["meta"]["options"]["iterations"] == ITERATIONS
    assert [entry["role"] for entry in described["meta"]["inputs"]] == ["images", "labels"]


def test_global_predict_gives_image_sized_maps_and_the_same_bytes(wss, dataset, model, tmp_path):
    for jobs in (1, 2):
        outcome = wss(
            "global-predict", dataset / "images", "--model", model,
            "-o", tmp_path / f"jobs-{jobs}", "--jobs", jobs,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert [path.stem for path in outcome.paths] == list(STEMS)
    assert folder_bytes(tmp_path / "jobs-1") == folder_bytes(tmp_path / "jobs-2")
    decoded = mapfile.decode_map((tmp_path / "jobs-1" / "a.npz").read_bytes(), "a")
    assert decoded.value.shape == (40, 56)
    assert decoded.value.n_classes == 4
    chain = decoded.meta["inputs"][1]
    assert (chain["role"], chain["made_by"]["step"]) == ("model", "train")


def test_a_file_that_is_no_model_is_refused(wss, dataset, tmp_path):
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no model")
    outcome = wss("global-predict", dataset / "images", "--model", bad, "-o", tmp_path / "o")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert wss("info", bad).code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arch", "unet"], "--arch unet"),
        (["--init", "nowhere.pth"], "--init nowhere.pth"),
        (["--precision", "float8"], "--precision float8"),
        (["--min-scale", "2"], "--min-scale 2"),
        (["--device", "quantum"], "--device quantum"),
    ],
)
def test_wrong_options_are_refused(wss, dataset, tmp_path, arguments, message):
    outcome = wss(*train_command(dataset, tmp_path / "net.pt", *arguments))
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "net.pt").exists()


def test_labels_outside_the_classes_are_refused(wss, dataset, tmp_path):
    outcome = wss(*train_command(dataset, tmp_path / "net.pt", "--n-classes", 2))
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith("wss train: error: ")
    assert "3" in outcome.err.splitlines()[-1]


@pytest.mark.shared
def test_training_starts_from_the_real_imagenet_weights(wss, dataset, tmp_path):
    weights = SHARED / "weights"
    if not (weights / "mobilenet_v2-b0353104.pth").exists():
        pytest.skip("the weights are not there")
    outcome = wss(
        *train_command(dataset, tmp_path / "net.pt"), "--init", "imagenet",
        "--weights-dir", weights,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
