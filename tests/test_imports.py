"""Imports point downwards, and help comes without heavy packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wsstools
from wsstools.cli.main import command_names

ROOT = Path(wsstools.__file__).parent
ALLOWED = {
    "core": {"core"},
    "io": {"io", "core"},
    "nn": {"nn", "core"},
    "view": {"view", "core"},
    "commands": {"commands", "core", "io", "nn", "view"},
}
HEAVY = ("torch", "sklearn", "skimage", "numba", "scipy", "numpy")


def imported(path: Path) -> set[str]:
    """The parts of wsstools that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("wsstools.")}


@pytest.mark.parametrize("layer", ALLOWED)
def test_imports_point_downwards(layer):
    modules = list((ROOT / layer).glob("*.py"))
    assert modules
    for path in modules:
        upward = imported(path) - ALLOWED[layer] - {"errors", "__version__"}
        assert not upward, f"{path.name} imports {upward}"


def test_errors_need_the_standard_library_only():
    assert not imported(ROOT / "errors.py")


@pytest.mark.parametrize("name", [None, *command_names()])
def test_help_imports_nothing_heavy(name):
    arguments = ["--help"] if name is None else [name, "--help"]
    code = (
        "import sys; from wsstools.cli.entry import main\n"
        f"sys.argv = ['wss', *{arguments}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: wss" in done.stdout
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_making_help_imports_nothing_heavy_either():
    code = (
        "import sys; from wsstools.cli.main import load_command, command_names\n"
        "for name in command_names(): load_command(name)\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
