"""The content of an annotation file, parsed once, and the parts of files with several images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree.ElementTree import Element

from wsstools.errors import DataError
from wsstools.files.names import plain_name
from wsstools.files.provenance import Json
from wsstools.files.text import decode_text
from wsstools.files.xml import parse_xml, root_name

HEAD = 4096
"""Bytes in which the first element, or line, begins."""
_PART_OF = "part_of"
"""Key of the JSON that `json_part` makes."""
_UPLOADED = re.compile(r"^/?data/upload/.*?([^/]+)$")
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{4,8}-(?=.)")
"""What Label Studio puts before the name of a file that is uploaded."""


class ImagePart(NamedTuple):
    """What a file of several images says of one: the stem of its name, and a content of its own."""

    stem: str
    data: bytes


class Content:
    """The bytes of a file; `name` is for messages.

    Where `only_boxes` is true, the boxes are wanted where a format has them beside other shapes.
    """

    def __init__(self, data: bytes, name: str, *, only_boxes: bool = False) -> None:
        self.data, self.name, self.only_boxes = data, name, only_boxes

    @cached_property
    def start(self) -> str:
        """The first text in it, without a mark and blanks before it."""
        text = self.data[:HEAD].decode("utf-8", "replace").replace("\0", "")
        return text.lstrip("\ufeff\ufffd \t\r\n")

    @cached_property
    def root(self) -> str:
        """The name of the first element of XML; empty if it is none."""
        return root_name(self.data[:HEAD]) if self.start.startswith("<") else ""

    @cached_property
    def xml(self) -> Element:
        """The root of XML; DataError if it is not well-formed."""
        return parse_xml(self.data, self.name)

    @cached_property
    def json(self) -> Json:
        """What JSON holds; DataError if it is not well-formed."""
        try:
            found: Json = json.loads(decode_text(self.data, self.name))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.name}: not well-formed JSON: {error}") from error
        return found

    @property
    def is_json(self) -> bool:
        """Whether it looks like JSON."""
        return self.start.startswith(("{", "["))

    @property
    def json_keys(self) -> set[str]:
        """The keys of JSON that is an object; empty otherwise."""
        return set(as_object(self.json)) if self.is_json else set()

    @property
    def json_items(self) -> list[Mapping[str, Json]]:
        """The objects in JSON that is a list; empty otherwise."""
        return as_objects(self.json) if self.is_json else []

    def part_of(self) -> str | None:
        """The format of the file of which this is a part by `json_part`, or None."""
        if not self.data.startswith(b'{"' + _PART_OF.encode()):
            return None
        return as_text(as_object(self.json).get(_PART_OF))


def json_part(form: str, stem: str, **content: Json) -> ImagePart:
    """What a JSON file of several images says of one, as JSON of its own."""
    return ImagePart(stem, json.dumps({_PART_OF: form, **content}).encode())


def image_stem(name: str) -> str:
    """The stem of an image's name, which may be a path of any system, or a URL."""
    if "://" in name[:12] or name.startswith("/data/"):
        parts = urlsplit(name)
        asked = parse_qs(parts.query).get("d", [])  # Label Studio's /data/local-files/?d=PATH
        name = asked[0] if asked else unquote(parts.path)
        uploaded = _UPLOADED.match(name)
        name = _UPLOAD_PREFIX.sub("", uploaded[1]) if uploaded else name
    return plain_name(PureWindowsPath(name).name)


def stem_of_file(name: str) -> str:
    """The stem of a file, or of the image of which a part, called `FILE (STEM)`."""
    return name[:-1].rpartition(" (")[2] if name.endswith(")") else plain_name(Path(name).name)


# --- What JSON holds where it need not


def as_object(value: Json) -> Mapping[str, Json]:
    """The object that a value is; an empty one if it is none."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Json) -> Sequence[Json]:
    """The list that a value is; an empty one if it is none."""
    return value if isinstance(value, list) else []


def as_objects(value: Json) -> list[Mapping[str, Json]]:
    """The objects in a list."""
    return [entry for entry in as_list(value) if isinstance(entry, Mapping)]


def as_text(value: Json) -> str:
    """The text that a value is, without blanks around it; an empty one if it is none."""
    return value.strip() if isinstance(value, str) else ""


def as_number(value: Json, what: str) -> float:
    """The number that a value is; ValueError if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{what} is {value!r}, expected a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{what} is beyond all numbers") from None


def as_size(height: Json, width: Json) -> tuple[int, int] | None:
    """The shape (H, W) that two whole numbers, such as 480.0, state; None where they state none."""
    numbers = [v for v in (height, width) if isinstance(v, (int, float))]
    sides = [int(v) for v in numbers if v > 0 and v % 1 == 0]
    return (sides[0], sides[1]) if len(sides) == 2 else None
