"""Roff, the language of manual pages, from text and from the Markdown of the written pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
"""Characters that roff sets as others, which a reader could not copy into a shell."""
_HEADING = re.compile(r"(#{2,3}) (.+)")
_ITEM = re.compile(r"[-*] ")
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_MARK = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)")
_NUMBER = re.compile(r"[\d.,]+( %)?")
_FENCE = "```"
_ROMAN = r"\fR"


def escaped(text: str) -> str:
    """A line of text that roff prints unchanged."""
    line = "".join(_ESCAPES.get(letter, letter) for letter in text)
    return rf"\&{line}" if line.startswith(".") else line


def bold(text: str) -> str:
    """A text in bold."""
    return rf"\fB{escaped(text)}{_ROMAN}"


def as_it_is(lines: Sequence[str]) -> list[str]:
    """Lines that are not filled."""
    return [".nf", *map(escaped, lines), ".fi"]


def from_markdown(text: str) -> list[str]:
    """The lines of roff for a text in the Markdown that written pages use.

    Parameters
    ----------
    text : str
        Headings of levels 2 (a section) and 3, paragraphs, lists of one level, fenced code and
        tables; in them `code`, **bold**, *emphasis* and links, of which the text stays. A table
        becomes a list of terms: the first column, and what the other columns say of it; a number
        comes after the heading of its column.
    """
    lines: list[str] = []
    for block in _blocks(text):
        heading = _HEADING.fullmatch(block[0])
        if heading:
            is_section, title = len(heading[1]) == 2, heading[2]
            macro = ".SH" if is_section else ".SS"
            lines.append(f"{macro} {_inline(title.upper() if is_section else title)}")
        elif block[0].startswith(_FENCE):
            lines += _apart(lines, [".RS 4", *as_it_is(block[1:-1]), ".RE"])
        elif block[0].startswith("|"):
            lines += _terms(block)
        elif _ITEM.match(block[0]):
            lines += _items(block)
        else:
            lines += _apart(lines, [_inline(" ".join(map(str.strip, block)))])
    return lines


def _blocks(text: str) -> Iterator[list[str]]:
    """The paragraphs of a text; fenced code is one whatever it holds, a heading is one alone."""
    block: list[str] = []
    is_code = False
    for line in [*text.splitlines(), ""]:
        is_fence = line.startswith(_FENCE)
        if block and not is_code and (not line.strip() or is_fence or line.startswith("#")):
            yield block
            block = []
        if line.strip() or is_code:
            block.append(line)
        if is_fence:
            is_code = not is_code
        if block and not is_code and (is_fence or line.startswith("#")):
            yield block
            block = []


def _apart(before: Sequence[str], lines: list[str]) -> list[str]:
    """The lines with a gap before them, which a heading brings by itself."""
    is_after_heading = bool(before) and before[-1].startswith((".SH", ".SS"))
    return lines if is_after_heading or not before else [".PP", *lines]


def _items(block: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for line in block:
        if _ITEM.match(line):
            lines += [r".IP \(bu 2", line[2:]]
        else:
            lines[-1] += " " + line.strip()
    return [line if line.startswith(".IP") else _inline(line) for line in lines]


def _terms(block: Sequence[str]) -> list[str]:
    """The rows of a table below its heading and the line under that."""
    heads, _, *rows = ([cell.strip() for cell in row.strip("|").split("|")] for row in block)
    lines = []
    for term, *rest in rows:
        said = [
            f"{head} {cell}" if _NUMBER.fullmatch(cell) else cell
            for head, cell in zip(heads[1:], rest, strict=True)
            if cell
        ]
        lines += [".TP", _inline(term), _inline("; ".join(said))]
    return lines


def _inline(text: str) -> str:
    parts = _MARK.split(_LINK.sub(r"\1", text))
    line = "".join(map(_marked, parts))
    return rf"\&{line}" if line.startswith((".", "'")) else line


def _marked(part: str) -> str:
    if not _MARK.fullmatch(part):
        return escaped(part) if part else ""
    font = "I" if part.startswith("*") and not part.startswith("**") else "B"
    return rf"\f{font}{escaped(part.strip('*`'))}{_ROMAN}"
