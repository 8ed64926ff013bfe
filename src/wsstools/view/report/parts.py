"""Parts of a page: sections, tables, figures, and what had to be left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from wsstools.view.figures.drawing import Drawing
from wsstools.view.gap_tables import Table
from wsstools.view.markup import Markup, element, joined

SLIP_MARK = " !"


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading.

    Attributes
    ----------
    anchor : str
        Its `id`.
    heading : str
        What stands above it.
    content : sequence of Markup
        What it shows; empty if there is nothing to show.
    missing : sequence of str
        What is left out, and why.
    """

    anchor: str
    heading: str
    content: Sequence[Markup] = ()
    missing: Sequence[str] = ()


def section_html(section: Section) -> Markup:
    """The section with its heading, and notes on what it leaves out."""
    return element(
        "section",
        element("h2", section.heading),
        *section.content,
        *(element("p", f"Left out: {one}", class_="missing") for one in section.missing),
        id=section.anchor,
    )


def table_html(table: Table, caption: str, *, strong: Iterable[int] = ()) -> Markup:
    """A table in a box of its own that scrolls where the page is narrow.

    Parameters
    ----------
    table : Table
        If it is grouped, each group gets a row with its name.
    caption : str
        What it shows.
    strong : iterable of int
        Rows that stand out.
    """
    first = 1 if table.is_grouped else 0
    n_left = table.n_left - first
    head = element(
        "tr",
        *(
            element("th", name, scope="col", class_=None if k >= n_left else "left")
            for k, name in enumerate(table.header[first:])
        ),
    )
    chosen = set(strong)
    bodies: list[list[Markup]] = []
    for position, line in enumerate(table.cells):
        if position == 0 or position in table.rules:
            bodies.append([])
            if table.is_grouped:
                bodies[-1].append(_group_row(line[0], len(table.header) - 1))
        bodies[-1].append(_row(line[first:], n_left, position in chosen))
    rows = (element("tbody", *body) for body in bodies)
    found = element("table", element("thead", head), *rows, aria_label=caption)
    box = element("div", found, class_="scroll", tabindex=0, role="region", aria_label=caption)
    return element("figure", element("figcaption", caption), box, class_="table")


def _group_row(name: str, n_columns: int) -> Markup:
    cell = element("th", element("span", name), scope="rowgroup", colspan=n_columns)
    return element("tr", cell, class_="group")


def _row(cells: Sequence[str], n_left: int, is_strong: bool) -> Markup:
    name, *values = cells
    return element(
        "tr",
        element("th", element("span", name), scope="row", class_="left"),
        *(
            element("td", _cell(told))
            if k >= n_left
            else element("td", element("span", told), class_="left")
            for k, told in enumerate(values, start=1)
        ),
        class_="strong" if is_strong else None,
    )


def _cell(told: str) -> object:
    """The text; a number that its own table contradicts is marked."""
    if not told.endswith(SLIP_MARK):
        return told
    return element("strong", told, class_="slip", title="not what the mIoUs beside it give")


def figure_html(drawing: Drawing, caption: str) -> Markup:
    """A figure with its caption, which gives its ids their prefix."""
    prefix = "f" + blake2b(caption.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return element("figure", drawing.inline(prefix), element("figcaption", caption))


def figures_html(figures: Iterable[Markup]) -> Markup:
    """Figures side by side where there is room."""
    return element("div", *figures, class_="figures")


def beside_html(*parts: Markup) -> Markup:
    """Parts as wide as they are, beside each other where there is room."""
    return element("div", *parts, class_="beside")


def folded_html(summary: object, *content: object) -> Markup:
    """What is shown when its heading is touched, and always on paper."""
    return element("details", element("summary", summary), *content)


def paragraphs(texts: Iterable[object], class_: str | None = None) -> Markup:
    """A paragraph for each text."""
    return joined(element("p", text, class_=class_) for text in texts)
