"""The manual pages and the stored help, made from the commands and from pages in docs/.

`make man` writes them; a test fails where they are stale.
A page of docs/ whose title is `NAME(SECTION): summary` becomes a manual page. That of a command
also has the sections of docs/commands/NAME.md, and the terms of docs/terms.md that it uses.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import typer
from roff import as_it_is, bold, escaped, from_markdown

from wsstools import __version__
from wsstools.cli.main import app, command_names, load_command

_ROOT = Path(__file__).parents[1]
HELP_FOLDER = _ROOT / "src" / "wsstools" / "cli" / "help"
MAN_FOLDER = _ROOT / "man"
DOCS_FOLDER = _ROOT / "docs"
COMMANDS_FOLDER = DOCS_FOLDER / "commands"
"""What the page of a command says beyond its help: NAME.md with the sections of SECTIONS."""
TERMS_FILE = DOCS_FOLDER / "terms.md"
SECTIONS = ("INPUT AND OUTPUT", "CHOOSING", "EXAMPLES")
_WIDTH = 80
_NO_BREAK = "\b"  # click's mark of a paragraph whose lines stay as they are
_DATE = "2026-11-28"
_SECTION_NAMES = {"1": "User Commands", "5": "File Formats", "7": "Miscellanea"}
_TITLE = re.compile(r"# (?P<name>[\w-]+)\((?P<section>\d)\): (?P<summary>.+)")
_EXIT_STATUS = (
    ("0", "All is done, or the reader of standard output went away."),
    ("1", "An image or the command failed; each failure is one line on standard error."),
    ("2", "The command was called wrongly."),
    ("130", "It was interrupted (SIGINT); the same command goes on from there."),
    ("143", "It was terminated (SIGTERM); the same command goes on from there."),
    ("129", "Its terminal went away (SIGHUP); the same command goes on from there."),
)
_ENVIRONMENT = (
    ("WSS_WEIGHTS", "Folder of published weights; --weights-dir counts more."),
    (
        "WSS_DEBUG",
        "Where it is not empty, errors come with their traceback, as by --debug.",
    ),
    (
        "NUMBA_CACHE_DIR",
        "Folder for compiled functions. Default: wsstools/numba/PROCESSOR in XDG_CACHE_HOME. "
        "Where it cannot be written, each run compiles anew.",
    ),
    ("XDG_CACHE_HOME", "Folder of caches. Default: ~/.cache."),
    (
        "TORCH_HOME",
        "Folder in whose hub/checkpoints downloaded weights are kept. Default: torch in "
        "XDG_CACHE_HOME.",
    ),
    ("RANK, WORLD_SIZE, LOCAL_RANK", "Set by torchrun, where several processes train together."),
)
_FILES = (
    ("NAME.npz", "A probability map or a soft map; see wss-maps(5)."),
    ("NAME.png", "Labels or scribbles: class ids, 255 where there is none; see wss-maps(5)."),
    ("classes.txt", "Names of the classes, in the folder of labels or beside it; see wss-maps(5)."),
    ("MODEL, MODEL.csv, MODEL.checkpoint", "A network, its log, and an interrupted training."),
    ("params.json", "Parameters that wss tune found and wss regularize --params takes."),
    (
        ".wss-*.part",
        "A file that is being written. What a killed run leaves behind, the next run on the same "
        "folder and machine deletes.",
    ),
    ("~/.cache/wsstools/numba", "Compiled functions; they can be deleted at any time."),
    ("~/.cache/torch/hub/checkpoints", "Downloaded weights, shared with torchvision."),
)


def help_texts() -> dict[str, str]:
    """What `wss --help` and `wss COMMAND --help` print, by file name."""
    texts = {"wss.txt": _help(typer.main.get_command(app), "wss")}
    for name in command_names():
        texts[f"{name}.txt"] = _help(load_command(name), f"wss {name}")
    return texts


def man_pages() -> dict[str, str]:
    """Manual pages in roff, by path: `man1/wss.1` and so on."""
    pages = {"man1/wss.1": _main_page()}
    for name in command_names():
        pages[f"man1/wss-{name}.1"] = _page(load_command(name), name)
    for name, section, summary, text in _written():
        pages[f"man{section}/{name}.{section}"] = _written_page(name, section, summary, text)
    return pages


def write_all() -> None:
    """Write all texts to their folders, and delete those of commands that are gone."""
    for folder, texts in ((HELP_FOLDER, help_texts()), (MAN_FOLDER, man_pages())):
        for path in folder.rglob("*.*"):
            if path.is_file() and path.relative_to(folder).as_posix() not in texts:
                path.unlink()
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")


def _context(command: Any, name: str) -> Any:
    return command.context_class(command, info_name=name, max_content_width=_WIDTH, **_fixed())


def _fixed() -> dict[str, Any]:
    return {"terminal_width": _WIDTH, "help_option_names": ["-h", "--help"]}


def _help(command: Any, name: str) -> str:
    text = command.get_help(_context(command, name)).rstrip() + "\n"
    if hasattr(command, "list_commands"):
        head = text[: text.index("\nCommands:\n")]
        return f"{head}\nCommands, in the order of the pipeline:\n{_command_list()}"
    return text


def _command_list() -> str:
    """Each command with the whole first sentence of its help."""
    margin = 2 + max(map(len, command_names())) + 2
    lines = []
    for name in command_names():
        wrapped = textwrap.wrap(_summary(load_command(name)), _WIDTH - margin)
        lines += [f"  {name:{margin - 2}}{wrapped[0]}"]
        lines += [" " * margin + line for line in wrapped[1:]]
    return "\n".join(lines) + "\n"


def _main_page() -> str:
    group = typer.main.get_command(app)
    lines = [
        *_head("wss", "1", "from scribbles to segmentation networks"),
        ".SH SYNOPSIS",
        ".B wss",
        r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGS\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(group.help or ""),
        ".SH COMMANDS",
    ]
    for name in command_names():
        lines += [".TP", _reference(f"wss-{name}", "1"), escaped(_summary(load_command(name)))]
    lines += [
        ".SH OPTIONS",
        *_options(group, "wss"),
        *_listed("EXIT STATUS", _EXIT_STATUS),
        *_listed("ENVIRONMENT", _ENVIRONMENT),
        *_listed("FILES", _FILES),
        *_see_also(_related("wss", "1")),
    ]
    return "\n".join(lines) + "\n"


def _page(command: Any, name: str) -> str:
    context = _context(command, f"wss {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    summary = _summary(command)[:1].lower() + _summary(command)[1:].rstrip(".")
    description, examples = _apart_from_examples(command.help or "")
    sections = command_sections(name)
    options = _options(command, f"wss {name}")
    text = " ".join([command.help or "", *sections.values(), *options])
    lines = [
        *_head(f"wss-{name}", "1", summary),
        ".SH SYNOPSIS",
        rf".B wss {escaped(name)}",
        escaped(usage),
        ".SH DESCRIPTION",
        *_paragraphs(description),
        *_section(sections, "INPUT AND OUTPUT"),
        ".SH OPTIONS",
        *options,
        *_section(sections, "CHOOSING"),
        *_section({"EXAMPLES": examples + sections.get("EXAMPLES", "")}, "EXAMPLES"),
        *_listed("TERMS", terms_in(text)),
        *_listed("EXIT STATUS", _EXIT_STATUS),
        *_see_also(_related(f"wss-{name}", "1")),
    ]
    return "\n".join(lines) + "\n"


def command_sections(name: str) -> dict[str, str]:
    """The sections of docs/commands/NAME.md, by their titles in capitals; none where it is not."""
    path = COMMANDS_FOLDER / f"{name}.md"
    if not path.exists():
        return {}
    _, *parts = re.split(r"^## (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title.upper(): text for title, text in zip(parts[::2], parts[1::2], strict=True)}


def _section(sections: dict[str, str], title: str) -> list[str]:
    return [f".SH {title}", *from_markdown(sections[title])] if title in sections else []


def glossary() -> dict[str, str]:
    """The terms of docs/terms.md, and what they mean."""
    rows = TERMS_FILE.read_text(encoding="utf-8").splitlines()
    terms = [tuple(map(str.strip, row.strip("|").split("|"))) for row in rows if row[:1] == "|"]
    return {term: meaning for term, meaning in terms[2:]}  # noqa: C416 - a tuple of any length


def terms_in(text: str) -> tuple[tuple[str, str], ...]:
    """The terms of docs/terms.md that a text uses, and what they mean."""
    terms = glossary()
    words, found = text.lower().replace("\\-", "-"), set()
    for term in sorted(terms, key=lambda term: -len(term)):  # `duality gap` is no `gap`
        pattern = rf"(?<![\w/])(--)?{re.escape(term.lower())}e?s?(?![\w/])"
        words, count = re.subn(pattern, "", words)
        found |= {term} if count else set()
    return tuple((term, meaning) for term, meaning in terms.items() if term in found)


def _apart_from_examples(text: str) -> tuple[str, str]:
    """A docstring without its block of examples, and the examples as a block of Markdown."""
    blocks = text.strip().split("\n\n")
    is_example = [re.match(r"\s*\x08\s*Examples?:", block) is not None for block in blocks]
    rest = [block for block, is_one in zip(blocks, is_example, strict=True) if not is_one]
    found = [block for block, is_one in zip(blocks, is_example, strict=True) if is_one]
    lines = [textwrap.dedent(block.split(":\n", 1)[1]) for block in found]
    return "\n\n".join(rest), "".join(f"```sh\n{text}\n```\n" for text in lines)


def _written() -> list[tuple[str, str, str, str]]:
    """Name, section, summary and text of the written pages, in the order of their names."""
    found = []
    for path in sorted(DOCS_FOLDER.glob("*.md")):
        title, _, text = path.read_text(encoding="utf-8").partition("\n")
        match = _TITLE.fullmatch(title)
        if match:
            found.append((match["name"], match["section"], match["summary"], text))
    return sorted(found)


def _written_page(name: str, section: str, summary: str, text: str) -> str:
    lines = [
        *_head(name, section, summary),
        ".SH DESCRIPTION",
        *from_markdown(text),
        *_see_also(_related(name, section)),
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, section: str, summary: str) -> list[str]:
    title, part = escaped(name.upper()), _SECTION_NAMES[section]
    return [
        rf'.TH "{title}" "{section}" "{_DATE}" "wsstools {__version__}" "{part}"',
        ".SH NAME",
        rf"{escaped(name)} \- {escaped(summary)}",
    ]


def _listed(title: str, entries: tuple[tuple[str, str], ...]) -> list[str]:
    lines = [f".SH {title}"]
    for term, meaning in entries:
        lines += [".TP", bold(term), escaped(meaning)]
    return lines


def _related(name: str, section: str) -> list[tuple[str, str]]:
    """Name and section of all other pages: those on all of wss first."""
    commands = [(f"wss-{command}", "1") for command in command_names()]
    pages = [("wss", "1"), *((other, part) for other, part, *_ in _written()), *commands]
    return [page for page in pages if page != (name, section)]


def _see_also(pages: list[tuple[str, str]]) -> list[str]:
    return [".SH SEE ALSO", ",\n".join(_reference(*page) for page in pages)]


def _reference(name: str, section: str) -> str:
    return rf"\fB\%{escaped(name)}\fR({section})"  # \% keeps the name in one piece


def _options(command: Any, name: str) -> list[str]:
    context = _context(command, name)
    lines = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            lines += [".TP", bold(record[0]), escaped(record[1])]
    return lines


def _summary(command: Any) -> str:
    return (command.help or "").split("\n\n")[0].replace("\n", " ")


def _paragraphs(text: str) -> list[str]:
    """A docstring as roff: filled paragraphs, and those under the no-break mark as they are."""
    lines: list[str] = []
    for block in text.strip().split("\n\n"):
        is_kept = block.lstrip().startswith(_NO_BREAK)
        content = block.replace(_NO_BREAK, "").strip("\n").splitlines()
        if lines:  # a heading brings its own gap
            lines.append(".PP")
        lines += as_it_is(content) if is_kept else [escaped(" ".join(map(str.strip, content)))]
    return lines


if __name__ == "__main__":
    os.environ["COLUMNS"] = str(_WIDTH)
    write_all()
    print(f"manual pages in {MAN_FOLDER}, help in {HELP_FOLDER}", file=sys.stderr)
