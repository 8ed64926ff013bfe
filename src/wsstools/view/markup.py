"""Elements of SVG and HTML, with everything escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from markupsafe import Markup

_VOID = frozenset({"br", "col", "hr", "img", "link", "meta"})
"""HTML elements that have no end."""
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: object) -> Markup:
    """The text as markup; characters that XML cannot hold become the replacement character."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(_NOT_IN_XML.sub("\ufffd", str(text))))


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """The parts one after the other; all that is not markup is escaped."""
    return Markup(escaped(between).join(escaped(part) for part in parts))


def element(name: str, /, *content: object, **attributes: object) -> Markup:
    """An element; content and attributes are escaped.

    Parameters
    ----------
    name : str
        Such as `p` or `circle`.
    *content : object
        What is inside, one after the other: markup, or text.
    **attributes : object
        Their values; `_` stands for `-` in their names, and one at the end is left out (`class_`).
        None and False leave the attribute out, True gives it without a value. Numbers are told
        with two decimals.

    Examples
    --------
    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escaped(number(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{joined(content)}</{name}>")


def number(value: object) -> object:
    """A float with at most two decimals, as text; anything else as it is."""
    if not isinstance(value, float):
        return value
    told = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if told == "-0" else told
