"""What is said is tested: help, manual pages, README and the options of the commands agree."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wsstools import manual
from wsstools.cli import command_names, load_command

REPOSITORY = Path(__file__).parents[1]
HAS_CHECKOUT = (REPOSITORY / "man").is_dir()


def long_options(name: str) -> set[str]:
    parameters = load_command(name).params
    options = {o for p in parameters for o in (*p.opts, *p.secondary_opts)}
    return {option for option in options if option.startswith("--")}


@pytest.mark.parametrize("name", command_names())
def test_every_option_stands_in_help_and_manual_page(name):
    page = (manual.MAN_FOLDER / f"wss-{name}.1").read_text().replace("\\-", "-")
    text = (manual.HELP_FOLDER / f"{name}.txt").read_text()
    for option in long_options(name):
        assert option in page
        assert option in text


@pytest.mark.parametrize("name", command_names())
def test_every_parameter_is_explained_and_every_command_has_an_example(name):
    command = load_command(name)
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"
    assert "Example" in command.help
    assert f"wss {name}" in command.help


def test_stored_help_and_manual_pages_are_up_to_date(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for folder, texts in (
        (manual.HELP_FOLDER, manual.help_texts()),
        (manual.MAN_FOLDER, manual.man_pages()),
    ):
        stored = {p.name: p.read_text() for p in folder.iterdir() if p.suffix in (".txt", ".1")}
        assert stored == texts, "run: make man"


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_manual_pages_have_no_warnings():
    for path in manual.MAN_FOLDER.glob("*.1"):
        done = subprocess.run(
            ["man", "--warnings", "-l", str(path)],
            capture_output=True,
            text=True,
            env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
            check=False,
        )
        assert done.returncode == 0
        assert done.stderr == ""


def test_readme_names_only_options_that_exist():
    readme = (REPOSITORY / "README.md").read_text()
    known = {option for name in command_names() for option in long_options(name)} | {
        "--help",
        "--version",
        "--debug",
    }
    blocks = re.findall(r"```(?:sh|console)?\n(.*?)```", readme, re.DOTALL)
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", "\n".join(blocks)))
    of_torchrun = {"--nproc-per-node", "--no-python"}
    assert used <= known | of_torchrun
    for name in command_names():
        assert f"`{name}" in readme
