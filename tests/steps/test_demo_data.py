"""`demo-data`: the same each time, and it covers no other data."""

from __future__ import annotations

import pytest
from builders import folder_bytes, labels_of


@pytest.mark.slow
def test_the_demo_data_is_whole_and_the_same_each_time(wss, tmp_path):
    for name in ("one", "two"):
        assert wss("demo-data", "-o", tmp_path / name, "--n-train", 2, "--n-val", 1).code == 0
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


@pytest.mark.slow
def test_the_demo_data_never_covers_other_data(wss, dataset, tmp_path):
    out = tmp_path / "out"
    arguments = ["demo-data", "-o", out, "--n-train", 1, "--n-val", 1]
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
