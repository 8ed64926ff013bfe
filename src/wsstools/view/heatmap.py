"""A heat map of the settings that were tried, over the two parameters with the most values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wsstools.core.evaluation.race import Standing, ranked, winner
from wsstools.view.scales import VIRIDIS, scale_colours
from wsstools.view.sheet import BACKGROUND, FAINT_INK, HAIRLINE, INK
from wsstools.view.tuning import told, varied

_CELL = (104, 56)  # width, height in pixels
_MARGIN = 28
_LEFT, _TOP = 128, 84  # room for the labels of rows, and for title and labels of columns
_LINE = 26
_SWATCH = 28
_HATCH_STEP = 9
_BAR = (16, 36)  # width of the scale, and its distance from the cells
_SCALE_TEXT = 72
_FONT, _SMALL = ImageFont.load_default(16), ImageFont.load_default(14)
_GREY, _HATCH = (238, 239, 241), (212, 214, 218)
_BEST, _PAPER = (214, 39, 40), (20, 20, 20)
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
_DARK = 140  # luminance below which text on a colour is white


def heat_map(
    standings: Sequence[Standing], grid: Mapping[str, Sequence[float]], *, title: str
) -> NDArray[np.uint8]:
    """The mean IoU in percent over two parameters, (H, W, 3) uint8.

    A cell shows the best over all other parameters of those that ran on all images; where all
    left the race before, it is hatched and holds, in grey, the mean IoU of the one that left
    last, on fewer images. Frames mark the winner and the paper's setting.

    Parameters
    ----------
    standings : sequence of Standing
        How each setting did.
    grid : mapping
        Values of each of two or more parameters; the two with the most become the axes.
    title : str
        Above the picture.
    """
    columns, rows, *others = sorted(grid, key=lambda name: -len(grid[name]))
    hidden = [name for name in others if len(grid[name]) > 1]
    if hidden:
        title += f", the best over {', '.join(hidden)}"
    cells = _cells(standings, grid, columns, rows)
    layout = _Layout(columns, rows, sorted(grid[columns]), sorted(grid[rows]))
    return _draw(layout, cells, standings, title)


@dataclass(frozen=True)
class _Layout:
    """Which parameter goes where."""

    columns: str
    rows: str
    column_values: Sequence[float]
    row_values: Sequence[float]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the cells together."""
        return len(self.column_values) * _CELL[0], len(self.row_values) * _CELL[1]

    def box(self, parameters: Mapping[str, float]) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of a cell; the largest value of the rows is at the top."""
        column = self.column_values.index(parameters[self.columns])
        row = self.row_values.index(parameters[self.rows])
        left = _MARGIN + _LEFT + column * _CELL[0]
        top = _MARGIN + _TOP + (len(self.row_values) - 1 - row) * _CELL[1]
        return left, top, left + _CELL[0], top + _CELL[1]


def _cells(
    standings: Sequence[Standing], grid: Mapping[str, Sequence[float]], columns: str, rows: str
) -> list[Standing]:
    """The best setting of each cell."""
    best: dict[tuple[float, float], Standing] = {}
    for one in ranked(standings):
        if one.is_contender:
            best.setdefault((one.parameters[columns], one.parameters[rows]), one)
    return list(best.values())


def _draw(
    layout: _Layout, cells: Sequence[Standing], standings: Sequence[Standing], title: str
) -> NDArray[np.uint8]:
    width, height = layout.size
    notes = _notes(cells, standings)
    widest = max(_FONT.getlength(text) for text in (title, *(text for text, _ in notes)))
    inner = max(_LEFT + width + _BAR[1] + _BAR[0] + _SCALE_TEXT, round(widest) + _SWATCH)
    size = (inner + 2 * _MARGIN, _TOP + height + _LINE * (len(notes) + 1) + 2 * _MARGIN)
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    draw.text((_MARGIN, _MARGIN), title, INK, _FONT, anchor="lt")
    _draw_axes(draw, layout)
    running = [one.mean_iou for one in cells if not one.is_out]
    low, high = min(running), max(running)
    for one in cells:
        _draw_cell(picture, layout.box(one.parameters), one, low, high)
    for one, colour, inset in _framed(standings):
        _frame(draw, layout.box(one.parameters), colour, inset)
    _draw_scale(draw, layout, low, high)
    for k, (text, mark) in enumerate(notes):
        y = _MARGIN + _TOP + height + _LINE * (k + 1)
        _draw_swatch(picture, y, mark)
        draw.text((_MARGIN + _SWATCH, y), text, INK, _SMALL, anchor="lm")
    return np.asarray(picture).copy()


def _draw_axes(draw: ImageDraw.ImageDraw, layout: _Layout) -> None:
    left, labels = _MARGIN + _LEFT, _MARGIN + _TOP - 14
    middle = left + layout.size[0] / 2
    draw.text((middle, labels - 24), layout.columns, INK, _FONT, anchor="mm")
    draw.text((left - 14, labels), layout.rows, INK, _FONT, anchor="rm")
    for k, value in enumerate(layout.column_values):
        draw.text((left + (k + 0.5) * _CELL[0], labels), f"{value:g}", INK, _SMALL, anchor="mm")
    for k, value in enumerate(reversed(layout.row_values)):
        y = _MARGIN + _TOP + (k + 0.5) * _CELL[1]
        draw.text((left - 14, y), f"{value:g}", INK, _SMALL, anchor="rm")


def _draw_cell(
    picture: Image.Image, box: tuple[int, int, int, int], one: Standing, low: float, high: float
) -> None:
    left, top, right, bottom = box
    draw = ImageDraw.Draw(picture)
    middle = ((left + right) / 2, (top + bottom) / 2)
    if one.is_out:
        _hatch(picture, box)
        text, ink = f"{one.mean_iou:.1%} ({one.n_images})", FAINT_INK
        width = _SMALL.getlength(text) / 2 + 4
        spot = (middle[0] - width, middle[1] - 10, middle[0] + width, middle[1] + 10)
        draw.rectangle(spot, _GREY)
    else:
        colour = _colour((one.mean_iou - low) / (high - low) if high > low else 1.0)
        draw.rectangle((left, top, right - 1, bottom - 1), colour)
        is_dark = np.dot(colour, _LUMINANCE) < _DARK
        text, ink = f"{one.mean_iou:.2%}", BACKGROUND if is_dark else INK
    draw.text(middle, text, ink, _SMALL, anchor="mm")
    draw.rectangle((left, top, right - 1, bottom - 1), None, BACKGROUND)


def _hatch(picture: Image.Image, box: tuple[int, int, int, int]) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    rows, columns = np.indices((height, width))
    lines = (rows + columns) % _HATCH_STEP < 2
    values = np.where(lines[:, :, np.newaxis], _HATCH, _GREY).astype(np.uint8)
    picture.paste(Image.fromarray(values), box[:2])


def _colour(fraction: float) -> tuple[int, int, int]:
    """A colour of the scale, RGB; 0 is dark, 1 is light."""
    red, green, blue = scale_colours(fraction, VIRIDIS).tolist()
    return red, green, blue


def _framed(standings: Sequence[Standing]) -> list[tuple[Standing, tuple[int, int, int], int]]:
    """The settings to frame, each with its colour and how far within the cell."""
    papers = [one for one in standings if one.is_paper and one.is_contender]
    return [(winner(standings), _BEST, 1), *((one, _PAPER, 6) for one in papers)]


def _frame(
    draw: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    colour: tuple[int, int, int],
    inset: int,
) -> None:
    left, top, right, bottom = box
    around = (left + inset - 2, top + inset - 2, right - inset + 1, bottom - inset + 1)
    draw.rectangle(around, None, BACKGROUND, 5)
    draw.rectangle(
        (left + inset - 1, top + inset - 1, right - inset, bottom - inset), None, colour, 3
    )


def _draw_scale(draw: ImageDraw.ImageDraw, layout: _Layout, low: float, high: float) -> None:
    width, height = layout.size
    left, top = _MARGIN + _LEFT + width + _BAR[1], _MARGIN + _TOP
    right, bottom = left + _BAR[0] - 1, top + height - 1
    for y in range(height):
        draw.line((left, top + y, right, top + y), _colour(1 - y / max(height - 1, 1)))
    draw.rectangle((left, top, right, bottom), None, HAIRLINE)
    draw.text((left, top - 14), "mIoU", INK, _SMALL, anchor="lm")
    draw.text((right + 8, top), f"{high:.2%}", INK, _SMALL, anchor="lt")
    draw.text((right + 8, bottom), f"{low:.2%}", INK, _SMALL, anchor="lb")


_Note = tuple[str, "tuple[int, int, int] | None"]


def _notes(cells: Sequence[Standing], standings: Sequence[Standing]) -> list[_Note]:
    """Lines below the cells, each with the colour of its frame; None stands for hatching."""
    names = varied(standings)
    best, paper = winner(standings), next(one for one in standings if one.is_paper)
    where = "" if paper.is_contender else ", not in the grid"
    notes: list[_Note] = [
        (f"best: {told(best.parameters, names)}: {best.mean_iou:.2%}", _BEST),
        (f"paper: {told(paper.parameters, names)}: {paper.mean_iou:.2%}{where}", _PAPER),
    ]
    if any(one.is_out for one in cells):
        notes.append(("left the race after the images in brackets", None))
    return notes


def _draw_swatch(picture: Image.Image, middle: int, colour: tuple[int, int, int] | None) -> None:
    box = (_MARGIN, middle - 8, _MARGIN + 18, middle + 8)
    if colour is None:
        _hatch(picture, box)
    else:
        ImageDraw.Draw(picture).rectangle(box, None, colour, 3)
