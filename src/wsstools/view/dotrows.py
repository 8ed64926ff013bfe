"""Numbers with their intervals, one row each, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsstools.view.axes import Axis, nice_ticks
from wsstools.view.markup import Markup, cut, element, joined, text_width
from wsstools.view.svg import (
    LINE,
    SIZE,
    SMALL,
    TOP,
    WIDTH,
    colours,
    drawing,
    marker,
    text,
    x_grid,
)

_ROW = 22.0
_WHISKER = 2.5
_MOST_NAME = 0.36
"""Share of the width that the names take at most."""


@dataclass(frozen=True)
class DotRow:
    """A number with its name.

    Attributes
    ----------
    name : str
        Stands to the left.
    value : float
        Finite.
    interval : (float, float) or None
        Ends of the bar; not finite ends are left out.
    series : int
        Which colour and shape it has.
    """

    name: str
    value: float
    interval: tuple[float, float] | None = None
    series: int = 0


def dot_rows(
    rows: Sequence[DotRow],
    *,
    x_label: str,
    references: Mapping[str, float] | None = None,
    description: str = "",
    width: float = WIDTH,
) -> Markup:
    """A dot for each number, with a bar over its interval; an `svg` element.

    Parameters
    ----------
    rows : sequence of DotRow
        From top to bottom; at least one.
    x_label : str
        What the numbers are, with their unit.
    references : mapping of str to float
        Dashed lines through all rows, with what each is.
    description : str
        What a reader who does not see the plot is told.
    width : float, pixels

    Raises
    ------
    ValueError
        If there is no row or a value is not finite.
    """
    if not rows:
        raise ValueError("expected at least one row")
    references = references or {}
    ends = [end for row in rows for end in row.interval or () if math.isfinite(end)]
    ticks = nice_ticks([*(row.value for row in rows), *ends, *references.values()])
    names = [cut(row.name, SMALL, _MOST_NAME * width) for row in rows]
    left = 18 + max(text_width(name, SMALL) for name in names)
    x = Axis(ticks, left, width - 46)
    bottom = TOP + len(rows) * _ROW
    height = bottom + 2.9 * SIZE
    lines = [
        element(
            "line",
            element("title", f"{name} {value:.1f}"),
            x1=x.place(value),
            y1=TOP,
            x2=x.place(value),
            y2=bottom,
            class_="plot-line",
            stroke=LINE,
            stroke_dasharray="4 4",
        )
        for name, value in references.items()
    ]
    drawn = [
        _row(row, name, x, TOP + (position + 0.5) * _ROW, width)
        for position, (row, name) in enumerate(zip(rows, names, strict=True))
    ]
    below = text(
        cut(x_label, SIZE, width - 20), width / 2, height - 0.5 * SIZE, anchor="middle", size=SIZE
    )
    return drawing([x_grid(x, TOP, bottom), *lines, *drawn, below], width, height, description)


def _row(row: DotRow, name: str, x: Axis, middle: float, width: float) -> Markup:
    base = middle + 0.35 * SMALL
    whole = f"{row.name}: {row.value:.1f}"
    bar = Markup("")
    if row.interval is not None:
        low, high = row.interval
        whole += f" [{low:.1f}, {high:.1f}]"
        start = x.place(max(low, x.ticks[0]))
        end = x.place(min(high, x.ticks[-1]))
        bar = element(
            "rect",
            x=start,
            y=middle - _WHISKER,
            width=end - start,
            height=2 * _WHISKER,
            rx=_WHISKER,
            fill_opacity="0.35",
            **colours(row.series),
        )
    return joined(
        [
            text(joined([name, element("title", whole)]), x.start - 8, base, anchor="end"),
            bar,
            marker(row.series, x.place(row.value), middle, whole),
            text(f"{row.value:.1f}", width - 8, base, anchor="end"),
        ]
    )
