"""Horizontal bars by category as SVG; colours as `wsstools.view.svg` has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsstools.view.axes import Axis, nice_ticks
from wsstools.view.markup import Markup, cut, element, joined, text_width
from wsstools.view.svg import (
    LINE,
    SIZE,
    SMALL,
    WIDTH,
    colours,
    drawing,
    legend,
    straight,
    text,
    x_grid,
)

_BAR = 9.0
_GAP = 7.0
_MOST_NAME = 0.36
"""Share of the width that the names of the categories take at most."""


def bars(
    categories: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    *,
    x_label: str,
    description: str = "",
    unit: str = "",
    width: float = WIDTH,
) -> Markup:
    """Bars that start at zero, a group per category, a bar per series; an `svg` element.

    Parameters
    ----------
    categories : sequence of str
        From top to bottom; at least one.
    series : mapping of str to sequence
        Name of each series to its values, one per category; None where there is none. The bars of
        a category stand in this order.
    x_label : str
        What the bars show, with its unit.
    description : str
        What a reader who does not see the plot is told.
    unit : str
        What follows the numbers when one hovers over a bar.
    width : float, pixels

    Raises
    ------
    ValueError
        If there is no category or series, a series has another length, or no value is finite.
    """
    if not categories or not series:
        raise ValueError("bars need at least one category and one series")
    for name, values in series.items():
        if len(values) != len(categories):
            raise ValueError(f"{name} has {len(values)} values for {len(categories)} categories")
    known = [value for values in series.values() for value in values if value is not None]
    ticks = nice_ticks([0.0, *known])
    entries, top = legend(list(series), width, _swatch)
    names = [cut(name, SMALL, _MOST_NAME * width) for name in categories]
    left = 18 + max(text_width(name, SMALL) for name in names)
    x = Axis(ticks, left, width - 16)
    block = max(len(series) * _BAR, SMALL) + _GAP
    bottom = top + len(categories) * block
    drawn = []
    for row, name in enumerate(names):
        middle = top + (row + 0.5) * block
        whole = element("title", categories[row])
        drawn.append(text(joined([name, whole]), left - 8, middle + 0.35 * SMALL, anchor="end"))
        start = middle - len(series) * _BAR / 2
        for position, (one, values) in enumerate(series.items()):
            told = f"{categories[row]}, {one}: {_told(values[row], unit)}"
            drawn.append(_bar(x, start + position * _BAR, position, values[row], told))
    zero = x.place(0.0)
    height = bottom + 2.9 * SIZE
    content = [
        entries,
        x_grid(x, top, bottom),
        *drawn,
        straight(zero, top, zero, bottom, class_="plot-line", stroke=LINE),
        text(
            cut(x_label, SIZE, width - 20),
            width / 2 if text_width(x_label, SIZE) > x.end - x.start else (x.start + x.end) / 2,
            height - 0.5 * SIZE,
            anchor="middle",
            size=SIZE,
        ),
    ]
    return drawing(content, width, height, description)


def _told(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{value:.1f}{unit}"


def _bar(x: Axis, top: float, position: int, value: float | None, told: str) -> Markup:
    if value is None:
        return Markup("")
    start, end = sorted((x.place(0.0), x.place(value)))
    return element(
        "rect",
        element("title", told),
        x=start,
        y=top + 0.5,
        width=end - start,
        height=_BAR - 1,
        **colours(position),
    )


def _swatch(series: int, x: float, y: float) -> Markup:
    return element("rect", x=x - 6, y=y - 5, width=11, height=10, **colours(series))
