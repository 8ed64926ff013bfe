"""The record that an HTML page of ours carries, in an element `meta` of its head."""

from __future__ import annotations

import html
import re
from pathlib import Path

from wsstools.files.limits import open_file
from wsstools.files.provenance import Meta, parse_record

META_NAME = "wsstools"
_HEAD = 1 << 20
"""Bytes in which the element is."""
_META = re.compile(rb'<meta name="%b" content="([^"]*)">' % META_NAME.encode())


def read_meta(path: Path) -> Meta | None:
    """The record in a page of ours, or None if it carries none that can be read."""
    try:
        with open_file(path) as file:
            found = _META.search(file.read(_HEAD))
    except OSError:
        return None
    return parse_record(html.unescape(found[1].decode("utf-8", "replace"))) if found else None
