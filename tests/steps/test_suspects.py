"""`wss suspects`: a list, and scribbles without those listed."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
from builders import SHARED, STEMS

from wsstools.core.local.settings import ForestSettings
from wsstools.formats import label_files
from wsstools.running.settings import RunSettings
from wsstools.steps.rf_predict import rf_predict

pytestmark = pytest.mark.slow
WEIGHTS = SHARED / "weights" / "mobilenet_v2-b0353104.pth"


def read(path):
    return label_files.decode_labels(path.read_bytes(), str(path)).value


@pytest.fixture(scope="module")
def prepared(dataset, tmp_path_factory):
    """The data set with one stroke of another class, and maps that are held out from it."""
    place = tmp_path_factory.mktemp("noisy")
    shutil.copytree(dataset / "images", place / "images")
    shutil.copytree(dataset / "scribbles", place / "scribbles")
    shutil.copy(dataset / "classes.txt", place)
    path = place / "scribbles" / f"{STEMS[1]}.png"
    scribbles = read(path)
    first, second = np.unique(scribbles[scribbles != 255])[:2]
    wrong = scribbles == first
    scribbles[wrong] = second
    path.write_bytes(label_files.encode_labels(scribbles, None))
    rf_predict(
        str(place / "images"),
        str(place / "scribbles"),
        place / "held",
        forest=ForestSettings(trees=10),
        folds=3,
        run=RunSettings(jobs=1),
    )
    return place, wrong


@pytest.fixture
def noisy(prepared, tmp_path):
    """A copy of that for one test."""
    place, wrong = prepared
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    return tmp_path, wrong


@pytest.fixture
def suspects(wss, noisy):
    """Run it on those."""
    place, _ = noisy

    def run(*more: object):
        given = [place / "held", place / "scribbles", "--images", place / "images"]
        return wss("suspects", *given, *more)

    return run


def test_the_wrong_stroke_is_first(suspects, noisy):
    _, wrong = noisy
    outcome = suspects("--json", "--top", 0)
    assert outcome.code == 0, outcome.err
    rows = json.loads(outcome.out)
    assert rows[0]["image"] == STEMS[1]
    assert wrong[rows[0]["y"], rows[0]["x"]]
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True) and scores[0] <= 1 and scores[-1] >= 0
    assert "warning" not in outcome.err
    as_csv = list(csv.DictReader(io.StringIO(suspects("--format", "csv", "--top", 3).out)))
    assert [row["image"] for row in as_csv] == [row["image"] for row in rows[:3]]
    assert [float(row["score"]) for row in as_csv] == scores[:3]
    table = suspects("--top", 2).out.splitlines()
    assert table[0].split()[:3] == ["image", "class", "likeliest"]
    assert table[2].startswith(STEMS[1])


def test_scribbles_without_it_and_it_alone(suspects, noisy):
    place, wrong = noisy
    outcome = suspects("--top", 1, "-o", place / "kept")
    assert outcome.code == 0, outcome.err
    assert [path.stem for path in outcome.paths] == list(STEMS)
    assert "left out: 1 of" in outcome.err
    before, kept = (read(place / name / f"{STEMS[1]}.png") for name in ("scribbles", "kept"))
    gone = kept != before
    assert gone.any() and not (gone & ~wrong).any() and (kept[gone] == 255).all()
    assert (
        read(place / "kept" / f"{STEMS[0]}.png") == read(place / "scribbles" / f"{STEMS[0]}.png")
    ).all()
    assert "skipped 4 (up to date)" in suspects("--top", 1, "-o", place / "kept").err
    outcome = suspects("--top", 1, "--only", "-o", place / "alone")
    assert [path.stem for path in outcome.paths] == [STEMS[1]]
    alone = read(place / "alone" / f"{STEMS[1]}.png")
    assert ((alone != 255) == gone).all()


def test_jobs_do_not_change_the_list(suspects):
    assert suspects("--json", "--jobs", 1).out == suspects("--json", "--jobs", 2).out


def test_maps_that_saw_the_strokes_are_warned_about(wss, noisy):
    place, _ = noisy
    maps = place / "seen"
    wss("rf-predict", place / "images", place / "scribbles", "--trees", 5, "-o", maps)
    outcome = wss("suspects", maps, place / "scribbles")
    assert outcome.code == 0
    assert "made by wss rf-predict without --folds" in outcome.err


@pytest.mark.skipif(not WEIGHTS.exists(), reason="no weights")
def test_features_of_a_network_help(suspects, noisy):
    outcome = suspects("--features-of", WEIGHTS, "--json", "--top", 1)
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)[0]["image"] == STEMS[1]


def test_what_contradicts_itself(wss, suspects, noisy):
    place, _ = noisy
    assert "--only needs --out" in suspects("--only").err
    assert "--out needs --top" in suspects("--top", 0, "-o", place / "x").err
    missing = suspects("--features-of", place / "none.pth")
    assert missing.code == 2 and "neither imagenet nor a file" in missing.err
    bad = suspects("--features-of", place / "scribbles" / f"{STEMS[0]}.png")
    assert bad.code == 1 and "neither a wsstools model nor a torch state dict" in bad.err
    assert "which --out replaces" in suspects("--json", "-o", place / "x").err
    alone = wss("suspects", place / "held", place / "scribbles", "--features-of", "imagenet")
    assert alone.code == 2 and "--features-of needs --images" in alone.err
    inside = suspects("-o", place / "scribbles")
    assert inside.code == 2 and "holds the inputs" in inside.err


def test_a_shorter_list_leaves_nothing_of_a_longer_one(suspects, noisy):
    place, _ = noisy
    assert suspects("--top", 80, "--only", "-o", place / "alone").code == 0
    many = len(list((place / "alone").glob("*.png")))
    outcome = suspects("--top", 1, "--only", "-o", place / "alone", "--overwrite")
    assert f"removed {many - 1} images of an earlier list" in outcome.err
    assert [path.stem for path in (place / "alone").glob("*.png")] == [STEMS[1]]


def test_maps_of_other_classes_are_named(wss, suspects, noisy):
    place, _ = noisy
    made = wss(
        "local-predict", place / "images", place / "scribbles", "--model", "parzen", "--folds", 2,
        "--n-classes", 9, "-o", place / "nine",
    )  # fmt: skip
    assert made.code == 0, made.err
    shutil.copy(place / "nine" / f"{STEMS[2]}.npz", place / "held")
    outcome = suspects()
    assert outcome.code == 1
    assert f"the map of {STEMS[2]} has 9 classes" in outcome.err


def test_paths_come_from_a_pipe_in_subfolders(shell, noisy):
    place, _ = noisy
    for name in ("images", "scribbles"):
        (place / "deep" / name / "a").mkdir(parents=True)
        for path in (place / name).iterdir():
            shutil.copy(path, place / "deep" / name / "a")
    shutil.copy(place / "classes.txt", place / "deep")
    given = f"{place}/deep/images {place}/deep/scribbles --recursive"
    outcome = shell(
        f"wss rf-predict {given} --trees 5 --folds 2 -o {place}/deep/held |"
        f" wss suspects - {place}/deep/scribbles --recursive --format csv"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[1].startswith("a/")
