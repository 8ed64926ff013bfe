"""The packages that others install: what they hold, and that they run by themselves."""

from __future__ import annotations

import email
import json
import os
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from builders import PATIENCE, POOL, REPOSITORY

from wsstools import __version__
from wsstools.cli.main import command_names

pytest.importorskip("hatchling")
pytestmark = pytest.mark.slow
SHARE = f"wsstools-{__version__}.data/data/share"


@dataclass(frozen=True)
class Built:
    """A wheel and a source distribution: their paths, and the bytes in each by name."""

    wheel: Path
    in_wheel: Mapping[str, bytes]
    in_source: Mapping[str, bytes]


def build(source: Path, out: Path, *targets: str) -> None:
    """Build with no network, no isolation and nothing left in the source."""
    options = [word for target in targets for word in ("-t", target)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(out), *options],
        cwd=source,
        check=True,
        capture_output=True,
    )


def wheel_in(folder: Path) -> tuple[Path, dict[str, bytes]]:
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return path, {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("dist")
    build(REPOSITORY, out, "sdist", "wheel")
    path, in_wheel = wheel_in(out)
    (source,) = out.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        in_source = {
            member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in members
        }
    return Built(path, in_wheel, in_source)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel's own files; the packages it needs are those of the tests."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    python = place / "bin" / "python"
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *options, built.wheel],
        check=True,
        env=environment(place, place.parent),
    )
    (packages,) = place.glob("lib/python*/site-packages")
    # A path in a .pth file adds that folder, not what its own .pth files name: no editable wss.
    (packages / "of-the-tests.pth").write_text("".join(f"{p}\n" for p in site.getsitepackages()))
    return place


def environment(place: Path, home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in ("LANG", "LC_ALL")}
    path = f"{place}/bin:/usr/bin:/bin"
    return {**kept, "PATH": path, "HOME": str(home), "TMPDIR": str(home / "tmp")}


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def test_the_wheel_holds_the_package_its_help_and_its_pages(built):
    ours = REPOSITORY / "src"
    source = {
        path.relative_to(ours).as_posix(): path.read_bytes()
        for path in (ours / "wsstools").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    pages = {
        f"{SHARE}/man/{path.relative_to(REPOSITORY / 'man').as_posix()}": path.read_bytes()
        for path in (REPOSITORY / "man").rglob("*.*")
    }
    assert len(pages) > len(command_names())
    files = {name: data for name, data in built.in_wheel.items() if ".dist-info/" not in name}
    assert files.keys() == (source | pages).keys()
    assert files == source | pages


def test_the_wheel_says_what_it_needs(built):
    name = f"wsstools-{__version__}.dist-info/METADATA"
    metadata = email.message_from_bytes(built.in_wheel[name])
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"
    assert f"wsstools-{__version__}.dist-info/licenses/LICENSE" in built.in_wheel
    assert "## Installation" in metadata.get_payload()


def test_the_source_holds_all_that_a_packager_needs(built, tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False
    )
    if listed.returncode == 0:
        tracked = {name for name in listed.stdout.decode().split("\0") if name}
        there = {name for name in tracked if (REPOSITORY / name).is_file()}
        assert there <= built.in_source.keys()
    for name in ("README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "constraints.txt"):
        assert name in built.in_source
    for folder in ("tests", "docs", "man", "examples"):
        assert any(name.startswith(f"{folder}/") for name in built.in_source)
    for name, data in built.in_source.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(data)
    build(tmp_path / "source", tmp_path / "dist", "wheel")
    assert wheel_in(tmp_path / "dist")[1] == built.in_wheel


def test_the_installed_program_runs_anywhere_and_writes_nowhere_else(installed, dataset, tmp_path):
    home, nowhere, out = tmp_path / "home", tmp_path / "nowhere", tmp_path / "out"
    for folder in (home / "tmp", nowhere):
        folder.mkdir(parents=True)
    before = files_in(installed)

    def run(*command: object) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=nowhere,
            env=environment(installed, home),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    place = run("python", "-c", "import wsstools; print(wsstools.__file__)")
    assert Path(place.strip()).is_relative_to(installed)
    assert run("wss", "--version") == run("python", "-m", "wsstools", "--version")
    assert "Example" in run("wss", "fuse", "--help")
    maps, parameters = (dataset / "maps", dataset / "other-maps"), tmp_path / "pool.json"
    parameters.write_text(json.dumps(POOL))
    run("wss", "fuse", *maps, "--params", parameters, "-o", out / "fused", "-j", 2)  # compiles
    printed = run("wss", "argmax", out / "fused", "-o", out / "labels", "-j", 1)
    assert [Path(line).name for line in printed.splitlines()] == [f"{s}.png" for s in "abcd"]
    if shutil.which("man", path="/usr/bin:/bin"):
        for page in ("wss-fuse", "wss-maps", "wss-pipeline"):
            assert run("man", "-w", page).startswith(str(installed))
    assert files_in(nowhere) == set()
    assert {name for name in files_in(installed) - before if "__pycache__" not in name} == set()
    kept = files_in(home)
    assert kept
    assert all(name.startswith(".cache/wsstools/numba/") for name in kept)
