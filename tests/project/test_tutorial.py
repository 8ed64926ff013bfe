"""The commands of the tutorial and of README's "Your own images" run, in order, on small data."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from builders import PATIENCE, REPOSITORY, code_blocks, environment_without_make

SHORT = "--init random --iterations 2 --batch 2 --crop 33 --precision float32"
SHELL = f"""set -euo pipefail
wss() {{ if [ "$1" = train ]; then command wss "$@" {SHORT}; else command wss "$@"; fi; }}
"""


@pytest.fixture
def run(program, tmp_path):
    """Run lines of bash with `wss` on the path, whose trainings are short; gives what is printed."""

    def call(lines: str) -> str:
        path = f"{program.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", SHELL + lines], cwd=tmp_path, env={**environment_without_make(), "PATH": path},
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return call


@pytest.mark.slow
@pytest.mark.trains
def test_the_tutorial_leads_to_the_gap_table(run, tmp_path):
    blocks = code_blocks((REPOSITORY / "docs" / "tutorial.md").read_text(), "sh")
    assert len(blocks) == 6
    drawn = blocks[0].replace("--n-train 12 --n-val 4", "--n-train 1 --n-val 1")
    printed = [run(block) for block in (drawn, *blocks[1:])]
    assert "house" in printed[1] and "house" in printed[3]
    assert re.search(r"^final\b", printed[-1], re.MULTILINE)
    assert all((tmp_path / f"{sheet}.png").is_file() for sheet in ("strokes", "labels"))
    for folder in ("labels", "predicted"):
        assert [path.stem for path in (tmp_path / folder).glob("*.png")] == ["train-000"]


@pytest.mark.slow
def test_the_readme_leads_to_labels(run, dataset, tmp_path):
    for name in ("images", "scribbles", "classes.txt"):
        (tmp_path / name).symlink_to(dataset / name)
    text = (REPOSITORY / "README.md").read_text().split("## Your own images")[1]
    pipe, recipe = code_blocks(text, "sh")[:2]
    run(pipe)
    assert len(list((tmp_path / "labels").glob("*.png"))) == 4
    assert (tmp_path / "sheet.png").is_file()
    first, whole = recipe.splitlines()
    run(first)
    assert (tmp_path / "out" / "first.png").is_file()
    assert first == f"{whole} first"
