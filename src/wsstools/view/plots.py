"""Scatter plots as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wsstools.core.evaluation.trend import Trend, linear_trend
from wsstools.view.axes import Axis, nice_ticks
from wsstools.view.markup import MINUS, Markup, cut, element, joined, text_width
from wsstools.view.placing import Box, place_labels
from wsstools.view.svg import (
    GRID,
    INK,
    LEGEND_LINE,
    LINE,
    PAPER,
    RADIUS,
    SIZE,
    SMALL,
    WIDTH,
    drawing,
    legend,
    marker,
    straight,
    text,
    x_grid,
)

_RIGHT = 14.0


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot.

    Attributes
    ----------
    x, y : float
        Finite, in the unit that the axes tell.
    title : str
        What hovering over it tells.
    label : str
        What stands beside it; empty for nothing.
    series : int
        Which colour and shape it has.
    """

    x: float
    y: float
    title: str = ""
    label: str = ""
    series: int = 0


def scatter(
    dots: Sequence[Dot],
    *,
    x_label: str,
    y_label: str,
    description: str = "",
    series: Sequence[str] = (),
    diagonal: bool = False,
    trend: bool = False,
    width: float = WIDTH,
) -> Markup:
    """A scatter plot, an `svg` element that is also a file of its own.

    Parameters
    ----------
    dots : sequence of Dot
        At least one.
    x_label, y_label : str
        What the axes show, with their unit.
    description : str
        What a reader who does not see the plot is told.
    series : sequence of str
        Names of the series, for a legend; empty for none.
    diagonal : bool
        Draw the line of equal values; both axes then have the same ticks and lengths.
    trend : bool
        Draw the line of least squares and tell its correlation, where there are three dots or
        more.
    width : float, pixels

    Raises
    ------
    ValueError
        If there is no dot, or a number is not finite.

    Examples
    --------
    >>> svg = scatter([Dot(1, 2), Dot(2, 3)], x_label="a (%)", y_label="b (%)")
    >>> svg.startswith("<svg xmlns=")
    True
    """
    if not dots:
        raise ValueError("a scatter plot needs at least one dot")
    x_ticks = nice_ticks([dot.x for dot in dots])
    y_ticks = nice_ticks([dot.y for dot in dots])
    if diagonal:
        x_ticks = y_ticks = nice_ticks([value for dot in dots for value in (dot.x, dot.y)])
    entries, top = legend(series, width, marker)
    line = linear_trend([dot.x for dot in dots], [dot.y for dot in dots]) if trend else None
    if line is not None:
        entries = joined([entries, _trend_note(line, len(dots), top)])
        top += LEGEND_LINE + 4
    left = 2.2 * SIZE + max(text_width(text, SMALL) for text in Axis(y_ticks, 0, 1).texts())
    across = width - left - _RIGHT
    down = across if diagonal else 0.72 * across
    x, y = Axis(x_ticks, left, left + across), Axis(y_ticks, top + down, top)
    height = top + down + 2.9 * SIZE
    content = [
        entries,
        _grid(x, y),
        _axis_names(x, y, x_label, y_label, height),
        _line(x, y, 1.0, 0.0, "plot-line", "4 4") if diagonal else "",
        _line(x, y, line.slope, line.intercept, "plot-ink", None) if line else "",
        *(marker(dot.series, x.place(dot.x), y.place(dot.y), dot.title) for dot in dots),
        _labels(dots, x, y),
    ]
    return drawing(content, width, height, description)


def _grid(x: Axis, y: Axis) -> Markup:
    across = (
        part
        for tick, told in zip(y.ticks, y.texts(), strict=True)
        for part in (
            straight(x.start, y.place(tick), x.end, y.place(tick), class_="plot-grid", stroke=GRID),
            text(told, x.start - 6, y.place(tick) + 0.35 * SMALL, anchor="end", is_faint=True),
        )
    )
    return joined([x_grid(x, y.end, y.start), *across])


def _axis_names(x: Axis, y: Axis, x_label: str, y_label: str, height: float) -> Markup:
    middle = (y.start + y.end) / 2
    turned = f"rotate(-90 {1.1 * SIZE:.2f} {middle:.2f})"
    return joined(
        [
            text(
                cut(x_label, SIZE, x.end),
                (x.start + x.end) / 2,
                height - 0.5 * SIZE,
                anchor="middle",
                size=SIZE,
            ),
            text(
                cut(y_label, SIZE, y.start - y.end + 2 * SIZE),
                1.1 * SIZE,
                middle,
                anchor="middle",
                size=SIZE,
                transform=turned,
            ),
        ]
    )


def _line(
    x: Axis, y: Axis, slope: float, intercept: float, class_: str, dashes: str | None
) -> Markup:
    """The part of a line that lies within both axes."""
    ends = [x.ticks[0], x.ticks[-1]]
    low, high = y.ticks[0], y.ticks[-1]
    if slope:
        crossings = sorted((bound - intercept) / slope for bound in (low, high))
        ends = [max(ends[0], crossings[0]), min(ends[1], crossings[1])]
    (x1, y1), (x2, y2) = ((x.place(v), y.place(intercept + slope * v)) for v in ends)
    return straight(
        x1,
        y1,
        x2,
        y2,
        class_=class_,
        stroke=LINE if class_ == "plot-line" else INK,
        stroke_width=1.3,
        stroke_dasharray=dashes,
    )


def _trend_note(line: Trend, count: int, top: float) -> Markup:
    r = "" if math.isnan(line.r) else f", r = {line.r:.2f}"
    told = f"least squares: slope {line.slope:.2f}{r}, n = {count}".replace("-", MINUS)
    return text(told, 10.0, top + 0.6 * LEGEND_LINE, is_faint=True)


def _labels(dots: Sequence[Dot], x: Axis, y: Axis) -> Markup:
    """The labels beside their dots, and a line to those that had to go far."""
    places = [(x.place(dot.x), y.place(dot.y)) for dot in dots]
    told = [cut(dot.label, SMALL, 0.5 * (x.end - x.start)) for dot in dots]
    sizes = [(text_width(label, SMALL), 1.2 * SMALL) if label else None for label in told]
    frame = Box(x.start, y.end, x.end, y.start)
    lines, names = [], []
    boxes = place_labels(places, sizes, frame, RADIUS)
    for (px, py), label, box in zip(places, told, boxes, strict=True):
        if box is None:
            continue
        near_x, near_y = _nearest(box, px, py)
        if math.hypot(near_x - px, near_y - py) > 3 * RADIUS:
            lines.append(straight(px, py, near_x, near_y, class_="plot-line", stroke=LINE))
        names.append(_label(label, box, px))
    return joined([*lines, *names])


def _label(told: str, box: Box, dot_x: float) -> Markup:
    """A text in its box, towards the dot, with a rim of paper that parts it from lines below."""
    anchor, x = "middle", (box.left + box.right) / 2
    if box.left >= dot_x:
        anchor, x = "start", box.left
    elif box.right <= dot_x:
        anchor, x = "end", box.right
    return element(
        "text",
        told,
        x=x,
        y=box.bottom - 0.28 * SMALL,
        class_="plot-label",
        fill=INK,
        stroke=PAPER,
        stroke_width=3,
        stroke_linejoin="round",
        paint_order="stroke",
        font_size=SMALL,
        text_anchor=None if anchor == "start" else anchor,
    )


def _nearest(box: Box, x: float, y: float) -> tuple[float, float]:
    return min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
