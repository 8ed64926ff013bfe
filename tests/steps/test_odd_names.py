"""Names of files and classes with bytes that are not UTF-8, line ends, quotes and tags."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from builders import draw_image

from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import encode_labels

STEMS = [os.fsdecode(b"caf\xe9"), "two\nlines", "ta\tb", "<script>x", "-dash", "q'\"uote", "#hash"]
CLASSES = ["straße", "a,b", 'x"y', "<b>&"]


@pytest.fixture
def odd(tmp_path):
    (tmp_path / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    for folder in ("images", "gt", "labels"):
        (tmp_path / folder).mkdir()
    for seed, stem in enumerate(STEMS):
        image, labels, _ = draw_image(seed)
        (tmp_path / f"images/{stem}.png").write_bytes(encode_image(image))
        for folder in ("gt", "labels"):
            (tmp_path / f"{folder}/{stem}.png").write_bytes(encode_labels(labels, {}))
    return tmp_path


@pytest.mark.slow
def test_a_study_of_odd_names_is_read_into_a_report_that_runs_none_of_them(wss, odd):
    done = wss("eval-gap", "--gt", odd / "gt", "--full", odd / "labels", "--baseline",
               odd / "labels", f"a={odd / 'labels'}", "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["images"]["val"] == sorted(STEMS)
    (odd / "gap.json").write_text(done.out)
    command = ["report", odd / "gap.json", "--images", odd / "images", "--gt", odd / "gt"]
    outcome = wss(*command, "-o", odd / "r.html")
    assert outcome.code == 0, outcome.err
    page = (odd / "r.html").read_bytes().decode("utf-8")
    assert "<script>x" not in page
    assert "straße" in page and "&lt;b&gt;&amp;" in page


def test_a_sheet_shows_odd_names_in_one_line(wss, odd):
    outcome = wss("show", odd / "images", f"labels={odd / 'labels'}", "-o", odd / "s.png")
    assert outcome.code == 0, outcome.err


def test_the_list_of_curate_is_read_back(wss, odd):
    assert wss("curate", odd / "labels", odd / "gt", "-o", odd / "c").code == 0
    ids = ["--ids", odd / "c/complete.txt"]
    done = wss("score", odd / "labels", odd / "gt", *ids, "--json", "--per-image")
    assert done.code == 0, done.err
    whole = wss("curate", odd / "labels", odd / "gt", "-o", odd / "again", *ids)
    assert whole.code == 0, whole.err
    made = {path.stem for path in (odd / "again").glob("*.png")}
    assert made == {stem for stem in STEMS if "\n" not in stem}


def test_tables_hold_odd_names(wss, odd):
    done = wss("score", odd / "labels", odd / "gt", "--per-image", "--format", "json")
    assert done.code == 0, done.err
    assert np.allclose(list(json.loads(done.out)["iou"].values()), 1)
