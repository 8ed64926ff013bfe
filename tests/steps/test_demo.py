"""`wss demo`: the way from strokes to labels on photographs."""

from __future__ import annotations

import pytest
from builders import REPOSITORY, code_blocks, labels_of

PAGE = REPOSITORY / "docs" / "commands" / "demo.md"


@pytest.mark.slow
@pytest.mark.trains
def test_strokes_become_labels_and_a_network(wss, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "demo"
    first, *others = (
        line.split()[1:] for line in code_blocks(PAGE.read_text(), "sh")[0].splitlines()
    )
    done = wss(*first)
    assert (done.code, done.out) == (0, "demo/sheet.png\n"), done.err
    assert [wss(*line).code for line in others] == [0, 0]
    assert done.err.count("$ wss ") == 8
    labels = sorted((place / "labels").glob("*.png"))
    assert len(labels) == len(list((place / "global").glob("*.npz"))) == 6
    assert all(len(set(labels_of(path).flat)) > 1 for path in labels)
    for path in labels:
        path.touch()
    before = [path.stat().st_mtime_ns for path in labels]
    assert wss("demo", "-o", place, "--quiet").code == 0
    assert [path.stat().st_mtime_ns for path in labels] == before


def test_a_step_that_fails_ends_it(wss, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "coffee.png").write_bytes(b"mine")
    done = wss("demo", "-o", tmp_path)
    assert done.code == 1
    assert "wss demo-data --photos -o images: ended with 2" in done.err
    assert not (tmp_path / "scribbles").exists()
