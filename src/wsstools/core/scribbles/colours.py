"""Tables of colours: which class a colour in a picture is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wsstools.core.labels import IGNORE_LABEL, IGNORED_NAME
from wsstools.core.palette import Colour, colour_text, voc_palette
from wsstools.core.scribbles.class_names import VOC_CLASSES, ClassName

_CITYSCAPES = (
    ("road", "#804080"), ("sidewalk", "#f423e8"), ("building", "#464646"), ("wall", "#66669c"),
    ("fence", "#be9999"), ("pole", "#999999"), ("traffic light", "#faaa1e"),
    ("traffic sign", "#dcdc00"), ("vegetation", "#6b8e23"), ("terrain", "#98fb98"),
    ("sky", "#4682b4"), ("person", "#dc143c"), ("rider", "#ff0000"), ("car", "#00008e"),
    ("truck", "#000046"), ("bus", "#003c64"), ("train", "#005064"), ("motorcycle", "#0000e6"),
    ("bicycle", "#770b20"), (IGNORED_NAME, "#000000"), (IGNORED_NAME, "#6f4a00"),
    (IGNORED_NAME, "#510051"), (IGNORED_NAME, "#faaaa0"), (IGNORED_NAME, "#e6968c"),
    (IGNORED_NAME, "#b4a5b4"), (IGNORED_NAME, "#966464"), (IGNORED_NAME, "#96785a"),
    (IGNORED_NAME, "#00005a"), (IGNORED_NAME, "#00006e"),
)  # fmt: skip
"""The classes of Cityscapes that count, by trainId, and the others (cityscapesScripts,
helpers/labels.py)."""

_HEX = re.compile(r"#([0-9a-fA-F]{6})(?![0-9a-zA-Z])")
_RGB = r"(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})"
_ONLY_RGB = re.compile(rf"(?P<before>){_RGB}(?P<after>)")
_NAME_FIRST = re.compile(rf"(?P<before>.*\S)[\s,]+{_RGB}(?P<after>)")
_NAME_LAST = re.compile(rf"(?P<before>){_RGB}[\s,]+(?P<after>\S.*)")
_LABELMAP = re.compile(rf"(?P<before>[^:]+):{_RGB}:.*(?P<after>)")
"""A line of labelmap.txt in CVAT's "Segmentation mask 1.1": name:R,G,B:parts:actions."""
_CHANNELS = range(2, 5)
"""The groups of red, green and blue, behind that of the name."""


@dataclass(frozen=True)
class ColourTable:
    """Which class a colour is.

    Attributes
    ----------
    entries : tuple of (str or int, (int, int, int))
        Name, or id, of a class, and its red, green and blue; no colour occurs twice.
    """

    entries: tuple[tuple[ClassName, Colour], ...]

    @property
    def class_names(self) -> list[str] | None:
        """The names in the order of the table, IGNORED_NAME apart; None where it has ids."""
        names = [name for name, _ in self.entries if isinstance(name, str)]
        return [name for name in dict.fromkeys(names) if name != IGNORED_NAME] or None

    def lines(self) -> list[str]:
        """The table as text."""
        return [f"{name} {colour_text(colour)}" for name, colour in self.entries]


def voc_colours() -> ColourTable:
    """The classes of PASCAL VOC; the colour of the borders is ignored."""
    palette = [_triple(row) for row in voc_palette().tolist()]
    classes: list[tuple[ClassName, Colour]] = [*zip(VOC_CLASSES, palette, strict=False)]
    return ColourTable((*classes, (IGNORED_NAME, palette[IGNORE_LABEL])))


def cityscapes_colours() -> ColourTable:
    """The classes of Cityscapes by trainId; those that do not count are ignored."""
    return parse_colours("\n".join(f"{name} {colour}" for name, colour in _CITYSCAPES))


def parse_colours(text: str) -> ColourTable:
    """The table in a text, a colour a line: `name #rrggbb`, `name R G B` or `R G B name`.

    Without names, a line is the class that its number says, from 0. Lines of CVAT's labelmap.txt
    (`name:R,G,B::`) are read as well. Blank lines and other lines that start with `#` are skipped.

    Raises
    ------
    ValueError
        If a line is not of this form, a colour occurs twice, or some lines have names only.

    Examples
    --------
    >>> parse_colours("sky #0000ff\\ntraffic light 250 170 30").entries
    (('sky', (0, 0, 255)), ('traffic light', (250, 170, 30)))
    """
    entries: list[tuple[str, Colour]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line and (not line.startswith("#") or _HEX.match(line)):
            entries.append(_parse_line(line, number))
    if not entries:
        raise ValueError("no colour is named, expected lines such as 'cat #ff0000'")
    colours = [colour for _, colour in entries]
    twice = next((colour for colour in colours if colours.count(colour) > 1), None)
    if twice is not None:
        raise ValueError(f"the colour {colour_text(twice)} occurs twice")
    named = [name for name, _ in entries if name]
    if named and len(named) < len(entries):
        raise ValueError("some colours have a name and some have none")
    return ColourTable(
        tuple((name or place, colour) for place, (name, colour) in enumerate(entries))
    )


def _parse_line(line: str, number: int) -> tuple[str, Colour]:
    code = _HEX.search(line)
    if code:
        rest = (line[: code.start()] + " " + line[code.end() :]).strip(" \t,:;=")
        return rest, _triple(bytes.fromhex(code[1]))
    if len(words := line.replace(",", " ").split()) > 3 and all(map(str.isdecimal, words)):
        raise ValueError(f"line {number}: {line!r}: which number is the class? write #rrggbb")
    forms = (_LABELMAP, _ONLY_RGB, _NAME_LAST, _NAME_FIRST)
    match = next((m for form in forms if (m := form.fullmatch(line))), None)
    if match is None or max(int(match[k]) for k in _CHANNELS) > 255:
        raise ValueError(f"line {number}: {line!r}: expected a name and #rrggbb, or R G B to 255")
    name = (match["before"] or match["after"]).strip(" \t,:;=")
    return name, _triple([int(match[k]) for k in _CHANNELS])


def _triple(values: list[int] | bytes) -> Colour:
    red, green, blue = values
    return red, green, blue
