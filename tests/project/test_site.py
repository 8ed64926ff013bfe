"""The documentation as a site: it is built without a warning, and each page is reached."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from builders import PATIENCE, REPOSITORY

from wsstools.cli.main import command_names


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)], cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr and "not included" not in done.stderr, done.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert {f"commands/{name}.html" for name in command_names()} < pages
    assert "sigma_alpha" in (tmp_path / "api.html").read_text()
    for page in (REPOSITORY / "docs").glob("*.md"):
        assert f"{page.stem}.html" in pages
