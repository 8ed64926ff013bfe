"""The step that CONTRIBUTING.md adds is one: its files are written into a copy and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import PATIENCE, REPOSITORY

PAGE = REPOSITORY / "CONTRIBUTING.md"
FILES = re.compile(r"`((?:src|tests)/[\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Source and tests of the project with the step of the page."""
    for folder in ("src", "tests", "docs", "tools", "man"):
        ignored = shutil.ignore_patterns("__pycache__", "exports")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    written = FILES.findall(PAGE.read_text())
    assert len(written) == 4
    for name, text in written:
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.slow
def test_the_step_of_the_page_is_a_step(copy):
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *command], cwd=copy, env=environment, capture_output=True,
            text=True, timeout=PATIENCE,
        )  # fmt: skip

    names = [name for name, _ in FILES.findall(PAGE.read_text())]
    tested = run("pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules", names[0], names[-1])
    assert tested.returncode == 0, tested.stdout[-3000:]
    checked = run("ruff", "check", "--no-cache", *names)
    assert checked.returncode == 0, checked.stdout
    formatted = run("ruff", "format", "--no-cache", "--check", *names)
    assert formatted.returncode == 0, formatted.stdout
    shown = run("wsstools", "despeckle", "--help")
    assert "--area PIXELS" in shown.stdout, shown.stderr
