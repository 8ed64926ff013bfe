"""`train` and `global-predict` on a tiny data set, from random weights."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import PATIENCE, SHARED, STEMS, draw_image, folder_bytes, wait_until
from forking import run_together

from wsstools.core.compiled.processor import processor
from wsstools.formats import map_files
from wsstools.formats.label_files import decode_labels, encode_labels
from wsstools.nn.data.pairs import CachedPairs, LabelledImages
from wsstools.nn.models.model_files import decode_model
from wsstools.nn.predict import predict_probs
from wsstools.nn.training.schedules import SCHEDULES, hour_options
from wsstools.steps import train as steps_train

pytestmark = pytest.mark.trains
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
def model(dataset, program, tmp_path_factory) -> Path:
    """A model that was trained without interruption."""
    path = tmp_path_factory.mktemp("model") / "net.pt"
    subprocess.run([program, *train_command(dataset, path)], check=True, capture_output=True)
    return path


def start(arguments: list[str], **streams: object) -> subprocess.Popen[str]:
    """A `wss` of its own, to be stopped."""
    return subprocess.Popen([sys.executable, "-m", "wsstools", *arguments], text=True, **streams)


def finished(program: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """A run that goes on."""
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_training_leaves_a_model_and_a_log(model):
    assert sorted(path.name for path in model.parent.iterdir()) == ["net.pt", "net.pt.csv"]
    header, *lines = (model.parent / "net.pt.csv").read_text().splitlines()
    assert header == "iteration,loss,learning_rate,val_miou"
    assert [int(line.split(",")[0]) for line in lines] == list(range(1, ITERATIONS + 1))
    rates = [float(line.split(",")[2]) for line in lines]
    assert rates == sorted(rates, reverse=True)


def test_a_model_is_kept_and_other_options_are_refused(wss, dataset, model):
    before = model.stat().st_mtime_ns
    again = wss(*train_command(dataset, model))
    assert (again.code, again.paths) == (0, [model])
    assert "up to date" in again.err
    other = wss(*train_command(dataset, model, "--seed", 1))
    assert other.code == 2
    assert "seed 0 (now 1)" in other.err
    assert model.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bytes(wss, program, dataset, model, tmp_path):
    path = tmp_path / "net.pt"
    command = train_command(dataset, path)
    process = start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = path.with_name("net.pt.checkpoint")
    wait_until(lambda: checkpoint.exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=PATIENCE)
    assert checkpoint.exists()
    assert not path.exists()
    marked = checkpoint.read_bytes()
    done = finished(program, command)
    assert done.returncode == 0, done.stderr
    assert "going on from iteration" in done.stderr
    assert path.read_bytes() == model.read_bytes()
    assert (tmp_path / "net.pt.csv").read_bytes() == (model.parent / "net.pt.csv").read_bytes()
    assert not checkpoint.exists()
    for left, stays in ((marked, False), (b"of another run", True)):  # killed before deleting it
        checkpoint.write_bytes(left)
        assert wss(*train_command(dataset, path)).code == 0
        assert checkpoint.exists() == stays


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


@pytest.mark.slow
def test_global_predict_gives_image_sized_maps_and_the_same_bytes(wss, dataset, model, tmp_path):
    for jobs in (1, 2):
        outcome = wss(
            "global-predict", dataset / "images", "--model", model,
            "-o", tmp_path / f"jobs-{jobs}", "--jobs", jobs,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert [path.stem for path in outcome.paths] == list(STEMS)
    assert folder_bytes(tmp_path / "jobs-1") == folder_bytes(tmp_path / "jobs-2")
    decoded = map_files.decode_map((tmp_path / "jobs-1" / "a.npz").read_bytes(), "a")
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
        (["--arch", "segnet"], "--arch segnet"),
        (["--arch", "unet", "--output-stride", "8"], "--output-stride 8: expected 1, the only"),
        (["--arch", "unet", "--init", "imagenet"], "unet has no such weights; give --init random"),
        (["--init", "nowhere.pth"], "--init nowhere.pth"),
        (["--precision", "float8"], "--precision float8"),
        (["--min-scale", "2"], "--min-scale 2"),
        (["--device", "quantum"], "--device quantum"),
        (["--accumulate", "3"], "a batch of 2 cannot be split into 3 parts (--accumulate)"),
        (["--accumulate", "0"], "--accumulate"),
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


def test_labels_outside_classes_txt_are_refused_by_its_name(wss, dataset, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(dataset, data)
    (data / "classes.txt").write_text("sky\ngrass\nwater\n")
    outcome = wss(*train_command(data, tmp_path / "net.pt"))
    assert outcome.code == 1
    assert f"labels hold the value 3; {data / 'classes.txt'} names the classes 0..2" in outcome.err


@pytest.mark.slow
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


def log_of(model: Path) -> dict[str, list[float]]:
    """The columns of a model's log; what is empty is left out."""
    header, *lines = model.with_name(model.name + ".csv").read_text().splitlines()
    columns = zip(*(line.split(",") for line in lines), strict=True)
    return {
        name: [float(value) for value in column if value]
        for name, column in zip(header.split(","), columns, strict=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_a_signal_leaves_a_checkpoint_and_the_run_goes_on(
    program, dataset, model, tmp_path, number, code
):
    path = tmp_path / "net.pt"
    command = train_command(dataset, path, "--checkpoint-every", 1000)
    process = start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    log = tmp_path / "net.pt.csv"
    wait_until(
        lambda: (log.exists() and log.read_text().count("\n") > 1) or process.poll() is not None
    )
    process.send_signal(number)
    _, printed = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, printed
    assert printed.splitlines()[-1] == "wss train: interrupted; the same command goes on from here"
    assert path.with_name("net.pt.checkpoint").exists()
    assert not path.exists()
    done = finished(program, command)
    assert done.returncode == 0, done.stderr
    assert "going on from iteration" in done.stderr
    assert path.read_bytes() == model.read_bytes()
    assert log.read_bytes() == (model.parent / "net.pt.csv").read_bytes()


@pytest.mark.slow
def test_two_processes_train_as_one(program, dataset, model, tmp_path):
    """The same losses at the same batch, of which each process has a half.

    Batch normalization is frozen, as it makes rounding grow a hundred thousand times in a network
    of random weights; test_nn_distributed.py compares its gradients in double precision.
    """
    more = [
        "--init", model, "--frozen-batch-norm", "--learning-rate", 1e-3, "--batch", 4,
        "--iterations", 4, "--val-images", dataset / "images", "--val-labels", dataset / "gt",
        "--val-every", 2,
    ]  # fmt: skip
    alone = tmp_path / "alone.pt"
    done = finished(program, train_command(dataset, alone, *more))
    assert done.returncode == 0, done.stderr
    logs = [log_of(alone)]
    for name, given in (("together.pt", more), ("parts.pt", [*more, "--accumulate", 2])):
        path = tmp_path / name
        runs = run_together(program, train_command(dataset, path, *given), timeout=PATIENCE)
        assert [code for code, *_ in runs] == [0, 0], runs
        assert [printed for _, printed, _ in runs] == [f"{path}\n", ""]
        logs.append(log_of(path))
    for log in logs[1:]:
        assert logs[0]["loss"] == pytest.approx(log["loss"], rel=1e-5)
        assert logs[0]["val_miou"] == pytest.approx(log["val_miou"], abs=0.002)
    assert logs[0]["loss"][3] < logs[0]["loss"][0]
    assert len(logs[0]["val_miou"]) == 2


def test_a_model_says_in_how_many_parts_a_batch_was_trained(wss, dataset, model, tmp_path):
    parts, more = tmp_path / "parts.pt", ("--accumulate", 2)
    outcome = wss(*train_command(dataset, parts, *more))
    assert outcome.code == 0, outcome.err
    recorded = [
        json.loads(wss("info", path, "--json").out)["meta"]["options"] for path in (parts, model)
    ]
    assert recorded[0].pop("accumulate") == 2
    assert recorded[0] == recorded[1]
    assert "up to date" in wss(*train_command(dataset, parts, *more)).err
    other = wss(*train_command(dataset, parts))
    assert other.code == 2 and "accumulate 2 (now 1)" in other.err
    assert log_of(parts)["loss"] != log_of(model)["loss"]  # batch normalization sees crops alone


def test_where_memory_does_not_suffice_parts_are_named(wss, dataset, tmp_path, monkeypatch):
    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(steps_train, "train_network", full)
    outcome = wss(*train_command(dataset, tmp_path / "net.pt", "--batch", 5, "--accumulate", 2))
    assert outcome.code == 1
    expected = "no memory for 3 crops of 33 pixels at a time; --accumulate 3 needs less"
    assert outcome.err.splitlines()[-1].endswith(expected)
    outcome = wss(*train_command(dataset, tmp_path / "net.pt", "--batch", 2, "--accumulate", 2))
    assert outcome.err.splitlines()[-1].endswith("no memory for 1 crops of 33 pixels at a time")


def test_a_batch_that_processes_cannot_share_is_refused(program, dataset, tmp_path):
    command = train_command(dataset, tmp_path / "net.pt", "--batch", 3)
    for code, _, errors in run_together(program, command, timeout=PATIENCE):
        assert code != 0
        assert "a batch of 3 cannot be shared by 2 processes" in errors


def test_training_on_soft_maps_and_tensorboard(wss, dataset, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path = tmp_path / "net.pt"
    outcome = wss(
        *train_command(dataset, path, "--labels", dataset / "maps", "--min-prob", 0.5,
                       "--iterations", 3, "--tensorboard", tmp_path / "board"),
        "--n-classes", 4,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    curves = EventAccumulator(str(tmp_path / "board"))
    curves.Reload()
    assert curves.Tags()["scalars"] == ["loss", "learning rate"]
    losses = [event.value for event in curves.Scalars("loss")]
    assert losses == pytest.approx(log_of(path)["loss"], rel=1e-4)
    described = json.loads(wss("info", path, "--json").out)["meta"]
    assert described["options"]["min_prob"] == 0.5
    assert described["result"] == {
        "device": "cpu", "precision": "float32", "processes": 1,
        "threads": torch.get_num_threads(), "processor": processor(),
    }  # fmt: skip
    other = wss(*train_command(dataset, tmp_path / "o.pt", "--labels", dataset / "maps"),
                "--n-classes", 5)  # fmt: skip
    assert other.code == 1
    assert "a.npz: the map is of 4 classes, expected 5" in other.err


def test_classes_are_balanced_by_their_labelled_pixels(wss, dataset, tmp_path):
    """The first loss of random weights, in mean over pixels or over classes; then they differ."""
    losses, kept = [], []
    for balance in (0, 1):
        path = tmp_path / f"{balance}.pt"
        more = ("--iterations", 2, "--class-balance", balance)
        outcome = wss(*train_command(dataset, path, "--labels", dataset / "gt", *more))
        assert outcome.code == 0, outcome.err
        losses.append(log_of(path)["loss"])
        kept.append(decode_model(path.read_bytes()).class_weights)
        assert json.loads(wss("info", path, "--json").out)["meta"]["options"]["class_balance"] == (
            balance
        )
    assert losses[0] != losses[1]
    truths = [decode_labels(p.read_bytes(), "").value for p in (dataset / "gt").glob("*.png")]
    pixels = np.bincount(np.ravel(truths), minlength=4)
    expected = [pixels.sum() / n / np.count_nonzero(pixels) if n else 0 for n in pixels]
    assert kept[0] is None
    np.testing.assert_allclose(kept[1], expected, rtol=1e-6)
    refused = wss(*train_command(dataset, tmp_path / "o.pt", "--class-balance", 1.5))
    assert refused.code == 2


@pytest.fixture
def with_labels(dataset, tmp_path):
    """A command that trains on gt/ with the scribbles beside them."""

    def command(*more):
        words = train_command(dataset, tmp_path / "net.pt", "--scribbles", dataset / "scribbles")
        words[words.index("--labels") + 1] = str(dataset / "gt")
        return [*words, *map(str, more)]

    return command


def test_scribbles_beside_labels_count_for_more(wss, with_labels, tmp_path):
    assert wss(*with_labels("--class-balance", 1)).code == 0
    model = decode_model((tmp_path / "net.pt").read_bytes())
    record = json.loads(model.meta)
    assert record["options"]["label_weight"] == 0.2
    assert [entry["role"] for entry in record["inputs"]] == ["images", "labels", "scribbles"]
    assert len(model.class_weights) == 4
    first = (tmp_path / "net.pt.csv").read_text()
    again = wss(*with_labels("--class-balance", 1, "--label-weight", 0.2))
    assert "up to date" in again.err
    other = wss(*with_labels("--class-balance", 1, "--label-weight", 0.5))
    assert other.code == 2 and "label_weight 0.2 (now 0.5)" in other.err
    assert wss(*with_labels("--label-weight", 0.5, "--overwrite")).code == 0
    assert (tmp_path / "net.pt.csv").read_text() != first


def test_a_pair_has_the_scribbles_class_where_they_name_one(dataset):
    paths = [
        tuple(dataset / folder / f"{stem}.png" for stem in STEMS)
        for folder in ("images", "gt", "scribbles")
    ]
    pairs = LabelledImages(paths[0], paths[1], 4, scribbles=paths[2])
    target = pairs[0][1]
    gt, scribbles = (decode_labels(part[0].read_bytes(), "").value for part in paths[1:])
    named = scribbles != 255
    assert (target[named] == scribbles[named]).all()
    rest = ~named & (gt != 255)
    assert (target[rest] == gt[rest] + 4).all()
    assert (target[~named & (gt == 255)] == 255).all()
    pixels, empty = CachedPairs(pairs, 10**9).check(threads=1, advance=lambda: None)
    assert pixels.shape == (2, 4) and empty == []
    assert pixels[0].sum() == sum(
        (decode_labels(path.read_bytes(), "").value != 255).sum() for path in paths[2]
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--label-weight", 0), "expected 1e-06 to 1"),
        (("--label-weight", 1.5), "expected 1e-06 to 1"),
        (("--label-weight", "nan"), "expected 1e-06 to 1"),
        (("--n-classes", 128), "at most 127"),
    ],
)
def test_wrong_weights_of_labels_are_refused(wss, with_labels, more, message):
    done = wss(*with_labels(*more))
    assert done.code == 2 and message in done.err


def test_scribbles_that_do_not_fit_are_refused(wss, dataset, with_labels, tmp_path):
    done = wss(*train_command(dataset, tmp_path / "net.pt", "--label-weight", 0.5))
    assert done.code == 2 and "--label-weight needs --scribbles" in done.err
    words = with_labels()
    soft = [str(dataset / "maps") if word == str(dataset / "gt") else word for word in words]
    done = wss(*soft)
    assert done.code == 2 and "not with soft maps" in done.err
    few = tmp_path / "few"
    shutil.copytree(dataset / "scribbles", few)
    (few / f"{STEMS[0]}.png").write_bytes(encode_labels(np.zeros((9, 9), np.uint8), {}))
    done = wss(*[str(few) if word == str(dataset / "scribbles") else word for word in words])
    assert done.code == 1 and "scribbles have shape (9, 9), labels (40, 56)" in done.err
    (few / f"{STEMS[0]}.png").unlink()
    done = wss(*[str(few) if word == str(dataset / "scribbles") else word for word in words])
    assert done.code == 1 and "no scribbles with that name" in done.err


def test_the_output_stride_is_kept_and_other_ones_are_refused(wss, dataset, model, tmp_path):
    path = tmp_path / "net.pt"
    more = ("--output-stride", 16, "--init", model, "--iterations", 1)
    outcome = wss(*train_command(dataset, path, *more))
    assert outcome.code == 0, outcome.err
    described = json.loads(wss("info", path, "--json").out)
    assert described["facts"]["output stride"] == "16"
    assert described["meta"]["options"]["output_stride"] == 16
    assert "output stride: 8" in wss("info", model).out
    assert "up to date" in wss(*train_command(dataset, path, *more)).err
    other = wss(*train_command(dataset, path, "--init", model, "--iterations", 1))
    assert other.code == 2
    assert "output_stride 16 (now 8)" in other.err
    back = wss(*train_command(dataset, model, "--output-stride", 16))
    assert back.code == 2
    assert "output_stride 8 (now 16)" in back.err
    refused = wss(*train_command(dataset, tmp_path / "o.pt", "--output-stride", 4))
    assert refused.code == 2
    assert "--output-stride 4: expected 8 or 16" in refused.err


@pytest.mark.parametrize(("arch", "stride"), [("unet", 1), ("deeplabv3plus-mobilenetv2", 16)])
def test_networks_with_decoders_go_through_the_steps(wss, dataset, tmp_path, arch, stride):
    path = tmp_path / "net.pt"
    command = train_command(dataset, path, "--arch", arch, "--iterations", 1)
    assert wss(*command).code == 0
    described = json.loads(wss("info", path, "--json").out)
    assert described["facts"]["output stride"] == str(stride)
    assert described["meta"]["options"]["output_stride"] == stride
    assert "up to date" in wss(*command).err
    assert "up to date" in wss(*command, "--output-stride", stride).err
    network = decode_model(path.read_bytes()).network
    out = tmp_path / "maps"
    outcome = wss("global-predict", dataset / "images", "--model", path, "-o", out, "--jobs", 1)
    assert outcome.code == 0, outcome.err
    for number, stem in enumerate(STEMS):
        expected = predict_probs(network, draw_image(number)[0])
        found = map_files.read_map(out / f"{stem}.npz").dense()
        np.testing.assert_allclose(found, expected, atol=2e-3)
    inputs = [dataset / "images", dataset / "scribbles", "--features-of", path]
    linear = tmp_path / "linear"
    outcome = wss("local-predict", "--model", "linear", *inputs, "-o", linear, "--jobs", 1)
    assert outcome.code == 0, outcome.err
    found = map_files.read_map(linear / "a.npz")
    labels = found.classes[found.probs.argmax(axis=0)]
    assert (labels == draw_image(STEMS.index("a"))[1]).mean() > 0.65


def test_images_without_a_labelled_pixel_are_reported(wss, dataset, tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    for stem in STEMS:
        full = decode_labels((dataset / "scribbles" / f"{stem}.png").read_bytes(), stem).value
        kept = full if stem == "a" else np.full_like(full, 255)
        (labels / f"{stem}.png").write_bytes(encode_labels(kept, {}))
    more = ["--labels", labels, "--n-classes", 4, "--iterations", 1]
    outcome = wss(*train_command(dataset, tmp_path / "net.pt", *more))
    assert outcome.code == 0
    assert "of 4 images have no labelled pixel, such as 'b'" in outcome.err
    (labels / "a.png").write_bytes(encode_labels(np.full_like(full, 255), {}))
    outcome = wss(*train_command(dataset, tmp_path / "net.pt", *more, "--overwrite"))
    assert outcome.code == 1
    assert "no pixel of the images is labelled" in outcome.err


def test_sizes_that_differ_are_reported_before_training(wss, dataset, tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    for stem in STEMS:
        (labels / f"{stem}.png").write_bytes(encode_labels(np.zeros((7, 9), np.uint8), {}))
    outcome = wss(
        *train_command(dataset, tmp_path / "net.pt", "--labels", labels), "--n-classes", 4
    )
    assert outcome.code == 1
    assert "a.png: labels have shape (7, 9), the image (40, 56) (H, W)" in outcome.err
    assert not (tmp_path / "net.pt.csv").exists()


def test_the_cache_keeps_what_fits(dataset):
    pairs = LabelledImages(
        tuple(dataset / "images" / f"{stem}.png" for stem in STEMS),
        tuple(dataset / "gt" / f"{stem}.png" for stem in STEMS),
        4,
    )
    size = 40 * 56 * 4
    cached = CachedPairs(pairs, 2 * size + 100)
    seen = []
    pixels, empty = cached.check(threads=2, advance=lambda: seen.append(1))
    labels = np.stack([pairs[index][1] for index in range(4)])
    assert pixels.tolist() == np.bincount(labels[labels != 255], minlength=4).tolist()
    assert empty == []
    assert (len(seen), cached.left) == (4, 100)
    again = [cached[index][0] is cached[index][0] for index in range(4)]
    assert sum(again) == 2
    for index in range(4):
        for found, expected in zip(cached[index], pairs[index], strict=True):
            assert np.array_equal(found, expected)


TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m",
    "wsstools",
]  # fmt: skip


def process_of_rank(rank: int, model: Path) -> int:
    """The number of the process that torchrun gave this rank."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            environment = (place / "environ").read_bytes().split(b"\0")
            arguments = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"RANK={rank}".encode() in environment and os.fsencode(model) in arguments:
            return int(place.name)
    raise AssertionError(f"no process of rank {rank}")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_a_rerun_gives_the_same_bytes(program, dataset, tmp_path):
    model, checkpoint = tmp_path / "net.pt", tmp_path / "net.pt.checkpoint"
    more = ("--iterations", 12, "--batch", 4)
    command = train_command(dataset, model, *more)
    run = subprocess.Popen([*TORCHRUN, *command], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: checkpoint.exists() or run.poll() is not None)
    assert run.poll() is None
    os.kill(process_of_rank(1, model), signal.SIGKILL)
    _, printed = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1, printed
    ours = [line for line in printed.splitlines() if line.startswith("wss train: ")]
    assert ours[-1] == (
        "wss train: error: process 0 of 2 lost another one; "
        "the same command goes on from the last checkpoint"
    )
    assert not model.exists()

    (code, _, errors), (other, *_) = run_together(program, command, timeout=PATIENCE)
    assert (code, other) == (0, 0), errors
    assert "going on from iteration" in errors
    assert not checkpoint.exists()
    whole = tmp_path / "whole" / "net.pt"
    whole.parent.mkdir()
    runs = run_together(program, train_command(dataset, whole, *more), timeout=PATIENCE)
    assert [code for code, *_ in runs] == [0, 0], runs
    assert model.read_bytes() == whole.read_bytes()
    assert Path(f"{model}.csv").read_bytes() == Path(f"{whole}.csv").read_bytes()


def test_a_run_foretells_how_long_it_takes(wss, dataset, tmp_path):
    outcome = wss(*train_command(dataset, tmp_path / "net.pt", "--iterations", 6))
    assert outcome.code == 0, outcome.err
    assert re.search(r"6 iterations of [\d.]+ s take about \d+ s", outcome.err)
    assert "about an hour" not in outcome.err


def test_a_training_of_days_on_a_cpu_names_one_of_an_hour():
    options = hour_options("deeplabv2-resnet101", SCHEDULES["deeplabv2-resnet101"], 30.0)
    assert options == "--arch deeplabv2-mobilenetv2 --batch 8 --crop 193 --iterations 2900"
    at_16 = hour_options("deeplabv2-resnet101", SCHEDULES["deeplabv2-resnet101"], 15.0, 16)
    assert at_16 == (
        "--arch deeplabv2-mobilenetv2 --batch 8 --crop 193 --iterations 5800 --output-stride 16"
    )
    of_unet = hour_options("unet", SCHEDULES["unet"], 6.0, 1)
    assert of_unet == "--arch deeplabv2-mobilenetv2 --batch 8 --crop 193 --iterations 2200"
