"""The commands of the tutorial run, in order, on small data."""

from __future__ import annotations

import re

import pytest
from builders import REPOSITORY, code_blocks


@pytest.mark.slow
@pytest.mark.trains
def test_the_tutorial_leads_to_the_gap_table(bash, tmp_path):
    blocks = code_blocks((REPOSITORY / "docs" / "tutorial.md").read_text(), "sh")
    assert len(blocks) == 6
    drawn = blocks[0].replace("--n-train 12 --n-val 4", "--n-train 1 --n-val 1")
    printed = [bash(block, tmp_path) for block in (drawn, *blocks[1:])]
    assert "house" in printed[1] and "house" in printed[3]
    assert re.search(r"^final\b", printed[-1], re.MULTILINE)
    assert all((tmp_path / f"{sheet}.png").is_file() for sheet in ("strokes", "labels"))
    for folder in ("labels", "predicted"):
        assert [path.stem for path in (tmp_path / folder).glob("*.png")] == ["train-000"]
