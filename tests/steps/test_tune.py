"""`wss tune` and `wss regularize --params`."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import PATIENCE, draw_image, folder_bytes, labels_of, noisy_map, wait_until

from wsstools.formats.image_files import decode_image, encode_image
from wsstools.formats.label_files import encode_labels
from wsstools.formats.map_files import encode_map

OUTPUTS = ("heatmap.png", "params.json", "table.csv")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """images/, gt/ and maps/ of eight images."""
    root = tmp_path_factory.mktemp("many")
    for folder in ("images", "gt", "maps"):
        (root / folder).mkdir()
    for seed in range(8):
        image, labels, _ = draw_image(seed)
        stem = f"s{seed}"
        (root / "images" / f"{stem}.png").write_bytes(encode_image(image))
        (root / "gt" / f"{stem}.png").write_bytes(encode_labels(labels, {}))
        (root / "maps" / f"{stem}.npz").write_bytes(encode_map(noisy_map(labels, seed), {}))
    return root


@pytest.fixture
def tune(wss, many, tmp_path):
    """Run `wss tune` on the eight images (or others) into a folder of tmp_path."""

    def run(out: str, *more: object, method: str = "--potts", data: Path = many, jobs: int = 1):
        return wss(*_command(data, tmp_path / out), method, "--jobs", jobs, *more)

    return run


def _command(data, out):
    return ["tune", data / "maps", "--images", data / "images", "--gt", data / "gt", "-o", out]


def rows(folder):
    with (folder / "table.csv").open() as file:
        return list(csv.DictReader(file))


def params(folder):
    return json.loads((folder / "params.json").read_text())


def tree(folder):
    """Every file in a folder, at any depth, with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def n_lines(folder):
    """Whole lines in the file of the results."""
    path = folder / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def computed(outcome):
    found = re.search(r"(\d+) trials computed, skipped (\d+) \(up to date\)", outcome.err)
    return int(found[1]), int(found[2])


@pytest.mark.parametrize(
    ("method", "grid"),
    [
        ("potts", {"lambda": (0.5, 1, 30), "eta": (0, 0.02)}),
        ("crf", {"w1": (1, 3), "sigma_beta": (5, 30), "w2": (5,), "sigma_alpha": (30,)}),
    ],
)
def test_every_setting_scores_as_the_steps_themselves_do(wss, dataset, tmp_path, method, grid):
    lists = [
        text
        for name, values in grid.items()
        for text in ("--" + name.replace("_", "-"), ",".join(map(str, values)))
    ]
    outcome = wss(
        *_command(dataset, tmp_path / "tuned"), f"--{method}", *lists, "--json",
        "--jobs", 1,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    found = {
        tuple(one["parameters"][name] for name in grid): one["miou"]
        for one in answer["settings"]
        if one["in_grid"]
    }
    expected = {}
    for k, values in enumerate(itertools.product(*grid.values())):
        soft, labels = tmp_path / f"soft{k}", tmp_path / f"labels{k}"
        given = [
            text
            for name, value in zip(grid, values, strict=True)
            for text in ("--" + name.replace("_", "-"), value)
        ]
        wss(
            "regularize", f"--{method}", dataset / "maps", "--images", dataset / "images",
            "-o", soft, *given, "--jobs", 1,
        )  # fmt: skip
        wss("argmax", soft, "-o", labels, "--jobs", 1)
        score = json.loads(wss("score", labels, dataset / "gt", "--json", "--jobs", 1).out)
        expected[values] = score["miou"]
    assert found == expected
    best = max(expected, key=expected.__getitem__)
    assert tuple(params(tmp_path / "tuned")[name] for name in grid) == best
    assert answer["best"]["miou"] == expected[best]


def test_one_and_two_jobs_give_the_same_bytes_and_a_rerun_computes_nothing(tune, tmp_path):
    grid = ["--lambda", "1,10,500", "--eta", "0,0.02"]
    one = tune("one", *grid)
    assert one.code == 0, one.err
    assert one.paths == [tmp_path / "one" / "params.json"]
    assert computed(one)[0] > 0
    assert tune("two", *grid, jobs=2).code == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")}
    again = tune("one", *grid)
    assert again.code == 0
    assert computed(again) == (0, computed(one)[0])
    assert again.out == one.out
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")}


@pytest.mark.slow
def test_a_killed_run_goes_on(tune, many, tmp_path):
    grid = ["--lambda", "1,2,5,10,20,50", "--eta", "0,0.01,0.02,0.05", "--tol", "1e-4"]
    command = [*_command(many, tmp_path / "out"), "--potts", "--jobs", "1", *grid]
    process = subprocess.Popen(
        [sys.executable, "-m", "wsstools", *map(str, command)], stderr=subprocess.DEVNULL
    )
    wait_until(lambda: n_lines(tmp_path / "out") > 3 or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=PATIENCE) == -signal.SIGKILL
    kept = n_lines(tmp_path / "out")
    assert kept > 3
    assert not (tmp_path / "out" / "params.json").exists()
    outcome = tune("out", *grid)
    assert outcome.code == 0, outcome.err
    assert computed(outcome)[1] == kept
    assert tune("undisturbed", *grid).code == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


def test_more_values_and_more_images_compute_only_what_is_new(tune, tmp_path):
    lists = ["--eta", "0.01"]
    assert computed(tune("out", *lists, "--lambda", "1,10", "--sample", 3)) == (6, 0)
    assert computed(tune("out", *lists, "--lambda", "1,10,5", "--sample", 3)) == (3, 6)
    assert computed(tune("out", *lists, "--lambda", "10,5,1", "--sample", 5)) == (6, 9)
    assert computed(tune("fresh", *lists, "--lambda", "10,5,1", "--sample", 5)) == (15, 0)
    kept = folder_bytes(tmp_path / "out"), folder_bytes(tmp_path / "fresh")
    assert kept[0] == kept[1]


def test_a_changed_input_or_a_damaged_trial_is_computed_again(tune, many, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(many, data)
    grid = ["--lambda", "1,10", "--eta", "0.01"]
    tune("out", *grid, data=data)
    shutil.copy(data / "gt" / "s0.png", data / "gt" / "s1.png")
    shutil.copy(data / "images" / "s0.png", data / "images" / "s1.png")
    assert computed(tune("out", *grid, data=data)) == (2, 14)
    tune("fresh", *grid, data=data)
    results = tmp_path / "out" / "results.jsonl"
    first, second, *others = results.read_text().splitlines()
    damaged = [first[:40], second.replace('"counts":[', '"counts":["a",'), *others]
    results.write_text("\n".join(damaged) + "\n")
    assert computed(tune("out", *grid, data=data)) == (2, 14)
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_every_setting_is_tried_on_every_image_and_the_best_comes_first(tune, tmp_path):
    grid = ["--lambda", "0.5,1,10,2000", "--eta", "0,0.01,0.02"]
    assert computed(tune("out", *grid)) == (12 * 8, 0)
    table = rows(tmp_path / "out")
    assert len(table) == 12
    mious = [float(row["miou"]) for row in table]
    assert mious == sorted(mious, reverse=True)
    (paper,) = [row for row in table if row["note"] == "paper"]
    assert (paper["lambda"], paper["eta"], paper["images"]) == ("10.0", "0.01", "8")
    assert [row["note"] for row in table].index("best") == 0
    assert params(tmp_path / "out")["lambda"] == float(table[0]["lambda"])


def test_the_papers_setting_is_compared_even_where_the_grid_leaves_it_out(tune, tmp_path):
    outcome = tune("out", "--lambda", "1", "--eta", "0.02", "--json")
    answer = json.loads(outcome.out)
    assert answer["paper"]["parameters"]["lambda"] == 10
    assert answer["paper"]["in_grid"] is False
    assert len(answer["settings"]) == 2
    assert params(tmp_path / "out")["lambda"] == 1
    outcome = tune("worse", "--lambda", "3000", "--eta", "0", "--json")
    answer = json.loads(outcome.out)
    assert answer["paper"]["miou"] > answer["best"]["miou"]
    assert params(tmp_path / "worse")["lambda"] == 3000
    assert rows(tmp_path / "worse")[0]["note"] == "paper, not in the grid"
    assert "paper, not in the grid" in tune("worse", "--lambda", "3000", "--eta", "0").err


def test_what_it_writes_knows_where_it_comes_from(tune, wss, many, tmp_path):
    tune("out", "--lambda", "1,10", "--eta", "0.01", "--sample", 3, "--seed", 4)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        [*OUTPUTS, "results.jsonl"]
    )
    described = json.loads(wss("info", tmp_path / "out" / "params.json", "--json").out)
    assert described["facts"]["method"] == "potts"
    meta = described["meta"]
    assert meta["step"] == "tune"
    assert meta["options"]["grid"] == {"lambda": [1, 10], "eta": [0.01]}
    assert (meta["options"]["seed"], meta["options"]["sample"]) == (4, 3)
    assert [entry["role"] for entry in meta["inputs"]] == ["map", "image", "gt"]
    assert meta["result"]["images"] == 3
    assert meta["result"]["miou"] == float(rows(tmp_path / "out")[0]["miou"])
    picture = decode_image((tmp_path / "out" / "heatmap.png").read_bytes(), "heatmap.png").value
    assert (picture == np.array([0xD6, 0x27, 0x28])).all(axis=2).any()  # the frame


def test_a_folder_belongs_to_one_method_and_its_fixed_parameters(tune, many, tmp_path):
    small = ["--sample", 2]
    assert tune("out", "--lambda", "1", "--eta", "0", *small).code == 0
    before = tree(tmp_path / "out")
    for method, more in (("--crf", ["--w1", "3"]), ("--potts", ["--tol", "0.01"])):
        refused = tune("out", *more, *small, method=method)
        assert refused.code == 2
        assert "other options" in refused.err
    assert tree(tmp_path / "out") == before
    crf = ["--w1", "3", "--w2", "5", "--sigma-alpha", "30", "--sigma-beta", "5"]
    assert tune("out", *crf, *small, "--overwrite", method="--crf").code == 0
    assert params(tmp_path / "out")["method"] == "crf"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "table.csv").write_text("a,b\n")
    refused = tune("mine", *small)
    assert refused.code == 2
    assert "not made by wss" in refused.err
    assert tune("x", *small, "-o", many / "maps").code == 2


def test_results_that_an_equal_search_just_begins_are_ours(tune, tmp_path):
    small = ["--lambda", "1", "--eta", "0.01"]
    results = tmp_path / "out" / "results.jsonl"
    results.parent.mkdir()
    for start in (b"", b'{"blak'):
        results.write_bytes(start)
        assert tune("out", *small).code == 0
    results.write_bytes(b"mine")
    assert "not made by this command" in tune("out", *small).err
    assert results.read_bytes() == b"mine"


def test_a_bad_image_stops_no_other(tune, many, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(many, data)
    (data / "maps" / "s3.npz").write_bytes(b"")
    (data / "images" / "s4.png").unlink()
    small = np.zeros((10, 10), np.uint8)
    (data / "gt" / "s5.png").write_bytes(encode_labels(small, {}))
    grid = ["--lambda", "1,10", "--eta", "0.01"]
    outcome = tune("out", *grid, data=data)
    assert outcome.code == 1
    failed = [line for line in outcome.err.splitlines() if ": failed: " in line]
    assert sorted(line.split(": ")[1] for line in failed) == ["s3", "s4", "s5"]
    assert "3 images failed" in outcome.err
    assert "warning: on 5 images" in outcome.err
    for folder in ("maps", "images", "gt"):
        for stem in ("s3", "s4", "s5"):
            for path in (data / folder).glob(f"{stem}.*"):
                path.unlink()
    assert tune("good", *grid, data=data).code == 0
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "good")


def test_nothing_is_written_where_nothing_can_be_compared(tune, many, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(many, data)
    for path in (data / "gt").iterdir():
        path.write_bytes(encode_labels(np.full((40, 56), 255, np.uint8), {}))
    outcome = tune("out", "--lambda", "1", "--eta", "0", data=data)
    assert outcome.code == 1
    assert "no pixel of the ground truth carries a class" in outcome.err
    for path in (data / "maps").iterdir():
        path.write_bytes(b"")
    outcome = tune("out", "--lambda", "1", "--eta", "0", data=data)
    assert outcome.code == 1
    assert "8 images failed" in outcome.err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["results.jsonl"]
    for path in (data / "gt").iterdir():
        path.rename(path.with_name(f"other-{path.name}"))
    outcome = tune("out", data=data)
    assert outcome.code == 1
    assert "no map has ground truth in" in outcome.err


@pytest.mark.slow
def test_masks_of_0_and_255_are_reported(tune, many, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(many, data)
    for path in (data / "gt").iterdir():
        mask = np.where(labels_of(path) == 0, 0, 255).astype(np.uint8)
        path.write_bytes(encode_labels(mask, {}))
    outcome = tune("out", "--lambda", "1", "--eta", "0", data=data)
    assert outcome.code == 0
    assert "tune: warning: the ground truth in" in outcome.err
    assert "holds class 0 only" in outcome.err and "255=1" in outcome.err


def test_which_images_are_taken(tune, wss, many, tmp_path):
    grid = ["--lambda", "1", "--eta", "0", "--json"]

    def taken(*more, **options):
        outcome = tune(f"out{len(list(tmp_path.iterdir()))}", *grid, *more, **options)
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out)["images"]

    assert sorted(taken()) == [f"s{k}" for k in range(8)]
    three, five = taken("--sample", 3), taken("--sample", 5)
    assert five[:3] == three
    assert taken("--sample", 5, "--seed", 1) != five
    ids = tmp_path / "ids.txt"
    ids.write_text("s6\ns1\n")
    assert sorted(taken("--ids", ids)) == ["s1", "s6"]
    data = tmp_path / "data"
    shutil.copytree(many, data)
    (data / "gt" / "s2.png").unlink()
    assert sorted(taken(data=data)) == [f"s{k}" for k in range(8) if k != 2]
    assert "1 maps left out (no ground truth)" in tune("lacking", *grid, data=data).err
    ids.write_text("s1\ns2\n")
    outcome = tune("lacking", *grid, "--ids", ids, data=data)
    assert outcome.code == 1
    assert "s2: failed: no ground truth with that name" in outcome.err


@pytest.mark.slow
def test_maps_come_through_a_pipe(shell, many, tmp_path):
    outcome = shell(
        f"ls -d {many}/maps/*.npz | wss tune - --images {many}/images --gt {many}/gt --potts "
        "--lambda 1,2 --eta 0 --jobs 1 -o out"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.out == "out/params.json\n"
    assert "3 settings on 8 images" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of --potts and --crf"),
        (["--potts", "--crf"], "one of --potts and --crf"),
        (["--potts", "--w1", "3"], "--w1 does not belong to --potts"),
        (["--crf", "--tol", "0.1"], "--tol does not belong to --crf"),
        (["--potts", "--lambda", "1,,2"], "--lambda 1,,2: expected numbers with commas"),
        (["--potts", "--lambda", "1,-2"], "--lambda -2: expected a number 0 or more"),
        (["--potts", "--eta", "nan"], "--eta nan: expected"),
        (["--crf", "--crf-iterations", "2.5"], "--crf-iterations 2.5: expected a whole number"),
        (["--crf", "--floor", "1"], "--floor 1: expected a probability"),
    ],
)
def test_tune_refuses_wrong_options(wss, many, tmp_path, arguments, message):
    outcome = wss(*_command(many, tmp_path / "out"), *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_parameters_go_from_tune_to_regularize(tune, wss, many, tmp_path):
    tune("tuned", "--lambda", "2,40", "--eta", "0.03", "--tol", "0.002", "--floor", "0.01")
    best = params(tmp_path / "tuned")
    file = tmp_path / "tuned" / "params.json"

    def regularize(out, *more):
        images = ["--images", many / "images", "--jobs", 1]
        return wss("regularize", many / "maps", *images, "-o", tmp_path / out, *more)

    assert regularize("by-file", "--params", file).code == 0
    by_hand = ["--lambda", best["lambda"], "--eta", 0.03, "--tol", 0.002, "--floor", 0.01]
    assert regularize("by-hand", "--potts", *by_hand).code == 0
    assert folder_bytes(tmp_path / "by-file") == folder_bytes(tmp_path / "by-hand")
    assert "skipped 8 (up to date)" in regularize("by-hand", "--params", file, "--potts").err
    assert regularize("other", "--params", file, "--eta", 0.5).code == 0
    assert regularize("other-by-hand", "--potts", *by_hand, "--eta", 0.5).code == 0
    assert folder_bytes(tmp_path / "other") == folder_bytes(tmp_path / "other-by-hand")
    refused = regularize("none", "--params", file, "--crf")
    assert refused.code == 2
    assert "holds parameters of potts" in refused.err
    refused = regularize("none", "--params", file, "--w1", 3)
    assert refused.code == 2
    assert "--w1 does not belong to --potts" in refused.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a file of parameters (JSON)"),
        ("\xff", "not a file of parameters (JSON)"),
        ("[1]", "expected a JSON object such as"),
        ('{"lambda": 1}', "expected a JSON object such as"),
        ('{"method": "mrf"}', "method 'mrf', expected potts or crf"),
        ('{"method": "potts", "lamda": 1}', "'lamda' is no parameter of potts"),
        ('{"method": "potts", "w1": 1}', "'w1' is no parameter of potts"),
        ('{"method": "potts", "lambda": "5"}', "lambda '5': expected a number"),
        ('{"method": "potts", "lambda": true}', "lambda True: expected a number"),
        ('{"method": "potts", "lambda": NaN}', "lambda nan: expected a number 0 or more"),
        ('{"method": "crf", "iterations": 1.5}', "iterations 1.5: expected a whole number"),
        ('{"method": "crf", "w1": 1' + 400 * "0" + "}", "w1 inf: expected a number 0 or more"),
    ],
)
def test_files_that_hold_no_parameters_are_refused(wss, many, tmp_path, text, message):
    file = tmp_path / "params.json"
    file.write_bytes(text.encode("latin-1"))
    outcome = wss(
        "regularize", many / "maps", "--images", many / "images", "-o", tmp_path / "out",
        "--params", file,
    )  # fmt: skip
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert f"{file}: " in outcome.err
    assert message in outcome.err


def test_a_short_file_leaves_the_rest_to_the_defaults(wss, many, tmp_path):
    (tmp_path / "params.json").write_text('{"method": "potts", "lambda": 3}')
    common = ["regularize", many / "maps" / "s0.npz", "--images", many / "images", "--jobs", 1]
    wss(*common, "-o", tmp_path / "file", "--params", tmp_path / "params.json")
    wss(*common, "-o", tmp_path / "hand", "--potts", "--lambda", 3)
    assert len(folder_bytes(tmp_path / "file")) == 1
    assert folder_bytes(tmp_path / "file") == folder_bytes(tmp_path / "hand")


def test_the_csv_that_is_printed_is_the_table_that_is_written(wss, many, tmp_path):
    out = tmp_path / "out"
    command = [*_command(many, out), "--potts", "--lambda", "2", "--eta", "0.01", "--sample", 2]
    printed = wss(*command, "--format", "csv")
    assert printed.code == 0, printed.err
    assert printed.out == (out / "table.csv").read_text()
    assert json.loads(wss(*command, "--format", "json").out)["images"]
