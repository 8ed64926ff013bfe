"""`wss suggest`: places in the images of a folder, as a list, a pipe and a picture."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest
from builders import STEMS
from PIL import Image


@pytest.fixture
def suggest(wss, dataset):
    """Run it on the data set's maps."""

    def run(*more: object):
        maps = [dataset / "maps", dataset / "other-maps"]
        return wss("suggest", *maps, "--scribbles", dataset / "scribbles", *more)

    return run


def test_places_are_sorted_by_gain(suggest):
    outcome = suggest("--json", "--per-image", 3, "--top", 0)
    assert outcome.code == 0, outcome.err
    rows = json.loads(outcome.out)
    assert {row["image"] for row in rows} <= set(STEMS)
    assert max([row["image"] for row in rows].count(stem) for stem in STEMS) <= 3
    gains = [row["gain"] for row in rows]
    assert gains == sorted(gains, reverse=True) and gains[-1] > 0
    for row in rows:
        assert row["left"] <= row["x"] < row["right"] and row["top"] <= row["y"] < row["bottom"]
    as_csv = list(csv.DictReader(io.StringIO(suggest("--format", "csv", "--top", 2).out)))
    best = json.loads(suggest("--json", "--top", 2).out)
    assert [(row["image"], int(row["x"])) for row in as_csv] == [
        (row["image"], row["x"]) for row in best
    ]
    assert suggest("--json", "--jobs", 1).out == suggest("--json", "--jobs", 2).out


def test_names_go_into_the_next_step(suggest, wss, dataset, tmp_path):
    names = suggest("--format", "names", "--top", 2).out.splitlines()
    assert len(names) == 2
    (tmp_path / "next.txt").write_text("\n".join(names))
    outcome = wss("argmax", dataset / "maps", "--ids", tmp_path / "next.txt", "-o", tmp_path / "l")
    assert [path.stem for path in outcome.paths] == names


def test_maps_come_from_a_pipe(shell, dataset, tmp_path):
    places = f"{dataset}/images {dataset}/scribbles"
    outcome = shell(
        f"wss local-predict {places} --model parzen -o {tmp_path}/maps | wss suggest - --format names"
    )
    assert outcome.code == 0, outcome.err
    assert set(outcome.out.split()) <= set(STEMS)


def test_an_image_without_scribbles_is_asked_for_too(wss, dataset, tmp_path):
    (tmp_path / "drawn").mkdir()
    name = f"{STEMS[0]}.png"
    (tmp_path / "drawn" / name).write_bytes((dataset / "scribbles" / name).read_bytes())
    outcome = wss("suggest", dataset / "maps", "--scribbles", tmp_path / "drawn", "--json")
    assert outcome.code == 0, outcome.err
    rows = json.loads(outcome.out)
    assert {row["image"] for row in rows} > {STEMS[0]}
    assert all(row["is_new"] for row in rows if row["image"] != STEMS[0])


def test_the_sheet_shows_the_places(suggest, dataset, tmp_path):
    sheet = tmp_path / "next.png"
    outcome = suggest("--images", dataset / "images", "--sheet", sheet, "--per-image", 2)
    assert outcome.code == 0, outcome.err
    colours = Image.open(sheet).convert("RGB").getcolors(1 << 24)
    assert any(colour == (255, 64, 0) for _, colour in colours)
    again = suggest(
        "--images", dataset / "images", "--sheet", tmp_path / "two.png", "--per-image", 2
    )
    assert again.out == outcome.out
    first, second = (Image.open(tmp_path / name).tobytes() for name in ("next.png", "two.png"))
    assert first == second


def test_what_is_wrong_is_said(suggest, wss, dataset, tmp_path):
    outcome = suggest("--sheet", tmp_path / "x.png")
    assert outcome.code == 2 and "--sheet needs --images" in outcome.err
    outcome = suggest("--format", "xml")
    assert outcome.code == 2 and "expected table, csv, json, names" in outcome.err
    outcome = suggest(
        "--images", dataset / "images", "--sheet", dataset / "images" / f"{STEMS[0]}.png"
    )
    assert outcome.code == 2
    outcome = suggest("--images", "-", "--sheet", tmp_path / "x.png")
    assert outcome.code == 2 and "- is for MAPS" in outcome.err
    outcome = wss("suggest", dataset / "maps", "--scribbles", "-")
    assert outcome.code == 2 and "- is for MAPS" in outcome.err
    assert suggest("--images", dataset / "images").out == suggest().out
    outcome = suggest("--images", dataset / "images", "--sheet", tmp_path / "x.png", "--dry-run")
    assert outcome.code == 2 and not (tmp_path / "x.png").exists()
    outcome = suggest("--reach", 0)
    assert outcome.code == 2 and "--reach" in outcome.err


def test_models_need_not_know_the_same_images(suggest, wss, dataset, tmp_path):
    (tmp_path / "some").mkdir()
    shutil.copy(dataset / "maps" / f"{STEMS[1]}.npz", tmp_path / "some")
    places = [dataset / "other-maps", tmp_path / "some"]
    first = wss("suggest", *places, "--json")
    assert first.code == 0, first.err
    assert {row["image"] for row in json.loads(first.out)} == set(STEMS)
    assert wss("suggest", *places[::-1], "--json").out == first.out


def test_an_image_of_another_size_is_named(suggest, dataset, tmp_path):
    shutil.copytree(dataset / "images", tmp_path / "images")
    for path in (tmp_path / "images").iterdir():
        Image.open(path).crop((0, 0, 30, 20)).save(path)
    outcome = suggest("--images", tmp_path / "images", "--sheet", tmp_path / "x.png")
    assert outcome.code == 1
    assert "shape (20, 30)" in outcome.err and "unexpected" not in outcome.err
    assert not (tmp_path / "x.png").exists()


def test_names_that_look_like_comments_are_quoted(wss, dataset, tmp_path):
    (tmp_path / "maps").mkdir()
    shutil.copy(dataset / "maps" / f"{STEMS[0]}.npz", tmp_path / "maps" / "#1.npz")
    names = wss("suggest", tmp_path / "maps", "--format", "names").out
    (tmp_path / "next.txt").write_text(names)
    outcome = wss("argmax", tmp_path / "maps", "--ids", tmp_path / "next.txt", "-o", tmp_path / "l")
    assert [path.name for path in outcome.paths] == ["#1.png"]
