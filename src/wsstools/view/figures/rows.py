"""Numbers by name, from top to bottom: dots with intervals, and bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from wsstools.view.figures.drawing import (
    DASHES,
    INK,
    RULE,
    SERIES,
    WIDTH,
    Drawing,
    add_legend,
    cut,
    new_figure,
    series_style,
)

_MOST_NAME = 24
"""Letters of a name to the left; hovering over it shows the whole."""
_ROW, _BAR, _REST = 0.23, 0.1, 0.5  # inches: a row, a bar, and the x axis


@dataclass(frozen=True)
class DotRow:
    """A number with its name, which is to its left; the series gives colour and shape.

    An end of the interval that is not finite is that of the axis.
    """

    name: str
    value: float
    interval: tuple[float, float] | None = None
    series: int = 0

    def __str__(self) -> str:
        text = f"{self.name}: {self.value:.1f}"
        if self.interval is None:
            return text
        low, high = self.interval
        return f"{text} [{low:.1f}, {high:.1f}]"


def dot_rows(
    rows: Sequence[DotRow],
    *,
    x_label: str,
    references: Mapping[str, float] | None = None,
    description: str = "",
) -> Drawing:
    """A dot for each number, from top to bottom, with a bar over its interval.

    `references` are dashed lines through all rows.
    """
    if not rows or not all(math.isfinite(row.value) for row in rows):
        raise ValueError("expected at least one row, and finite values")
    titles = {}
    with new_figure(WIDTH, _ROW * len(rows) + _REST) as (figure, axes):
        axes.set_xlabel(cut(x_label, 50), loc="right")
        for k, (name, value) in enumerate((references or {}).items()):
            axes.axvline(value, color=RULE, linestyle=DASHES, linewidth=1, gid=f"line-{k}")
            titles[f"line-{k}"] = [f"{name} {value:.1f}"]
        for place, row in enumerate(rows):
            axes.plot(row.value, place, gid=f"row-{place}", **series_style(row.series))
            titles[f"row-{place}"] = [str(row)]
            axes.annotate(
                f"{row.value:.1f}",
                (1, place),
                (28, 0),
                xycoords=axes.get_yaxis_transform(),
                textcoords="offset points",
                ha="right",
                va="center",
            )
            if row.interval is not None:
                axes.update_datalim([(end, 0) for end in row.interval if math.isfinite(end)])
        axes.autoscale_view(scaley=False)
        left, right = axes.get_xlim()
        for place, row in enumerate(rows):
            if row.interval is not None:
                low, high = row.interval
                ends = [max(low, left), min(high, right)]
                colour = SERIES[row.series % len(SERIES)]
                axes.plot(ends, [place] * 2, color=colour, alpha=0.35, lw=4, solid_capstyle="round")
        axes.set_xlim(left, right)
        titles |= _name_rows(axes, [row.name for row in rows])
    return Drawing(figure, description, titles)


def bars(
    categories: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    *,
    x_label: str,
    description: str = "",
    unit: str = "",
) -> Drawing:
    """Horizontal bars that start at zero, a group per category, a bar per series.

    A series has a value for each category, None where there is none. `unit` follows the numbers
    that hovering over a bar shows.
    """
    if not categories or not series:
        raise ValueError("bars need at least one category and one series")
    for name, values in series.items():
        if len(values) != len(categories):
            raise ValueError(f"{name} has {len(values)} values for {len(categories)} categories")
    block = max(_BAR * len(series), 0.12) + 0.06
    titles = {}
    with new_figure(WIDTH, block * len(categories) + _REST) as (figure, axes):
        axes.set_xlabel(cut(x_label, 50), loc="right")
        axes.axvline(0, color=RULE, linewidth=1)
        for k, (name, values) in enumerate(series.items()):
            offset = (k - (len(series) - 1) / 2) * _BAR / block
            for place, value in enumerate(values):
                if value is not None:
                    gid = f"bar-{k}-{place}"
                    colour = SERIES[k % len(SERIES)]
                    axes.barh(place + offset, value, 0.85 * _BAR / block, color=colour, gid=gid)
                    titles[gid] = [f"{categories[place]}, {name}: {value:.1f}{unit}"]
        titles |= _name_rows(axes, categories)
        handles = [Patch(color=SERIES[k % len(SERIES)]) for k in range(len(series))]
        add_legend(figure, handles, list(series))
    return Drawing(figure, description, titles)


def _name_rows(axes: Axes, names: Sequence[str]) -> dict[str, list[str]]:
    """Names to the left of the rows, the first at the top; gives their titles."""
    axes.grid(visible=False, axis="y")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [cut(name, _MOST_NAME) for name in names])
    for place, label in enumerate(axes.get_yticklabels()):
        label.set(gid=f"name-{place}", color=INK)
    return {f"name-{place}": [name] for place, name in enumerate(names)}
