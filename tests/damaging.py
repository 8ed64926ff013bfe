"""Valid files, damaged: by bytes, by words, and inside their containers, whose sums stay right."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable

from builders import png_chunk, zipped
from hypothesis import strategies as st

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
WORDS = (
    "", "0", "-1", "1", "255", "256", "65536", "99999999", "9" * 30, "9" * 5000, "1e9", "1e308",
    "-1e308", "1e999", "NaN", "-Infinity", "0x10", "1_0", "²", "null", "true", "{}", "[]",
    '""', '"\\ud800"', '"<>&"', "[" * 3000 + "]" * 3000, '{"a":' * 3000, "<a>" * 3000, "<a/>",
    "&x;", "<!DOCTYPE a>", "\0", "\r", "\u2028", '"', ",", ",,,,", "../../..", "/", "a" * 300,
    "potts", "name", "sky",
)  # fmt: skip
_WORD = re.compile(rb'"[^"]*"|-?[0-9][0-9.eE+-]*|[A-Za-z_][A-Za-z_0-9.]*|[<>{}\[\](),;:=/\n]')
Pieces = list[tuple[bytes, bytes]]
"""Named parts of a container."""


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file that was valid, damaged in one to three places."""
    for _ in range(draw(st.integers(1, 3))):
        whole = draw(st.sampled_from(_ways(whole)))(draw, whole)
    return whole


def _ways(data: bytes) -> list[Callable]:
    ways = [_flip, _flip, _number, _truncate, _insert, _delete, _repeat]
    if data.startswith(b"\x89PNG"):
        ways += [_in_png] * 6
    elif data.startswith(b"PK"):
        ways += [_in_zip] * 6
    elif b"\0" not in data[:200]:
        ways += [_word] * 12
    return ways


def _place(draw: st.DrawFn, data: bytes) -> int:
    return draw(st.integers(0, max(len(data) - 1, 0)))


def _span(draw: st.DrawFn, data: bytes) -> tuple[int, int]:
    start = _place(draw, data)
    return start, start + draw(st.integers(1, 64))


def _flip(draw: st.DrawFn, data: bytes) -> bytes:
    place = _place(draw, data)
    bit = 1 << draw(st.integers(0, 7))
    return data[:place] + bytes(byte ^ bit for byte in data[place : place + 1]) + data[place + 1 :]


def _number(draw: st.DrawFn, data: bytes) -> bytes:
    place, size = _place(draw, data), draw(st.sampled_from((1, 2, 4, 8)))
    number = draw(st.sampled_from(NUMBERS)) % 256**size
    order = draw(st.sampled_from(("big", "little")))
    return data[:place] + number.to_bytes(size, order) + data[place + size :]


def _truncate(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: _place(draw, data)]


def _insert(draw: st.DrawFn, data: bytes) -> bytes:
    place = _place(draw, data)
    return data[:place] + draw(st.binary(min_size=1, max_size=16)) + data[place:]


def _delete(draw: st.DrawFn, data: bytes) -> bytes:
    start, end = _span(draw, data)
    return data[:start] + data[end:]


def _repeat(draw: st.DrawFn, data: bytes) -> bytes:
    start, end = _span(draw, data)
    return data[:end] + data[start:end] * draw(st.integers(1, 50)) + data[end:]


def _word(draw: st.DrawFn, data: bytes) -> bytes:
    """A word, number or sign of a text becomes another."""
    found = list(_WORD.finditer(data))
    if not found:
        return _flip(draw, data)
    old = found[draw(st.integers(0, len(found) - 1))]
    new = draw(st.sampled_from(WORDS)).encode()
    quotes = b'"' if old[0].startswith(b'"') and draw(st.booleans()) else b""
    return data[: old.start()] + quotes + new + quotes + data[old.end() :]


def _in_pieces(draw: st.DrawFn, pieces: Pieces) -> Pieces:
    """One piece is damaged, doubled, left out, or is moved."""
    if not pieces:
        return pieces
    place = draw(st.integers(0, len(pieces) - 1))
    name, content = pieces[place]
    way = draw(st.sampled_from(("damage",) * 6 + ("double", "drop", "move")))
    if way == "damage":
        ways = (_flip, _flip, _number, _number, _truncate, _insert, _repeat, _word)
        return [
            *pieces[:place], (name, draw(st.sampled_from(ways))(draw, content)), *pieces[place + 1 :]
        ]  # fmt: skip
    rest = pieces[:place] + pieces[place + 1 :]
    if way == "drop":
        return rest
    target = draw(st.integers(0, len(rest)))
    moved = [*rest[:target], (name, content), *rest[target:]]
    return [*moved, (name, content)] if way == "double" else moved


def _in_png(draw: st.DrawFn, data: bytes) -> bytes:
    pieces, position = [], 8
    while position + 8 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind = data[position + 4 : position + 8]
        pieces.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return data[:8] + b"".join(png_chunk(*piece) for piece in _in_pieces(draw, pieces))


def _in_zip(draw: st.DrawFn, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pieces = [(name.encode(), archive.read(name)) for name in archive.namelist()]
    except Exception:  # it was damaged before
        return _flip(draw, data)
    return zipped(_in_pieces(draw, pieces), draw(st.sampled_from((0, 8))))
