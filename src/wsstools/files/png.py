"""PNG: its chunks, whose checksums are compared before it is decoded, and the record in a text."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, PngImagePlugin

from wsstools.files.limits import LARGEST_RECORD
from wsstools.files.provenance import Meta, parse_record, record_text

MAGIC = b"\x89PNG\r\n\x1a\n"
_RECORD_KEY = "wsstools"
_RECORD = _RECORD_KEY.encode() + b"\0"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_ORIENTATIONS = (b"Raw profile type ", b"XML:com.adobe.xmp\0")
_DEFLATED = b"\x78"
"""How compressed bytes begin."""
_DECISIVE = (b"ihdr", b"plte", b"trns", b"idat", b"iend", b"exif")
"""Chunks that decide on pixels, in small letters: a flipped bit can make one look optional."""
_FRAME = 12
"""Bytes of a chunk beside its content: size, kind and checksum."""


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # in the file, of its size
    end: int

    def content(self, data: bytes) -> memoryview:
        return memoryview(data)[self.start + 8 : self.end - 4]

    def is_sound(self, data: bytes) -> bool:
        stored = int.from_bytes(data[self.end - 4 : self.end], "big")
        return zlib.crc32(memoryview(data)[self.start + 4 : self.end - 4]) == stored


def encode_png(picture: Image.Image, meta: Meta) -> bytes:
    """The bytes of a PNG with its record in a text chunk, which `read_record` reads."""
    record = PngImagePlugin.PngInfo()
    record.add_text(_RECORD_KEY, record_text(meta), zip=True)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=record)
    return buffer.getvalue()


def read_record(data: bytes) -> Meta | None:
    """The record in a PNG of ours, or None if it carries none that can be read."""
    try:
        record = next((chunk for chunk in _chunks(data) if _is_record(chunk, data)), None)
        if record is None or not record.is_sound(data):
            return None
        text = record.content(data)[len(_RECORD) + 1 :]
        unpacked = zlib.decompressobj().decompress(text, LARGEST_RECORD)
    except (ValueError, zlib.error):
        return None
    return parse_record(unpacked.decode("latin-1"))


def check_sums(data: bytes) -> None:
    """Raise ValueError if a checksum in a PNG is wrong."""
    for chunk in _chunks(data):
        if not chunk.is_sound(data):
            raise _damaged(chunk)


def decodable(data: bytes) -> bytes:
    """A PNG as Pillow reads it: without colour profile and texts, of which it refuses large ones.

    Texts that may say how a picture is turned are kept, if it reads them. Optional chunks that
    are damaged are left out, as libpng does. ValueError if one that decides on pixels is.
    """
    kept, place = [], 0
    for chunk in _chunks(data):
        is_sound = chunk.is_sound(data)
        is_decisive = chunk.kind[:1].isupper() or chunk.kind.lower() in _DECISIVE
        if not is_sound and is_decisive:
            raise _damaged(chunk)
        is_dropped = chunk.kind == b"iCCP" or not is_sound
        if is_dropped or (chunk.kind in _TEXTS and not _is_read(chunk, data)):
            kept.append(data[place : chunk.start])
            place = chunk.end
    return b"".join([*kept, data[place:]]) if kept else data


def _damaged(chunk: _Chunk) -> ValueError:
    return ValueError(f"the checksum of its chunk {chunk.kind.decode()} is wrong")


def _is_read(chunk: _Chunk, data: bytes) -> bool:
    """Whether a text may say how a picture is turned, and is short enough for Pillow."""
    content = bytes(chunk.content(data)[: PngImagePlugin.MAX_TEXT_CHUNK])
    if len(content) + _FRAME < chunk.end - chunk.start or not content.startswith(_ORIENTATIONS):
        return False
    packed = content.find(_DEFLATED, content.find(b"\0"))
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(content[max(packed, 0) :], PngImagePlugin.MAX_TEXT_CHUNK)
    except zlib.error:
        return True
    return not unpacking.unconsumed_tail


def _is_record(chunk: _Chunk, data: bytes) -> bool:
    return chunk.kind == b"zTXt" and chunk.content(data)[: len(_RECORD)] == _RECORD


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks of a PNG, to the last; ValueError where they are cut short or none."""
    if not data.startswith(MAGIC):
        raise ValueError("no PNG")
    place = len(MAGIC)
    kind = b""
    while kind != b"IEND":
        end = place + _FRAME + int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        if end > len(data):
            raise ValueError("its end is missing")
        if not kind.isalpha():
            raise ValueError("it holds something that is no chunk of a PNG")
        yield _Chunk(kind, place, end)
        place = end
