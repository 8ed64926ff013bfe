"""The look of all figures, and how a figure becomes a file or part of a page."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

SUFFIXES = (".svg", ".pdf", ".png")
WIDTH = 3.75  # inches
SMALL = 8.5  # points
PAPER, INK, FAINT, GRID, RULE = "#ffffff", "#1f2328", "#59606a", "#e3e6ea", "#9aa1ab"
SERIES = ("#2563b0", "#c2521a", "#1b8057", "#8848b5", "#8a6d00", "#0e7d93", "#b8326d", "#616872")
"""Each has a contrast of at least 4.5 against white; markers differ in shape too."""
SIZES = {"o": 6.5, "s": 5.8, "D": 5.4, "^": 6.8}
"""Of the markers, in points; the shapes look equally large."""
DASHES = (0, (4, 3))
"""A matplotlib line style."""
_PAGE_COLOURS = {
    PAPER: "var(--paper)",
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    GRID: "var(--grid)",
    RULE: "var(--line)",
    **{colour: f"var(--plot-{k})" for k, colour in enumerate(SERIES)},
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_FAMILY = re.compile(r"font-family: [^;]*; ")
_LOOK = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    **{f"axes.spines.{side}": False for side in ("left", "right", "top", "bottom")},
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": SMALL,
    "grid.color": GRID,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.handletextpad": 0.4,
    "legend.borderpad": 0.1,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "wsstools",
    "text.color": INK,
    "text.parse_math": False,  # names of files may hold any letter
    "xtick.bottom": False,
    "xtick.labelcolor": FAINT,
    "ytick.left": False,
    "ytick.labelcolor": FAINT,
}
_NO_METADATA: Mapping[str, Mapping[str, None]] = {
    ".svg": dict.fromkeys(("Creator", "Date", "Format", "Type")),
    ".pdf": dict.fromkeys(("Creator", "Producer", "CreationDate")),
    ".png": dict.fromkeys(("Software",)),
}
_ELLIPSIS = "…"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SeriesStyle(TypedDict):
    """The keywords of matplotlib that make a marker one of its series."""

    marker: str
    markersize: float
    markerfacecolor: str
    markeredgewidth: float
    linestyle: Literal["none"]


@dataclass(frozen=True)
class Drawing:
    """A figure, and what it says to those who do not see it.

    `titles` is what hovering over marks shows: gid of an artist to the title of each of its marks.
    """

    figure: Figure
    description: str = ""
    titles: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def encoded(self, suffix: str) -> bytes:
        """The bytes of a file with that ending, one of `SUFFIXES`; equal for equal figures."""
        if suffix not in SUFFIXES:
            raise ValueError(f"a figure is written as {', '.join(SUFFIXES)}, not {suffix!r}")
        if suffix == ".svg":
            root = self._svg()
            root.set("font-family", _FONT)
            return ElementTree.tostring(root, encoding="unicode").encode() + b"\n"
        return self._saved(suffix)

    def inline(self, prefix: str) -> Markup:
        """An `svg` element for a page, whose style sheet gives its colours and its font.

        Its ids begin with the prefix, as they are to be unique in the page.
        """
        root = self._svg()
        root.set("class", "plot")
        for element in root.iter():
            for key, value in element.attrib.items():
                if key == "id":
                    element.set(key, f"{prefix}-{value}")
                elif key == "href":
                    element.set(key, f"#{prefix}-{value[1:]}")
                elif key == "style":
                    element.set(key, re.sub("#[0-9a-f]{6}", _page_colour, value))
        return Markup(ElementTree.tostring(root, encoding="unicode"))

    def _saved(self, suffix: str) -> bytes:
        buffer = io.BytesIO()
        with figure_style():
            self.figure.savefig(buffer, format=suffix[1:], metadata=_NO_METADATA[suffix])
        return buffer.getvalue()

    def _svg(self) -> ElementTree.Element:
        """The figure as SVG without namespaces, with its description and titles."""
        root = ElementTree.fromstring(self._saved(".svg"))
        for parent in list(root.iter()):
            parent.tag = parent.tag.partition("}")[2]
            # A style element would hold for the whole page.
            for child in [c for c in parent if c.tag.endswith(("}style", "}metadata"))]:
                parent.remove(child)
            for key in [key for key in parent.attrib if key.endswith("}href")]:
                parent.set("href", parent.attrib.pop(key))
            if "style" in parent.attrib:
                parent.set("style", _FAMILY.sub("", parent.attrib["style"]))
        for gid, titles in self.titles.items():
            group = root.find(f".//*[@id='{gid}']")
            if group is not None:
                for mark, text in zip(_marks(group), titles, strict=True):
                    title = ElementTree.Element("title")
                    title.text = xml_text(text)
                    mark.insert(0, title)
        root.set("xmlns", "http://www.w3.org/2000/svg")
        root.set("role", "img")
        root.set("aria-label", xml_text(self.description))
        return root


@contextmanager
def figure_style() -> Iterator[None]:
    """The look of our figures, whatever a matplotlibrc of the user says."""
    with style.context(["default", _LOOK]), warnings.catch_warnings():
        # A browser has the letters that the font of matplotlib lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


@contextmanager
def new_figure(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure of that size in inches, and its axes; at the end it is laid out for good.

    Nothing is clipped, which would take ids in SVG.
    """
    with figure_style():
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for artist in figure.findobj():
            artist.set_clip_on(False)


def add_legend(figure: Figure, handles: Sequence[Line2D | Patch], names: Sequence[str]) -> None:
    """A legend above the axes, in as many lines as the names need; the figure grows with it."""
    names = [cut(name, 44) for name in names]
    widest = max(map(len, names)) + 4
    n_columns = min(max(int(14 * figure.get_figwidth() / widest), 1), len(names))
    figure.set_figheight(figure.get_figheight() + 0.19 * -(-len(names) // n_columns) + 0.1)
    figure.legend(handles, names, loc="outside upper left", ncols=n_columns)


def series_style(series: int) -> SeriesStyle:
    """Marker and colour of a series."""
    marker = list(SIZES)[series % len(SIZES)]
    return {
        "marker": marker,
        "markersize": SIZES[marker],
        "markerfacecolor": SERIES[series % len(SERIES)],
        "markeredgewidth": 0,
        "linestyle": "none",
    }


def xml_text(text: str) -> str:
    """The text with the replacement character for what XML cannot hold."""
    return _NOT_IN_XML.sub("\ufffd", text)


def cut(text: str, length: int) -> str:
    """A text as one line of at most that many letters."""
    line = xml_text(" ".join(text.split()))
    return line if len(line) <= length else line[: length - 1].rstrip() + _ELLIPSIS


def _marks(group: ElementTree.Element) -> list[ElementTree.Element]:
    """The shapes of an artist: markers, or else a path, or else a text."""
    return next(filter(None, (list(group.iter(tag)) for tag in ("use", "path", "text"))), [])


def _page_colour(found: re.Match[str]) -> str:
    return _PAGE_COLOURS.get(found[0], found[0])
