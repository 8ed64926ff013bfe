"""XML from others, parsed so that it cannot do harm."""

from __future__ import annotations

import codecs
import math
import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from wsstools.errors import DataError
from wsstools.files.text import decode_text

_ROOT = re.compile(r"<([A-Za-z_][\w.-]*)")


def parse_xml(data: bytes, name: str) -> Element:
    """The root of an XML file in UTF-8, or in UTF-16 with its mark.

    DataError if it is not well-formed, or declares a document type: only there can entities be
    defined that grow without bound or read other files.
    """
    text = _xml_text(data, name)
    if "<!DOCTYPE" in text:
        raise DataError(f"{name}: declares a document type (<!DOCTYPE), which is not read")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, RecursionError, ValueError) as error:
        raise DataError(f"{name}: not well-formed XML: {error}") from error


def root_name(head: bytes) -> str:
    """The name of the first element in the beginning of an XML file; empty if there is none."""
    match = _ROOT.search(head.decode("utf-8", "replace").replace("\0", ""))
    return match[1] if match else ""


def number(element: Element, attribute: str, name: str) -> float:
    """An attribute that must be a number; DataError if it is missing, none or not finite."""
    text = element.get(attribute, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{name}: <{element.tag}> has {attribute}={text!r}, expected a number")
    return value


def _xml_text(data: bytes, name: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: not a text file (UTF-16): {error.reason}") from error
    return decode_text(data, name)
