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
GROUND = {"core", "errors", "__version__"}
ARROWS = {
    "cli": {"cli", "steps", "running", "nn", "view"},
    "steps": {"steps", "running", "nn", "view", "formats", "files", "demo"},
    "running": {"running", "formats", "files"},
    "nn": {"nn", "formats", "files"},
    "view": {"view", "files"},
    "formats": {"formats", "files"},
    "files": {"files"},
    "core": set(),
    "demo": {"demo"},
}
"""What each folder may import, besides GROUND."""
LIGHT = {
    "running.settings",
    "nn.settings",
    "nn.regularizing.settings",
    "nn.training.schedules",
    "view.settings",
}
"""What the options of commands are made from; the rest of these folders is for steps."""
HEAVY = ("torch", "sklearn", "skimage", "numba", "scipy", "numpy", "matplotlib")


def imported(path: Path) -> set[str]:
    """The modules of wsstools that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"
    return {name.removeprefix("wsstools.") for name in names if name.startswith("wsstools.")}


def test_every_folder_has_its_arrows():
    folders = {path.name for path in ROOT.iterdir() if any(path.glob("*.py"))}
    assert folders == set(ARROWS)


@pytest.mark.parametrize("layer", ARROWS)
def test_imports_point_downwards(layer):
    modules = list((ROOT / layer).rglob("*.py"))
    assert modules
    for path in modules:
        upward = {n for n in imported(path) if n.split(".")[0] not in ARROWS[layer] | GROUND}
        assert not upward, f"{path} imports {upward}"


def test_commands_import_their_step_when_they_run_and_else_only_settings():
    for path in (ROOT / "cli").glob("*.py"):
        tree = ast.parse(path.read_text())
        inside = [
            node
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in function.body
            if isinstance(node, ast.ImportFrom)
        ]
        steps = {n for n in imported(path) if n.split(".")[0] == "steps"}
        if path.stem in ("__init__", "entry", "main", "options", "renaming"):
            assert not steps, path
            continue
        assert [node.module for node in inside] == [f"wsstools.steps.{path.stem}"], path
        assert {n.rpartition(".")[0] for n in steps} == {f"steps.{path.stem}"}, path
        below = {
            n.rpartition(".")[0] for n in imported(path) if n.startswith(("running", "nn", "view"))
        }
        assert below <= LIGHT, f"{path} imports {below - LIGHT}"


MOST_MODULES = 14
"""In a folder, but for cli and steps, which have one a command."""


def test_folders_can_be_seen_at_a_glance():
    folders = [path for path in ROOT.rglob("*") if any(path.glob("*.py"))]
    sizes = {
        folder.relative_to(ROOT): len({*folder.glob("*.py")} - {folder / "__init__.py"})
        for folder in folders
        if folder.name not in ("cli", "steps")
    }
    for folder, size in sizes.items():
        below = [
            p for p, n in sizes.items() if p.parts[:1] == folder.parts[:1] and n < MOST_MODULES
        ]
        assert size <= MOST_MODULES, (
            f"{folder} holds {size} modules, expected at most {MOST_MODULES}: put the new one into "
            "the folder of its subject, or into a new one with __init__.py; there is room in "
            f"{', '.join(map(str, sorted(below)))}"
        )


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


SLOW_TO_IMPORT = {
    "torch": {"train", "global_predict", "network_features", "export"},
    "onnx": set(),
    "onnxruntime": set(),
    "matplotlib": {"compare", "report", "tune"},
    "sklearn": {"demo_data", "suspects"},
    "typer": set(),
    "distributed": set(),
    "nibabel": set(),
}
"""Packages that take seconds, and the steps that need them from the start."""


STEPS_ALONE = """
import os, sys
from importlib import import_module
import wsstools.running.step, wsstools.formats.map_files, numba, scipy, skimage  # as many steps do

def apart(act, *words):
    if os.fork() == 0:
        act(*words)
        os._exit(0)
    os.wait()

def load(step):
    import_module(f"wsstools.steps.{step}")
    print(step, *sys.modules, flush=True)

def load_all(package, *steps):
    if package:
        import_module(package)
    for step in steps:
        apart(load, step)

for group in sys.argv[1:]:
    apart(load_all, *group.split(","))
"""
"""Imports each step in a process of its own, after the package that a group of them needs."""


@pytest.mark.slow
@pytest.mark.parametrize("needs_one", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_steps_import_slow_packages_only_where_they_need_them(needs_one):
    needing = set().union(*SLOW_TO_IMPORT.values())
    steps = [path.stem for path in (ROOT / "steps").glob("*.py") if path.stem != "__init__"]
    steps = [step for step in steps if (step in needing) == needs_one]
    grouped = SLOW_TO_IMPORT if needs_one else {"": steps}
    groups = [",".join((package, *sorted(of))) for package, of in grouped.items() if of]
    done = subprocess.run(
        [sys.executable, "-c", STEPS_ALONE, *groups], capture_output=True, text=True, check=True
    )
    loaded = {line.split()[0]: set(line.split()) for line in done.stdout.splitlines()}
    assert loaded.keys() == set(steps), done.stderr
    for step, modules in loaded.items():
        for package, needed_by in SLOW_TO_IMPORT.items():
            assert package not in modules or step in needed_by, f"{step} imports {package}"


SLOW_TO_LOAD = (*HEAVY, "imageio", "tifffile", "joblib", "pydantic", "rich")
COMPILED = {"numpy", "numba", "scipy"}  # numba imports SciPy
LOADED_BY_RUN = {
    "argmax maps -o OUT": {"numpy"},
    "argmax maps --scribbles scribbles --min-prob 0.5 --jobs 1 -o OUT": {"numpy"},
    "fuse maps other-maps -o OUT": {"numpy"},
    "adjust-prior maps --from scribbles --to gt --jobs 1 -o OUT": {"numpy"},
    "curate scribbles gt -o OUT": {"numpy"},
    "score gt gt": {"numpy"},
    "stats gt": {"numpy", "scipy"},
    "local-predict images scribbles --model walker -o OUT": {"numpy", "scipy", "skimage"},
    "rf-predict images scribbles -o OUT": COMPILED,
    "regularize maps --images images --potts -o OUT": COMPILED,
    "regularize maps --images images --crf -o OUT": COMPILED,
}
"""Commands on one image, and what they load of the packages that take long."""
COMMAND_ALONE = """
import sys
from wsstools.cli.main import run
code = run(sys.argv[1:])
print(code, *sys.modules)
"""


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, marks=[pytest.mark.slow] if loaded != {"numpy"} else [])
        for line, loaded in LOADED_BY_RUN.items()
    ],
)
def test_a_run_on_one_image_loads_few_packages(line, dataset, tmp_path):
    words = [*line.replace("OUT", str(tmp_path / "out")).split(), "--shard", "1/4"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND_ALONE, *words],
        cwd=dataset, capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, *modules = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    assert {package for package in SLOW_TO_LOAD if package in modules} == LOADED_BY_RUN[line]
