"""The step that CONTRIBUTING.md adds is one: its pieces are put into a copy and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import PATIENCE, REPOSITORY

SECTION = (REPOSITORY / "CONTRIBUTING.md").read_text().split("## A new step\n")[1]
BLOCK = r"((?:[^\n]+\n)+)\n(`{3,})(?:python|markdown)\n(.*?)^\2$"
BLOCKS = re.findall(BLOCK, SECTION, re.DOTALL | re.MULTILINE)
PIECES = {re.findall(r"`([\w/]+\.\w+)`", above)[0]: text for above, _, text in BLOCKS}
"""Files of the page, or lines of them, by the path that the paragraph above names first."""
PLACES = {
    "tests/builders.py": "PER_IMAGE = {\n",
    "README.md": "| commands | what they do |\n|---|---|\n",
}
"""Files that have a new line, and after what it is put there."""
NEW = [name for name in PIECES if name not in PLACES]
TESTS = (
    "tests/cli/test_defaults.py",
    "tests/cli/test_dry_run.py",
    "tests/cli/test_light_options.py",
    "tests/project/test_doctests.py",
    "tests/project/test_imports.py",
    "tests/project/test_manual.py",
    "tests/running/test_outputs.py",
    "tests/running/test_pipe.py",
    "tests/steps/test_every_step.py",
    "tests/steps/test_despeckle.py",
)
"""Those that ask for a piece, or run what every step must do."""
CHOSEN = "despeckle or specks or glance or import_their_step or readme or every_command_is_here"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project with the step of the page."""
    ignored = shutil.ignore_patterns("__pycache__", "exports", "out", "build")
    for folder in ("src", "tests", "docs", "tools", "man", "examples"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignored)
    for path in (*REPOSITORY.glob("*.md"), REPOSITORY / "pyproject.toml"):
        shutil.copy(path, tmp_path)
    for name in NEW:
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(PIECES[name])
    for name, mark in PLACES.items():
        before, after = (tmp_path / name).read_text().split(mark)
        (tmp_path / name).write_text(f"{before}{mark}{PIECES[name]}{after}")
    return tmp_path


@pytest.mark.slow
def test_the_step_of_the_page_is_a_step(copy):
    assert [Path(name).suffix for name in NEW] == [".py", ".py", ".py", ".py", ".md"]
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=copy, env=environment, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-1000:]}"
        return done.stdout

    run("tools/manual.py")  # as make man
    options = ("-q", "-p", "no:cacheprovider", "-rA", "-m", "not slow", "-k", CHOSEN)
    tried = run("-m", "pytest", *options, *TESTS)
    for name in TESTS:
        assert f"PASSED {name}::" in tried, f"no test of {name} is chosen"
    modules = [*NEW[:4], "tests/builders.py"]
    run("-m", "ruff", "check", "--no-cache", *modules)
    run("-m", "ruff", "format", "--no-cache", "--check", *modules)
    assert "--area PIXELS" in run("-m", "wsstools", "despeckle", "--help")
