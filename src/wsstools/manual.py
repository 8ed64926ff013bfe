"""The manual pages and the stored help, made from the commands themselves.

`python -m wsstools.manual` (or `make man`) writes them; a test fails where they are out of date.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import typer

from wsstools import __version__
from wsstools.cli import app, command_names, load_command

HELP_FOLDER = Path(__file__).parent / "help"
MAN_FOLDER = Path(__file__).parents[2] / "man"
_WIDTH = 80
_NO_BREAK = "\b"  # click's mark of a paragraph whose lines stay as they are
_SECTION_NAME = "User Commands"
_EXIT_STATUS = (
    ("0", "All is done."),
    ("1", "An image or the command failed; each failure is one line on standard error."),
    ("2", "The command was called wrongly."),
    ("130", "It was interrupted."),
)


def help_texts() -> dict[str, str]:
    """What `wss --help` and `wss COMMAND --help` print, by file name."""
    texts = {"wss.txt": _help(typer.main.get_command(app), "wss")}
    for name in command_names():
        texts[f"{name}.txt"] = _help(load_command(name), f"wss {name}")
    return texts


def man_pages() -> dict[str, str]:
    """Manual pages in roff, by file name."""
    pages = {"wss.1": _main_page()}
    for name in command_names():
        pages[f"wss-{name}.1"] = _page(load_command(name), name)
    return pages


def write_all() -> None:
    """Write all texts to their folders, and delete those of commands that are gone."""
    for folder, texts in ((HELP_FOLDER, help_texts()), (MAN_FOLDER, man_pages())):
        folder.mkdir(exist_ok=True)
        for path in folder.glob("*.[t1]*"):
            if path.name not in texts:
                path.unlink()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")


def _context(command: Any, name: str) -> Any:
    return command.context_class(command, info_name=name, max_content_width=_WIDTH, **_fixed())


def _fixed() -> dict[str, Any]:
    return {"terminal_width": _WIDTH, "help_option_names": ["-h", "--help"]}


def _help(command: Any, name: str) -> str:
    return command.get_help(_context(command, name)).rstrip() + "\n"


def _main_page() -> str:
    group = typer.main.get_command(app)
    lines = [
        *_head("wss", "from scribbles to segmentation networks"),
        ".SH SYNOPSIS",
        ".B wss",
        r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGS\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(group.help or ""),
        ".SH COMMANDS",
    ]
    for name in command_names():
        lines += [
            ".TP",
            rf"\fB{_escape('wss-' + name)}\fR(1)",
            _escape(_summary(load_command(name))),
        ]
    lines += [".SH OPTIONS", *_options(group, "wss"), *_foot(command_names())]
    return "\n".join(lines) + "\n"


def _page(command: Any, name: str) -> str:
    context = _context(command, f"wss {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        *_head(f"wss-{name}", _summary(command)[:1].lower() + _summary(command)[1:].rstrip(".")),
        ".SH SYNOPSIS",
        rf".B wss {_escape(name)}",
        _escape(usage),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
        ".SH OPTIONS",
        *_options(command, f"wss {name}"),
        *_foot(["wss", *(other for other in command_names() if other != name)]),
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, summary: str) -> list[str]:
    title = _escape(name.upper())
    return [
        rf'.TH "{title}" "1" "" "wsstools {__version__}" "{_SECTION_NAME}"',
        ".SH NAME",
        rf"{_escape(name)} \- {_escape(summary)}",
    ]


def _foot(related: list[str]) -> list[str]:
    lines = [".SH EXIT STATUS"]
    for code, meaning in _EXIT_STATUS:
        lines += [".TP", rf"\fB{code}\fR", _escape(meaning)]
    names = [name if name == "wss" else f"wss-{name}" for name in related]
    lines += [".SH SEE ALSO", ",\n".join(rf"\fB{_escape(name)}\fR(1)" for name in names)]
    return lines


def _options(command: Any, name: str) -> list[str]:
    context = _context(command, name)
    lines = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            lines += [".TP", rf"\fB{_escape(record[0])}\fR", _escape(record[1])]
    return lines


def _summary(command: Any) -> str:
    return (command.help or "").split("\n\n")[0].replace("\n", " ")


def _paragraphs(text: str) -> list[str]:
    """A docstring as roff: filled paragraphs, and those under the no-break mark as they are."""
    lines: list[str] = []
    for block in text.strip().split("\n\n"):
        is_kept = block.lstrip().startswith(_NO_BREAK)
        content = block.replace(_NO_BREAK, "").strip("\n").splitlines()
        if is_kept:
            lines += [".PP", ".nf", *map(_escape, content), ".fi"]
        else:
            lines += [".PP", _escape(" ".join(line.strip() for line in content))]
    return lines


def _escape(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    os.environ["COLUMNS"] = str(_WIDTH)
    write_all()
    print(f"manual pages in {MAN_FOLDER}, help in {HELP_FOLDER}", file=sys.stderr)
