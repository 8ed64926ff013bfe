"""What is said is tested: help, manual pages, README and the options of the commands agree."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import manual
import pytest
from builders import REPOSITORY, code_blocks
from test_examples import simple_commands

from wsstools.cli.main import command_names, load_command
from wsstools.cli.renaming import NAMED_ARGUMENTS, RENAMED

PAGES = sorted(path for path in manual.MAN_FOLDER.rglob("*") if path.is_file())


def plain(name: str) -> str:
    """A manual page without the marks of roff inside words."""
    path = manual.MAN_FOLDER / name
    assert path.exists(), f"there is no man/{name}: run make man"
    text = path.read_text()
    return re.sub(r"\\f[BIR]", "", text).replace("\\-", "-")


def long_options(name: str) -> set[str]:
    parameters = load_command(name).params
    options = {o for p in parameters for o in (*p.opts, *p.secondary_opts)}
    return {option for option in options if option.startswith("--")}


@pytest.mark.parametrize("name", command_names())
def test_every_option_is_in_help_and_manual_page(name):
    page = plain(f"man1/wss-{name}.1")
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


@pytest.mark.parametrize("name", command_names())
def test_a_manual_page_says_what_goes_in_and_out_and_how_to_choose(name):
    sections = manual.command_sections(name)
    assert tuple(sections) == manual.SECTIONS, (
        f"write docs/commands/{name}.md with the sections "
        f"{', '.join(f'## {title.capitalize()}' for title in manual.SECTIONS)}, then run make man"
    )
    page = plain(f"man1/wss-{name}.1")
    titles = re.findall(r"^\.SH (.+)$", page, re.MULTILINE)
    order = ["INPUT AND OUTPUT", "OPTIONS", "CHOOSING", "EXAMPLES", "TERMS", "EXIT STATUS"]
    assert [title for title in titles if title in order] == order
    for text in sections.values():
        assert len(text.split()) > 8


def test_pages_of_commands_that_are_gone_are_gone():
    pages = {path.stem for path in manual.COMMANDS_FOLDER.glob("*.md")}
    assert pages <= set(command_names())


def test_terms_are_explained_where_they_are_used():
    page = plain("man1/wss-regularize.1").split(".SH TERMS")[1].split(".SH EXIT")[0]
    terms = re.findall(r"\.TP\n(.+)\n", page)
    assert {"duality gap", "soft map", "prune", "mean field", "Potts model", "CRF"} <= set(terms)
    assert "gap" not in terms
    assert manual.terms_in("--lattice of it") == manual.terms_in("a lattice")


EXAMPLES = {
    path.name: code_blocks(path.read_text(), "sh")
    for path in (*sorted(manual.DOCS_FOLDER.rglob("*.md")), REPOSITORY / "README.md")
}


@pytest.mark.parametrize("page", EXAMPLES)
def test_commands_in_docs_are_commands(page):
    """Each `wss` line is parsed by the real command: names, options, kinds of values."""
    for block in EXAMPLES[page]:
        for words in simple_commands(re.sub(r" #.*", "", block)):
            if "wss" in words[:-1] and "..." not in words and "STEP" not in words:
                name, *rest = words[words.index("wss") + 1 :]
                if not name.startswith("-"):
                    assert name in command_names()
                    with pytest.MonkeyPatch.context() as patch:
                        patch.setitem(RENAMED, name, {})  # no old names
                        load_command(name).make_context(name, rest)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs"])
def test_options_of_commands_in_the_text_exist(page):
    path = REPOSITORY / page
    of_all = {"--help", *(f"--{name}" for name in NAMED_ARGUMENTS)}
    wrong = []
    for part in path.rglob("*.md") if path.is_dir() else [path]:
        text = re.sub(r"^```.*?^```$", "", part.read_text(), flags=re.DOTALL | re.MULTILINE)
        for span in re.findall(r"`([^`]+)`", text):
            for name, words in re.findall(r"\bwss ([a-z][a-z-]*)\b([^|]*)", span):
                given = set(re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", words))
                if name in command_names() and given - long_options(name) - of_all:
                    wrong.append(f"{part.name}: wss {name}{words}")
    assert not wrong


def test_stored_help_and_manual_pages_are_up_to_date(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for folder, texts in (
        (manual.HELP_FOLDER, manual.help_texts()),
        (manual.MAN_FOLDER, manual.man_pages()),
    ):
        paths = [path for path in folder.rglob("*") if path.is_file()]
        assert {p.relative_to(folder).as_posix(): p.read_text() for p in paths} == texts, "make man"


def test_the_main_page_names_every_command_page_variable_and_exit_code():
    page = plain("man1/wss.1")
    for path in PAGES:
        assert f"{path.stem}({path.suffix[1:]})" in page or path.name == "wss.1"
    source = "".join(path.read_text() for path in Path(manual.__file__).parent.rglob("*.py"))
    variables = set(re.findall(r"""["'](WSS_[A-Z_]+|[A-Z]+_(?:HOME|CACHE_DIR))["']""", source))
    assert {"WSS_WEIGHTS", "WSS_DEBUG", "TORCH_HOME"} <= variables
    for word in (*variables, "NUMBA_CACHE_DIR", "classes.txt", "130", "143"):
        assert word in page


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_manual_pages_have_no_warnings_of_man():
    for path in PAGES:
        done = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)],
            capture_output=True,
            text=True,
            env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), path
        assert done.stdout


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_manual_pages_have_no_warnings_of_mandoc():
    command = ["mandoc", "-T", "lint", "-W", "warning", *map(str, PAGES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize("page", ["wss-fuse", "wss-maps", "wss-pipeline"])
def test_man_finds_the_pages_beside_a_bin_on_the_path(page, tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copytree(manual.MAN_FOLDER, tmp_path / "share" / "man")
    done = subprocess.run(
        ["man", "-w", page],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
        check=False,
    )
    assert done.stdout.startswith(str(tmp_path / "share" / "man")), done.stderr


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


def test_the_readme_has_every_command_in_its_table():
    readme = (REPOSITORY / "README.md").read_text()
    table = readme.split("## The commands")[1].split("## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    listed = re.findall("`([a-z-]+)`", "".join(rows))
    missing = set(command_names()) - set(listed)
    assert not missing, (
        f"name {', '.join(sorted(missing))} in the first column of the table under `## The "
        "commands, in pipeline order` of README.md"
    )
    assert sorted(listed) == sorted(command_names()), "gone, or there twice"


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 120
