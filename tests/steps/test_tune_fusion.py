"""`wss tune --fusion` and `wss fuse --params`."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from builders import draw_image, folder_bytes, labels_of, noisy_map

from wsstools.core.maps import ProbabilityMap
from wsstools.core.pools import pool_maps
from wsstools.formats.label_files import encode_labels
from wsstools.formats.map_files import as_stored, decode_map, encode_map
from wsstools.steps.pools import read_pool


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """gt/, good/ maps, and bad/ maps that say the class after the right one, of eight images."""
    root = tmp_path_factory.mktemp("many")
    for folder in ("gt", "good", "bad"):
        (root / folder).mkdir()
    for seed in range(8):
        _, labels, _ = draw_image(seed)
        (root / "gt" / f"s{seed}.png").write_bytes(encode_labels(labels, {}))
        good = noisy_map(labels, seed)
        (root / "good" / f"s{seed}.npz").write_bytes(encode_map(good, {}))
        wrong = ProbabilityMap(np.roll(good.probs, 1, axis=0), good.classes, good.n_classes)
        (root / "bad" / f"s{seed}.npz").write_bytes(encode_map(wrong, {}))
    return root


def command(data, out, *more, folders=("good", "bad")):
    places = [data / folder for folder in folders]
    return ["tune", "--fusion", *places, "--gt", data / "gt", "-o", out, "--jobs", 1, *more]


def table(folder):
    with (folder / "table.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_better_annotator_is_found_and_fuse_takes_what_was_found(wss, many, tmp_path):
    out = tmp_path / "tuned"
    done = wss(*command(many, out))
    assert done.code == 0, done.err
    rows = table(out)
    assert [row["pool"] for row in rows if row["note"] == "best"] == [rows[0]["pool"]]
    of = {row["pool"]: float(row["miou"]) for row in rows}
    assert set(of) == {"mean", "linear", "log-linear", "log-linear per class"}
    assert of["linear"] > of["mean"] + 0.1
    assert of["log-linear"] > of["mean"] + 0.1
    pool = read_pool(str(out / "params.json"))
    assert (pool.weights[0] > pool.weights[1] + 0.5).all()

    fused = tmp_path / "fused"
    params = ("--params", out / "params.json")
    done = wss("fuse", *params, many / "good", many / "bad", "-o", fused, "--jobs", 1)
    assert done.code == 0, done.err
    maps = [decode_map((many / f / "s3.npz").read_bytes(), "s3").value for f in ("good", "bad")]
    found = decode_map((fused / "s3.npz").read_bytes(), "s3").value
    np.testing.assert_array_equal(found.probs, as_stored(pool_maps(maps, pool)).whole().probs)
    assert "parameters of wss fuse" in wss("info", out / "params.json").out
    shown = wss("info", fused / "s3.npz").out
    assert "weights" in shown and "temperatures" in shown
    again = wss("fuse", *params, many / "good", many / "bad", "-o", fused, "--jobs", 1)
    assert "8 up to date" in again.err or "skipped 8" in again.err


def test_jobs_do_not_change_the_bytes_and_it_knows_where_it_comes_from(wss, many, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert wss(*command(many, one)).code == 0
    assert wss(*command(many, two, "--jobs", 2)).code == 0
    assert folder_bytes(one) == folder_bytes(two)
    before = folder_bytes(one)
    assert wss(*command(many, one)).code == 0
    assert folder_bytes(one) == before
    made_by = json.loads((one / "params.json").read_text())["made_by"]
    assert made_by["step"] == "tune"
    assert [entry["role"] for entry in made_by["inputs"]] == ["map", "map", "gt"]
    assert set(made_by["result"]) == {"miou", "mean_miou", "images"}


def test_a_sample_and_a_list_choose_the_images(wss, many, tmp_path):
    done = wss(*command(many, tmp_path / "five", "--sample", 5, "--json"))
    assert len(json.loads(done.out)["images"]) == 5
    (tmp_path / "ids").write_text("s1\ns2\ns4\n")
    done = wss(*command(many, tmp_path / "three", "--ids", tmp_path / "ids", "--json"))
    assert sorted(json.loads(done.out)["images"]) == ["s1", "s2", "s4"]


def test_what_lacks_a_map_is_left_out_and_counted(wss, many, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for seed in range(3):
        (few / f"s{seed}.npz").write_bytes((many / "bad" / f"s{seed}.npz").read_bytes())
    done = wss(*command(many, tmp_path / "tuned", folders=(many / "good", few)))
    assert done.code == 0
    assert "5 maps left out" in done.err


def test_names_that_are_not_there_fail(wss, many, tmp_path):
    (tmp_path / "ids").write_text("s1\ns2\nnope\n")
    done = wss(*command(many, tmp_path / "tuned", "--ids", tmp_path / "ids"))
    assert done.code == 1 and "nope" in done.err


def test_images_without_a_pixel_to_learn_from_do_not_count(wss, many, tmp_path):
    gt = tmp_path / "gt"
    shutil.copytree(many / "gt", gt)
    size = labels_of(gt / "s0.png").shape
    for seed in range(7):
        (gt / f"s{seed}.png").write_bytes(encode_labels(np.full(size, 255, np.uint8), {}))
    words = command(many, tmp_path / "tuned")
    words[words.index("--gt") + 1] = gt
    done = wss(*words)
    assert done.code == 1 and "1 of 8 images have a pixel" in done.err
    shutil.copy(many / "gt" / "s0.png", gt)
    done = wss(*words, "--json")
    assert done.code == 0 and "Warning" not in done.err
    found = json.loads(done.out)
    assert sorted(found["images"]) == ["s0", "s7"]
    assert found["best"]["pool"] == found["pools"][0]["pool"]


def test_a_dry_run_is_refused(wss, many, tmp_path):
    done = wss(*command(many, tmp_path / "tuned", "--dry-run"))
    assert done.code == 2 and "--dry-run" in done.err
    assert not (tmp_path / "tuned").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--potts",), "belongs to a regularizer"),
        (("--images", "x"), "belongs to a regularizer"),
        (("--lambda", "1,2"), "belongs to a regularizer"),
        (("--tol", "0.1"), "belongs to a regularizer"),
    ],
)
def test_options_of_the_regularizers_are_refused(wss, many, tmp_path, more, message):
    done = wss(*command(many, tmp_path / "tuned", *more))
    assert (done.code, message in done.err) == (2, True)


def test_too_few_maps_or_images_are_refused(wss, many, tmp_path):
    done = wss(*command(many, tmp_path / "tuned", folders=("good",)))
    assert done.code == 2 and "two or more folders" in done.err
    done = wss(
        "tune", "--fusion", many / "good", "-", "--gt", many / "gt", "-o", tmp_path / "tuned"
    )
    assert done.code == 2 and "give folders, not -" in done.err
    done = wss(*command(many, tmp_path / "tuned", "--sample", 1))
    assert done.code == 1 and "at least two are needed" in done.err
    places = ("tune", "--potts", many / "good", many / "bad", "--gt", many / "gt", "-o", tmp_path)
    done = wss(*places, "--images", many / "gt")
    assert done.code == 2 and "belong to --fusion" in done.err
    done = wss("tune", "--potts", many / "good", "--gt", many / "gt", "-o", tmp_path / "x")
    assert done.code == 2 and "--images is needed" in done.err


def test_a_folder_of_another_search_is_left_alone(wss, many, tmp_path):
    out = tmp_path / "tuned"
    assert wss(*command(many, out)).code == 0
    before = folder_bytes(out)
    done = wss(*command(many, out, "--seed", 1))
    assert done.code == 2
    assert folder_bytes(out) == before
    potts = ("tune", "--potts", many / "good", "--images", many / "gt", "--gt", many / "gt")
    done = wss(*potts, "-o", out, "--lambda", 1, "--eta", 0)
    assert done.code == 2
    assert folder_bytes(out) == before


GOOD = {
    "method": "fusion",
    "pool": "linear",
    "weights": [[0.5] * 4, [0.5] * 4],
    "temperatures": [1, 1],
    "offsets": [0] * 4,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "potts"}, "parameters of potts, expected those of fusion"),
        ({"pool": "median"}, "expected linear or log-linear"),
        ({"weights": [[0.5] * 4]}, "do not fit each other"),
        ({"weights": [[0.5] * 4, [0.5] * 3]}, "do not fit each other"),
        ({"weights": [[-1] * 4, [0.5] * 4]}, "0 or more"),
        ({"weights": "x"}, "weights"),
        ({"weights": [[0.5] * 4, [float("nan")] * 4]}, "not in -1000..1000"),
        ({"weights": [[0.5] * 4, [1e300] * 4]}, "not in -1000..1000"),
        ({"weights": [[0] * 4, [0] * 4]}, "their sum at least"),
        ({"weights": [[0, 1, 1, 1], [1, 1, 1, 1]]}, "the same weights for all classes"),
        ({"offsets": [0, 1, 0, 0]}, "offsets of 0"),
        ({"pool": "log-linear", "temperatures": [1, 2]}, "are in its weights"),
        ({"temperatures": [0, 1]}, "a temperature is below"),
        ({"offsets": [0] * 3}, "do not fit each other"),
        ({"more": 1}, "more"),
    ],
)
def test_files_that_hold_no_pool_are_refused(wss, many, tmp_path, change, message):
    path = tmp_path / "params.json"
    path.write_text(json.dumps({**GOOD, **change}))
    done = wss("fuse", "--params", path, many / "good", many / "bad", "-o", tmp_path / "out")
    assert done.code == 1 and message in done.err
    assert not (tmp_path / "out").exists()


def test_a_pool_of_other_maps_is_refused(wss, many, tmp_path):
    path = tmp_path / "params.json"
    path.write_text(json.dumps(GOOD))
    both = (many / "good", many / "bad")
    out = ("-o", tmp_path / "out", "--jobs", 1)
    done = wss("fuse", "--params", path, *both, many / "good", *out)
    assert done.code == 2 and "weights of 2 folders of maps, there are 3" in done.err
    done = wss("fuse", "--params", path, "--weights", "1,1", *both, *out)
    assert done.code == 2 and "one of --weights and --params" in done.err
    path.write_text(json.dumps({**GOOD, "weights": [[1] * 9] * 2, "offsets": [0] * 9}))
    done = wss("fuse", "--params", path, *both, *out)
    assert done.code == 1 and "the parameters 9" in done.err
