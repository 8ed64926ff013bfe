"""What every step keeps: same bytes, resumable, whole or absent, one bad image stops none."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from builders import PER_IMAGE, STEMS, change, folder_bytes, per_image_command

from wsstools.formats import label_files, map_files

ALL_STEPS = pytest.mark.parametrize("name", PER_IMAGE)


@pytest.fixture
def step(wss, dataset, tmp_path):
    """Run a step by its key on the data set (or another) into a folder of tmp_path."""

    def run(name: str, out: str, *more: object, data: Path = dataset):
        return wss(*per_image_command(name, data, tmp_path / out), *more)

    return run


def copy_of(dataset: Path, folder: Path) -> Path:
    shutil.copytree(dataset, folder)
    return folder


@ALL_STEPS
def test_one_and_two_jobs_give_the_same_bytes_and_a_rerun_writes_nothing(step, name, tmp_path):
    one = step(name, "one", "--jobs", 1)
    assert one.code == 0, one.err
    assert [path.stem for path in one.paths] == list(STEMS)
    two = step(name, "two", "--jobs", 2)
    assert two.code == 0, two.err
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").iterdir()}
    again = step(name, "one", "--jobs", 1)
    assert again.code == 0
    assert again.paths == one.paths
    assert "skipped 4 (up to date)" in again.err
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "one").iterdir()}


@ALL_STEPS
def test_other_options_are_refused_and_overwrite_replaces(step, name, tmp_path):
    other = PER_IMAGE[name].other.split()
    step(name, "out", "--jobs", 1)
    before = folder_bytes(tmp_path / "out")
    refused = step(name, "out", "--jobs", 1, *other)
    assert refused.code == 2
    assert "other options" in refused.err
    assert "--overwrite" in refused.err
    assert folder_bytes(tmp_path / "out") == before
    replaced = step(name, "out", "--jobs", 1, "--overwrite", *other)
    assert replaced.code == 0
    after = folder_bytes(tmp_path / "out")
    assert after.keys() == before.keys()
    assert all(after[key] != before[key] for key in before)


@ALL_STEPS
def test_a_changed_input_is_remade_and_only_that(step, name, dataset, tmp_path):
    data = copy_of(dataset, tmp_path / "data")
    step(name, "out", "--jobs", 1, data=data)
    times = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    for folder in {"images", "maps", PER_IMAGE[name].folder}:
        change(*(data / folder).glob("b.*"))
    outcome = step(name, "out", "--jobs", 1, data=data)
    assert "1 written" in outcome.err
    after = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert [stem for stem in times if times[stem] != after[stem]] == ["b"]


def place_of_pixels(path):
    """Where in a file a byte of its compressed pixels is."""
    if path.suffix != ".npz":
        return -20
    with zipfile.ZipFile(path) as archive:
        pixels = archive.getinfo("probs.npy")
    return pixels.header_offset + 30 + len(pixels.filename) + pixels.compress_size // 2


@ALL_STEPS
def test_a_damaged_output_is_remade_and_only_that(step, name, tmp_path):
    first = step(name, "out", "--jobs", 1)
    before = folder_bytes(tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in first.paths}
    victim = first.paths[1]
    damaged = bytearray(victim.read_bytes())
    damaged[place_of_pixels(victim)] ^= 4
    victim.write_bytes(damaged)
    assert "1 stale" in step(name, "out", "--jobs", 1, "--dry-run").err
    again = step(name, "out", "--jobs", 1)
    assert again.code == 0 and "1 written" in again.err
    assert folder_bytes(tmp_path / "out") == before
    assert [path for path in times if path.stat().st_mtime_ns != times[path]] == [victim]


@ALL_STEPS
@pytest.mark.parametrize("damage", ["truncated", "empty"])
def test_a_damaged_input_fails_alone_and_a_repair_completes(step, name, damage, dataset, tmp_path):
    data = copy_of(dataset, tmp_path / "data")
    folder = PER_IMAGE[name].folder
    folder = "images" if folder == "strokes" else folder  # fewer lines are strokes, too
    (victim,) = (data / folder).glob("b.*")
    whole = victim.read_bytes()
    victim.write_bytes(whole[:60] if damage == "truncated" else b"")
    outcome = step(name, "out", "--jobs", 1, data=data)
    assert outcome.code == 1
    assert [path.stem for path in outcome.paths] == ["a", "c", "d"]
    failures = [line for line in outcome.err.splitlines() if "failed: " in line]
    assert len(failures) == 1
    assert str(victim) in failures[0]
    assert "Traceback" not in outcome.err
    assert sorted(p.stem for p in (tmp_path / "out").iterdir()) == ["a", "c", "d"]
    victim.write_bytes(whole)
    assert step(name, "out", "--jobs", 1, data=data).code == 0
    step(name, "undisturbed", "--jobs", 1, data=data)
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "undisturbed")


@ALL_STEPS
def test_every_output_knows_where_it_comes_from(step, name, wss, tmp_path):
    step(name, "out", "--jobs", 1)
    (path,) = (tmp_path / "out").glob("a.*")
    described = json.loads(wss("info", path, "--json").out)
    meta = described["meta"]
    assert meta["stem"] == "a"
    assert name.startswith(meta["step"])
    assert meta["inputs"]
    assert f"wss {meta['step']}" in wss("info", path).out


@ALL_STEPS
def test_ids_and_shards_choose(step, name, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("c\na\n")
    assert [p.stem for p in step(name, "ids", "--ids", ids).paths] == ["c", "a"]
    shares = [step(name, "shards", "--shard", f"{k}/3").paths for k in (1, 2, 3)]
    assert sorted(path.stem for share in shares for path in share) == list(STEMS)
    ids.write_text("a\nmissing\n")
    outcome = step(name, "ids", "--ids", ids)
    assert outcome.code == 1
    assert "missing: failed: no " in outcome.err


@pytest.mark.slow
def test_a_cluster_of_this_machine_gives_the_same_bytes(step, tmp_path):
    """One that starts with the run; `running/test_dask.py` has each step on one that is there."""
    pytest.importorskip("distributed")
    step("rf-predict", "one", "--jobs", 1)
    outcome = step("rf-predict", "dask", "--jobs", 2, "--backend", "dask")
    assert outcome.code == 0, outcome.err
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "dask")


def test_a_single_file_is_a_folder_of_one(wss, dataset, tmp_path):
    outcome = wss("argmax", dataset / "maps" / "b.npz", "-o", tmp_path / "out")
    assert outcome.paths == [tmp_path / "out" / "b.png"]


def test_the_input_folder_is_never_the_output_folder(wss, dataset, tmp_path):
    data = copy_of(dataset, tmp_path / "data")
    before = folder_bytes(data / "maps")
    outcome = wss("fuse", data / "maps", data / "other-maps", "-o", data / "maps", "--overwrite")
    assert outcome.code == 2
    assert "holds the inputs" in outcome.err
    assert folder_bytes(data / "maps") == before


def test_files_of_others_in_the_output_folder_are_refused(wss, dataset, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(dataset / "gt" / "a.png", out / "zebra.png")
    outcome = wss("argmax", dataset / "maps", "-o", out)
    assert outcome.code == 2
    assert "not made by wss" in outcome.err


def test_images_without_scribbles_are_left_out_and_empty_scribbles_skipped(wss, dataset, tmp_path):
    data = copy_of(dataset, tmp_path / "data")
    (data / "scribbles" / "a.png").unlink()
    empty = np.full((40, 56), 255, np.uint8)
    (data / "scribbles" / "b.png").write_bytes(label_files.encode_labels(empty, {}))
    one = np.where(np.eye(40, 56, dtype=bool), 3, 255).astype(np.uint8)
    (data / "scribbles" / "c.png").write_bytes(label_files.encode_labels(one, {}))
    shutil.copy(data / "scribbles" / "d.png", data / "scribbles" / "z.png")
    outcome = wss("rf-predict", data / "images", data / "scribbles", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == ["c", "d"]
    assert "b: skipped: no scribble" in outcome.err
    assert "1 left out (no scribbles)" in outcome.err
    assert "without image: 'z' (names are joined" in outcome.err
    found = map_files.decode_map((tmp_path / "out" / "c.npz").read_bytes(), "c").value
    assert found.classes.tolist() == [3]
    assert (found.probs == 1).all()


def test_sizes_that_do_not_fit_fail_by_name(wss, dataset, tmp_path):
    data = copy_of(dataset, tmp_path / "data")
    small = np.zeros((10, 10), np.uint8)
    (data / "scribbles" / "b.png").write_bytes(label_files.encode_labels(small, {}))
    outcome = wss("rf-predict", data / "images", data / "scribbles", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "b: failed: image has shape (40, 56), scribbles (10, 10)" in outcome.err


def test_the_number_of_classes_is_asked_for(wss, dataset, tmp_path):
    data = copy_of(dataset, tmp_path / "data")
    (data / "classes.txt").unlink()
    arguments = ["rf-predict", data / "images", data / "scribbles", "-o", tmp_path / "out"]
    outcome = wss(*arguments)
    assert outcome.code == 2
    assert "--n-classes" in outcome.err
    outcome = wss(*arguments, "--n-classes", 3)
    assert outcome.code == 1
    assert "a: failed: scribbles hold class 3, expected 0..2" in outcome.err


@pytest.mark.parametrize("command", [["rf-predict"], ["local-predict", "--model", "walker"]])
def test_the_list_is_named_that_has_no_name_of_a_class(wss, dataset, tmp_path, command):
    data = copy_of(dataset, tmp_path / "data")
    listed = data / "classes.txt"
    listed.write_text("sky\ngrass\nwater\n")
    outcome = wss(*command, data / "images", data / "scribbles", "-o", tmp_path / "out")
    assert outcome.code == 1
    path = data / "scribbles" / "a.png"
    message = f"a: failed: {path}: holds class 3, {listed} names 3: expected 0..2 or 255"
    assert message in outcome.err


@pytest.mark.parametrize("weights", ["1", "1,2,3", "1,0", "a,b", "1,nan"])
def test_fuse_refuses_wrong_weights(wss, dataset, tmp_path, weights):
    outcome = wss(
        "fuse", dataset / "maps", dataset / "other-maps", "-o", tmp_path, "--weights", weights
    )
    assert outcome.code == 2


def test_regularizing_helps(wss, dataset, tmp_path):
    """On noisy maps of stripes both regularizers find more of the truth."""
    wss("argmax", dataset / "maps", "-o", tmp_path / "plain")

    def miou(labels: str) -> float:
        outcome = wss("score", tmp_path / labels, dataset / "gt", "--json", "--jobs", 1)
        return json.loads(outcome.out)["miou"]

    for method in ("potts", "crf"):
        strength = ["--lambda", "1"] if method == "potts" else []
        wss(
            "regularize",
            f"--{method}",
            "--images",
            dataset / "images",
            dataset / "maps",
            "-o",
            tmp_path / method,
            *strength,
        )
        wss("argmax", tmp_path / method, "-o", tmp_path / f"{method}-labels")
        assert miou(f"{method}-labels") > miou("plain") + 0.1


def stored(path: Path) -> np.ndarray:
    return label_files.decode_labels(path.read_bytes(), path.name).value


def test_argmax_keeps_scribbled_pixels(wss, dataset, tmp_path):
    """Other labels than without, another run; an image without scribbles is skipped."""
    data = copy_of(dataset, tmp_path / "data")
    (data / "scribbles" / "b.png").unlink()
    plain, kept = tmp_path / "plain", tmp_path / "kept"
    assert wss("argmax", data / "maps", "-o", plain).code == 0
    run = wss("argmax", data / "maps", "--scribbles", data / "scribbles", "-o", kept)
    assert run.code == 0, run.err
    assert [path.stem for path in run.paths] == ["a", "c", "d"]
    differ = 0
    for path in run.paths:
        labels, before = map(stored, (path, plain / path.name))
        strokes = stored(data / "scribbles" / path.name)
        open_pixels = strokes == 255
        assert np.array_equal(labels[~open_pixels], strokes[~open_pixels])
        assert np.array_equal(labels[open_pixels], before[open_pixels])
        differ += (labels != before).sum()
    assert differ  # the noisy maps err on some strokes
    other = wss("argmax", data / "maps", "-o", kept)
    assert other.code == 2
    assert "scribbles" in other.err
