"""Scores that are given as a table."""

from __future__ import annotations

import pytest

from wsstools.errors import DataError
from wsstools.formats.studies.scores import read_scores


def test_given_scores(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("name,miou\nfull,76.8\nbaseline,72.4\n")
    mious = {row.key.name: row.miou for row in read_scores(str(path))}
    assert mious == {"full": pytest.approx(0.768), "baseline": pytest.approx(0.724)}
    path.write_text("# fractions\nname,miou\nfull,0.7\nbaseline,0.6\n")
    assert [row.miou for row in read_scores(str(path))] == [0.7, 0.6]
    for text, message in {
        "name\nfull\n": "name,miou",
        "name,miou\nfull,0.7\n": "baseline",
        "name,miou\nfull,0.7\nfull,0.6\n": "twice",
        "name,miou\nfull,high\nbaseline,0.6\n": "no number",
        "name,miou\nfull,-1\nbaseline,0.6\n": "no number",
    }.items():
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_scores(str(path))
