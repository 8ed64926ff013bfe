"""The command lines of pages and help run on small data.

The blocks marked `sh` of a page run one after the other in a folder that holds what pages read,
under the names that all of them use, but not what the page itself writes. So does the example of a
command's help; where it has several, each runs by itself. Trainings are short, and files take the
place of what is downloaded. What another test runs is in ELSEWHERE; what needs more than there is
here, in REPLACED.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import manual
import page_data
import pytest
from builders import REPOSITORY, code_blocks

PAGES = {
    path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "examples").rglob("*.md"),
    )
}
BLOCKS = {page: blocks for page in sorted(PAGES) if (blocks := code_blocks(PAGES[page], "sh"))}
ELSEWHERE = {
    ("CONTRIBUTING.md", "markdown"): "project/test_contributing.py",
    ("CONTRIBUTING.md", "python"): "project/test_contributing.py",
    ("docs/commands/demo.md", "sh"): "steps/test_demo.py",
    ("docs/commands/export.md", "sh"): "steps/test_export.py",
    ("docs/export.md", "sh"): "steps/test_export.py",
    ("docs/export.md", "python"): "steps/test_export.py",
    ("docs/export.md", "cpp"): "steps/test_export.py",
    ("docs/maps.md", "python"): "project/test_docs.py",
    ("docs/pipeline.md", "make"): "project/test_docs.py",
    ("docs/python.md", "python"): "project/test_python_docs.py",
    ("docs/python.md", "sh"): "project/test_python_docs.py",
    ("docs/tutorial.md", "sh"): "project/test_tutorial.py",
    ("docs/volumes.md", "python"): "steps/test_volumes.py",
    ("docs/volumes.md", "sh"): "steps/test_volumes.py",
}
"""The test that runs the blocks of a language in a page."""

_PLANNED = 'make() { command make -n "$@" > /dev/null; }'
_FIRST = """make() {
  if [ "${*: -1}" = first ]; then command make "$@"; else command make -n "$@" > /dev/null; fi
}
"""
REPLACED = {
    # Packages come from an index. `.ci/run` installs them.
    "README.md": f"""{_FIRST}
python3() {{ "$PYTHON" "$@" --without-pip; }}
pip() {{
  local alone="--quiet --dry-run --no-index --no-deps --no-build-isolation"
  (cd "$REPOSITORY" && "$PYTHON" -m pip "$@" $alone)
}}""",
    "CONTRIBUTING.md": 'git() { ln -s "$REPOSITORY" "$3"; }\n' + _PLANNED,
    # Hours of training. test_examples.py and test_recipe.py make all targets with short ones.
    "docs/commands/recipe.md": _FIRST,
    "help of recipe": _FIRST,
    "docs/reproduction.md": _PLANNED,
    "docs/rivals.md": _PLANNED,
    "examples/results/README.md": _PLANNED,
    # A golden run takes minutes, and OLD is another checkout.
    "docs/architecture.md": """ln -s "$REPOSITORY" OLD
ln -s "$REPOSITORY/src" src
python() {
  PYTHONPATH="$REPOSITORY/tests" "$PYTHON" -c 'import golden, sys
golden.LINES, golden.PER_IMAGE = "wss --version", {}
sys.exit(golden.main())' "${@:2}"
}""",
    # A port of its own, and two cores.
    "docs/commands/train.md": 'torchrun() { command torchrun --standalone "${@/#4/2}"; }',
    # A queue, and another shell.
    "docs/pipeline.md": """
sbatch() { for k in $(seq "${1#--array=1-}"); do SLURM_ARRAY_TASK_ID=$k bash -c "$3"; done; }
source() { if command -v fish > /dev/null; then fish -c source; else cat > /dev/null; fi; }""",
    # Machines, a network between them, and their fixed port.
    "docs/scale.md": """trap 'kill $(jobs -p); wait' EXIT
dask() {
  local more=--no-nanny
  if [ "$1" = scheduler ]; then more="--port 0"; fi
  exec "$PYTHON" -m dask "${@/#32/1}" --no-dashboard $more 2> "$1.log"
}""",
}
"""Functions of bash in the place of programs that want what is not here, with the reason."""
NEEDED = {
    "docs/commands/slices.md": "nibabel",
    "docs/commands/volumes.md": "nibabel",
    "docs/scale.md": "distributed",
    "help of slices": "nibabel",
    "help of volumes": "nibabel",
}
"""Packages that only some installations have, by what needs them."""


def commands(script: str) -> list[str]:
    """Its commands, each with all of its pipe, in one line."""
    whole = re.sub(r"\s*\\\n\s*|(?<=\|)\n\s*", " ", script)
    lines = [re.sub(r"\s+#.*", "", line).strip() for line in whole.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def examples_of_help() -> dict[str, list[str]]:
    """What runs of each command's help: its examples, but not those that a page has too."""
    of_pages = {command for blocks in BLOCKS.values() for b in blocks for command in commands(b)}
    found = {}
    for path in sorted(manual.HELP_FOLDER.glob("*.txt")):
        scripts = []
        for title, block in re.findall(
            r"(.*):\n+((?:    (?:wss|make) .+\n(?:    .+\n)*))", path.read_text()
        ):
            lines = commands(block)
            scripts += lines if title.endswith("Examples") else ["\n".join(lines)]
        scripts = [script for script in scripts if not set(script.splitlines()) <= of_pages]
        if scripts:
            found[f"help of {path.stem}"] = scripts
    return found


HELP = examples_of_help()
_OUTPUT = re.compile(r"(?:-o|>) ([^\s'\"]+)")


@pytest.fixture(scope="module")
def study(bash, tmp_path_factory) -> Path:
    """The folder of what pages read."""
    folder = tmp_path_factory.mktemp("study")
    page_data.draw(folder)
    (content,) = code_blocks(PAGES["docs/gap.md"], "csv")
    (folder / "study.csv").write_text(content)
    bash(page_data.COMMANDS, folder)
    return folder


@pytest.fixture
def run(bash, study, tmp_path) -> Callable[[str, list[str]], None]:
    """Run scripts of a page one after the other, in a folder in which their outputs are missing."""

    def call(name: str, scripts: list[str], part: str = "all") -> None:
        if name in NEEDED:
            pytest.importorskip(NEEDED[name])
        folder = tmp_path / part
        shutil.copytree(study, folder, copy_function=os.link)
        (folder / "examples").symlink_to(REPOSITORY / "examples")
        outputs = [folder / out for script in scripts for out in _OUTPUT.findall(script)]
        for out in outputs:
            if out.is_relative_to(folder) and out.exists():
                shutil.rmtree(out) if out.is_dir() else out.unlink()
        for script in scripts:
            bash(f"{REPLACED.get(name, '')}\n{script}", folder)
        for out in outputs:
            assert out.exists(), out

    return call


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in BLOCKS if (page, "sh") not in ELSEWHERE])
def test_the_blocks_of_a_page_run_in_order(run, page):
    run(page, BLOCKS[page])


@pytest.mark.slow
@pytest.mark.parametrize("name", HELP)
def test_the_examples_of_help_run(run, name):
    for number, script in enumerate(HELP[name]):
        run(name, [script], str(number))


def test_blocks_of_code_that_do_not_run_here_run_in_another_test():
    found = {
        (page, language)
        for page, text in PAGES.items()
        for language in re.findall(r"^ *(?:```|~~~) *(\w+)", text, re.MULTILINE)
    }
    here = {(page, "sh") for page in BLOCKS} | {("docs/gap.md", "csv")}
    assert found - here <= ELSEWHERE.keys() <= found
    for (page, language), test in ELSEWHERE.items():
        text = (REPOSITORY / "tests" / test).read_text()
        assert Path(page).name in text and language in text, (page, language)


def test_what_pip_is_asked_to_install_exists():
    named = {
        (name, extras)
        for page in PAGES.values()
        for name, extras in re.findall(r"'(\.|wsstools)\[(\w+)\]'", page)
    }
    assert ("wsstools", "volumes") in named
    text = (REPOSITORY / "pyproject.toml").read_text()
    for _, extra in named:
        assert re.search(rf"^{extra} = \[", text, re.MULTILINE), extra
