"""The parts of plots as SVG.

Colours stand in attributes, so that a plot is whole as a file of its own; a page gives it others
(for dark mode, say) by rules for the classes `plot-paper`, `plot-ink`, `plot-label`, `plot-faint`,
`plot-grid`, `plot-line` and `plot-0` to `plot-7`, since CSS goes before attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from wsstools.view.axes import Axis
from wsstools.view.markup import Markup, cut, element, joined, text_width

WIDTH = 360
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
SIZE = 13.0
"""Font size of names; ticks and labels are a little smaller."""
SMALL = 11.5
PAPER, INK, FAINT, GRID, LINE = "#ffffff", "#1f2328", "#59606a", "#e3e6ea", "#9aa1ab"
SERIES = (
    "#2563b0",
    "#c2521a",
    "#1b8057",
    "#8848b5",
    "#8a6d00",
    "#0e7d93",
    "#b8326d",
    "#616872",
)
"""Each has a contrast of at least 4.5 against white; markers differ in shape too."""
RADIUS = 4.5
"""Of a round marker; the others look as large."""
TOP = 10.0
LEGEND_LINE = 18.0


def drawing(content: Sequence[object], width: float, height: float, description: str) -> Markup:
    """An `svg` element on paper, with what it shows told to those who do not see it."""
    return element(
        "svg",
        element("rect", class_="plot-paper", width="100%", height="100%", fill=PAPER),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        class_="plot",
        viewBox=f"0 0 {width:.0f} {math.ceil(height)}",
        width=f"{width:.0f}",
        height=f"{math.ceil(height)}",
        role="img",
        aria_label=description or None,
        font_family=FONT,
        font_size=SMALL,
    )


def legend(
    names: Sequence[str], width: float, swatch: Callable[[int, float, float], Markup]
) -> tuple[Markup, float]:
    """Swatches and names of the series, in as many lines as they need, and where they end.

    `swatch` draws that of a series around a place.
    """
    if not names:
        return Markup(""), TOP
    drawn, left, middle = [], TOP, TOP + LEGEND_LINE / 2
    for series, name in enumerate(names):
        told = cut(name, SIZE, width - 50)
        wide = 16 + text_width(told, SIZE)
        if left + wide > width - TOP and left > TOP:
            left, middle = TOP, middle + LEGEND_LINE
        drawn.append(swatch(series, left + 6, middle))
        drawn.append(text(told, left + 16, middle + 0.35 * SIZE, size=SIZE))
        left += wide + 12
    return joined(drawn), middle + LEGEND_LINE / 2 + 8


def colours(series: int) -> dict[str, str]:
    """The attributes that give a shape the colour of a series."""
    position = series % len(SERIES)
    return {"class_": f"plot-{position}", "fill": SERIES[position]}


def marker(series: int, x: float, y: float, title: str = "") -> Markup:
    """The marker of a series at a place; the shapes look equally large."""
    style = {**colours(series), "fill_opacity": "0.8"}
    told = element("title", title) if title else ""
    shape = series % 4
    if shape == 0:
        return element("circle", told, cx=x, cy=y, r=RADIUS, **style)
    if shape == 1:
        side = 0.89 * RADIUS
        return element(
            "rect", told, x=x - side, y=y - side, width=2 * side, height=2 * side, **style
        )
    reach = 1.3 * RADIUS
    corners = (
        [(0.0, -reach), (reach, 0.0), (0.0, reach), (-reach, 0.0)]
        if shape == 2
        else [(0.0, -reach), (1.05 * reach, 0.75 * reach), (-1.05 * reach, 0.75 * reach)]
    )
    points = " ".join(f"{x + dx:.2f},{y + dy:.2f}" for dx, dy in corners)
    return element("polygon", told, points=points, **style)


def text(
    told: object,
    x: float,
    y: float,
    *,
    anchor: str = "start",
    size: float = SMALL,
    is_faint: bool = False,
    **attributes: object,
) -> Markup:
    """A line of text that starts, is centred or ends at a place on its baseline."""
    return element(
        "text",
        told,
        x=x,
        y=y,
        class_="plot-faint" if is_faint else "plot-ink",
        fill=FAINT if is_faint else INK,
        font_size=size,
        text_anchor=None if anchor == "start" else anchor,
        **attributes,
    )


def straight(x1: float, y1: float, x2: float, y2: float, **style: object) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **style)


def x_grid(x: Axis, top: float, bottom: float) -> Markup:
    """The lines of the ticks of a horizontal axis, and their numbers below."""
    return joined(
        part
        for tick, told in zip(x.ticks, x.texts(), strict=True)
        for part in (
            straight(x.place(tick), top, x.place(tick), bottom, class_="plot-grid", stroke=GRID),
            text(told, x.place(tick), bottom + 1.3 * SMALL, anchor="middle", is_faint=True),
        )
    )
