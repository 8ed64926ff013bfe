"""A heat map of the settings that were tried, over the two parameters with the most values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from wsstools.core.evaluation.tuning import Standing, ranked, winner
from wsstools.view.figures.drawing import INK, PAPER, SMALL, Drawing, new_figure
from wsstools.view.tuning import parameters_text, varied

BEST, PAPER_SETTING = "#d62728", "#141414"
"""Colours of the frames."""
_CELL = (0.86, 0.46)  # inches
_LETTERS = 12
"""Of a title, to an inch."""
_LIGHT = 0.55
"""Share of the scale above which text on a colour is dark."""


def heat_map(
    standings: Sequence[Standing], grid: Mapping[str, Sequence[float]], *, title: str
) -> Drawing:
    """The mean IoU in percent over the two parameters of the grid with the most values.

    A cell shows the best over all other parameters. Frames mark the winner and the paper's
    setting.
    """
    across, up, *others = sorted(grid, key=lambda name: -len(grid[name]))
    hidden = [name for name in others if len(grid[name]) > 1]
    if hidden:
        title += f", the best over {', '.join(hidden)}"
    x_values: list[float | str] = [*sorted(grid[across])]
    y_values: list[float | str] = [*sorted(grid[up])]
    best: dict[tuple[int, int], Standing] = {}  # of each cell, by (row, column)
    for one in ranked(standings):
        if one.is_contender:
            place = y_values.index(one.parameters[up]), x_values.index(one.parameters[across])
            best.setdefault(place, one)
    shares = np.zeros((len(y_values), len(x_values)))
    for place, one in best.items():
        shares[place] = 100 * one.mean_iou
    low, high = shares.min(), shares.max()
    is_light = shares > low + _LIGHT * (high - low)
    width = max(_CELL[0] * len(x_values) + 1.7, 4.6)
    with new_figure(width, _CELL[1] * len(y_values) + 1.5) as (figure, axes):
        axes.grid(visible=False)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.set_xticks(range(len(x_values)), [f"{value:g}" for value in x_values])
        axes.set_yticks(range(len(y_values)), [f"{value:g}" for value in y_values])
        edges = (np.arange(size + 1) - 0.5 for size in shares.shape[::-1])
        picture = axes.pcolormesh(*edges, shares, edgecolor=PAPER)
        axes.set(xlim=(-0.5, len(x_values) - 0.5), ylim=(-0.5, len(y_values) - 0.5))
        scale = figure.colorbar(picture, label="mIoU (%)", fraction=0.06, aspect=12)
        scale.outline.set_visible(False)
        for (row, column), one in best.items():
            ink = INK if is_light[row, column] else PAPER
            axes.text(column, row, f"{one.mean_iou:.2%}", color=ink, ha="center", va="center")
        names, swatches, notes = varied(standings), [], []
        paper = next(one for one in standings if one.is_paper)
        for name, one, colour, inset in (
            ("best", winner(standings), BEST, 0.03),
            ("paper", paper, PAPER_SETTING, 0.09),
        ):
            if one.is_contender:
                x, y = x_values.index(one.parameters[across]), y_values.index(one.parameters[up])
                _draw_frame(axes, (x, y), colour, inset)
            more = "" if one.is_contender else ", not in the grid"
            swatches.append(Patch(fill=False, edgecolor=colour, linewidth=2))
            notes.append(
                f"{name}: {parameters_text(one.parameters, names)}: {one.mean_iou:.2%}{more}"
            )
        figure.suptitle(fill(title, int(_LETTERS * width)), fontsize=10)
        figure.legend(swatches, notes, loc="outside lower left", fontsize=SMALL)
    return Drawing(figure, title)


def _draw_frame(axes: Axes, place: tuple[int, int], colour: str, inset: float) -> None:
    dx, dy = inset * _CELL[1] / _CELL[0], inset
    corner = (place[0] - 0.5 + dx, place[1] - 0.5 + dy)
    sides = (1 - 2 * dx, 1 - 2 * dy)
    for edge, width in ((PAPER, 3.6), (colour, 2.0)):
        axes.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=edge, linewidth=width))
