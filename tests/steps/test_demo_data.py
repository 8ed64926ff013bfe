"""`demo-data`, `scribbles` and `show`."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from builders import REPOSITORY, folder_bytes

from wsstools.formats import label_files

PHOTOS = REPOSITORY / "examples" / "photos"


def labels_of(path: Path) -> np.ndarray:
    return label_files.decode_labels(path.read_bytes(), str(path)).value


def test_the_demo_data_is_whole_and_the_same_each_time(wss, tmp_path):
    for name in ("one", "two"):
        assert wss("demo-data", "-o", tmp_path / name, "--train", 2, "--val", 1).code == 0
    one = tmp_path / "one"
    for folder in ("images", "gt", "scribbles", "."):
        assert folder_bytes(one / folder) == folder_bytes(tmp_path / "two" / folder)
    stems = (one / "train.txt").read_text().split() + (one / "val.txt").read_text().split()
    assert [path.stem for path in sorted((one / "gt").iterdir())] == stems
    assert [path.stem for path in sorted((one / "scribbles").iterdir())] == stems[:2]
    for stem in stems[:2]:
        drawn, truth = (
            labels_of(one / "scribbles" / f"{stem}.png"),
            labels_of(one / "gt" / f"{stem}.png"),
        )
        assert 0.005 < (drawn != 255).mean() < 0.05
        assert (drawn[drawn != 255] == truth[drawn != 255]).all()


def test_the_demo_data_never_covers_other_data(wss, dataset, tmp_path):
    out = tmp_path / "out"
    arguments = ["demo-data", "-o", out, "--train", 1, "--val", 1]
    assert "2 scenes drawn" in wss(*arguments).err
    assert "0 scenes drawn" in wss(*arguments).err
    for path in (out / "gt").iterdir():
        path.unlink()
    assert "2 scenes drawn" in wss(*arguments).err
    other = wss(*arguments, "--seed", 1)
    assert other.code == 2
    assert "seed 0 (now 1)" in other.err
    before = folder_bytes(dataset / "images")
    assert wss("demo-data", "-o", dataset).code == 2
    assert folder_bytes(dataset / "images") == before
    assert wss(*arguments, "--seed", 1, "--overwrite").code == 0


def test_strokes_on_the_photographs_become_scribbles(wss, tmp_path):
    assert wss("demo-data", "--photos", "-o", tmp_path / "photos").code == 0
    outcome = wss(
        "scribbles", PHOTOS / "strokes", "--images", tmp_path / "photos", "-o", tmp_path / "drawn"
    )
    assert outcome.code == 0, outcome.err
    assert len(outcome.paths) == 6
    for path in outcome.paths:
        drawn = labels_of(path)
        assert len(np.unique(drawn)) > 2
        assert 0.01 < (drawn != 255).mean() < 0.1


def test_a_wrong_stroke_is_told_with_its_line(wss, dataset, tmp_path):
    (tmp_path / "strokes").mkdir()
    (tmp_path / "strokes" / "a.txt").write_text("# comment\n0,1,2,3,4\n1,5\n")
    outcome = wss(
        "scribbles", tmp_path / "strokes", "--images", dataset / "images", "-o", tmp_path / "out"
    )
    assert outcome.code == 1
    assert "line 3" in outcome.err


def test_the_contact_sheet_shows_every_folder(wss, dataset, tmp_path):
    sheet = tmp_path / "sheet.png"
    outcome = wss(
        "show", dataset / "images", f"scribbles={dataset}/scribbles", f"map={dataset}/maps",
        f"truth={dataset}/gt", "-o", sheet, "--rows", 2, "--cell-width", 100,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.paths == [sheet]
    picture = iio.imread(sheet)
    assert picture.shape[1] > 400
    assert picture.dtype == np.uint8
    narrow = tmp_path / "narrow.png"
    wss("show", dataset / "images", f"truth={dataset}/gt", "-o", narrow, "--cell-width", 100)
    assert iio.imread(narrow).shape[1] < picture.shape[1]


@pytest.mark.parametrize("column", ["gt", "=x", "name="])
def test_columns_need_a_name(wss, dataset, tmp_path, column):
    assert wss("show", dataset / "images", column, "-o", tmp_path / "s.png").code == 2
