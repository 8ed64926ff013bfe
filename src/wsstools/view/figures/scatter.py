"""Scatter plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from wsstools.view.figures.drawing import (
    DASHES,
    FAINT,
    INK,
    RULE,
    SIZES,
    SMALL,
    WIDTH,
    Drawing,
    add_legend,
    cut,
    figure_style,
    new_figure,
    series_style,
)

_MARGIN = 0.05
"""Of the axes beyond the outermost dots, as a share of what they span."""
_MOST_STEPS = 100
"""Of moving labels apart; a limit in seconds would make the figure depend on the machine."""
Ends = list[tuple[float, float]]
"""Both ends of a line."""


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot; the series gives colour and shape.

    Hovering over it shows its title; its label is the text beside it, empty for none.
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
    has_diagonal: bool = False,
    has_trend: bool = False,
    width: float = WIDTH,
) -> Drawing:
    """A dot for each pair of numbers, with the names of the series, if given, as a legend.

    The diagonal is the line of equal values; both axes then have the same ends and lengths. The
    trend is the line of least squares with its correlation, where there are three dots or more
    that are not one above the other. `width` is in inches.

    Examples
    --------
    >>> drawing = scatter([Dot(1, 2), Dot(2, 3)], x_label="a (%)", y_label="b (%)")
    >>> drawing.encoded(".svg").startswith(b"<svg ")
    True
    """
    if not dots:
        raise ValueError("a scatter plot needs at least one dot")
    values = [value for dot in dots for value in (dot.x, dot.y)]
    if not all(map(math.isfinite, values)):
        raise ValueError("a dot is not finite")
    titles = {}
    with new_figure(width, width if has_diagonal else 0.8 * width) as (figure, axes):
        axes.set_xlabel(cut(x_label, 50))
        axes.set_ylabel(cut(y_label, 50))
        axes.margins(_MARGIN)
        axes.locator_params(nbins=6)
        lines = [_draw_diagonal(axes, min(values), max(values))] if has_diagonal else []
        if has_trend:
            lines += _draw_trend(axes, dots)
        for number in sorted({dot.series for dot in dots}):
            own = [dot for dot in dots if dot.series == number]
            gid = f"dots-{number}"
            x, y = [dot.x for dot in own], [dot.y for dot in own]
            axes.plot(x, y, alpha=0.8, gid=gid, **series_style(number))
            titles[gid] = [dot.title for dot in own]
        if series:
            handles = [Line2D([], [], **series_style(k)) for k in range(len(series))]
            add_legend(figure, handles, series)
    with figure_style():
        _draw_labels(axes, dots, lines)
    return Drawing(figure, description, titles)


def _draw_diagonal(axes: Axes, low: float, high: float) -> Ends:
    beyond = _MARGIN * (high - low) or 1.0
    ends = (low - beyond, high + beyond)
    axes.plot(ends, ends, color=RULE, linestyle=DASHES, linewidth=1)
    axes.set(xlim=ends, ylim=ends, box_aspect=1)
    return [(end, end) for end in ends]


def _draw_trend(axes: Axes, dots: Sequence[Dot]) -> list[Ends]:
    x, y = [dot.x for dot in dots], [dot.y for dot in dots]
    if len(dots) < 3 or min(x) == max(x):
        return []
    slope, intercept = np.polyfit(x, y, 1)
    r = "" if min(y) == max(y) else f", r = {np.corrcoef(x, y)[0, 1]:.2f}"
    note = f"least squares: slope {round(slope, 2) + 0.0:.2f}{r}, n = {len(dots)}"
    axes.set_title(note.replace("-", "\N{MINUS SIGN}"), loc="left", color=FAINT, fontsize=SMALL)
    ends = [(end, intercept + slope * end) for end in (min(x), max(x))]
    axes.plot(*zip(*ends, strict=True), color=INK, linewidth=1)
    return [ends]


def _draw_labels(axes: Axes, dots: Sequence[Dot], lines: Sequence[Ends]) -> None:
    """The labels beside their dots, and a line to those that had to go far."""
    named = [dot for dot in dots if dot.label]
    if not named:
        return
    has_diagonal = axes.get_box_aspect() is not None
    texts = []
    for dot in named:
        # Upwards, or away from the diagonal, along which the dots are dense.
        side = "right" if has_diagonal and dot.y > dot.x else "left"
        end = "top" if has_diagonal and dot.y < dot.x else "bottom"
        texts.append(axes.text(dot.x, dot.y, cut(dot.label, 28), ha=side, va=end))
    x, y = _obstacles(axes, dots, named, lines).T
    adjust_text(
        texts,
        x=x,
        y=y,
        ax=axes,
        expand=(1.1, 1.5),
        force_explode=(0.1, 0.3),
        min_arrow_len=10,
        iter_lim=_MOST_STEPS,
        arrowprops={"arrowstyle": "-", "color": RULE, "linewidth": 0.8, "clip_on": False},
    )


def _obstacles(
    axes: Axes, dots: Sequence[Dot], named: Sequence[Dot], lines: Sequence[Ends]
) -> NDArray[np.float64]:
    """Points that no label should cover, (N, 2): the dots, edges of those with labels, lines."""
    reach = SIZES["o"] / 2 * axes.figure.dpi / 72  # pixels
    middles = axes.transData.transform([(dot.x, dot.y) for dot in named])
    edges = [middles + reach * np.array(side) for side in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    return np.concatenate(
        [
            [(dot.x, dot.y) for dot in dots],
            axes.transData.inverted().transform(np.concatenate(edges)),
            *(np.linspace(start, end, num=40) for start, end in lines),
        ]
    )
