"""Contact sheets: rows of pictures with titles, captions, notes and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from wsstools.errors import printable
from wsstools.view.scales import Scale, scale_colours
from wsstools.view.settings import IMAGE_WIDTH

BACKGROUND = (255, 255, 255)
INK = (32, 33, 36)
FAINT_INK = (105, 108, 114)
HAIRLINE = (214, 216, 220)
ELLIPSIS = "..."
_STRIP_GAP = 8  # pixels between pictures side by side
T = TypeVar("T")
_Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"


def contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    *,
    titles: Sequence[str] = (),
    captions: Sequence[str | Sequence[str]] = (),
    notes: Sequence[Sequence[str]] = (),
    headings: Sequence[str] = (),
    legend: Sequence[tuple[str, ArrayLike]] = (),
    scales: Sequence[tuple[str, Scale]] = (),
    cell_width: int = IMAGE_WIDTH,
) -> NDArray[np.uint8]:
    """Pictures, (h, w, 3) uint8 each, side by side on white, (H, W, 3) uint8.

    They are brought to `cell_width` pixels, with which the text grows. Rows may differ in length;
    each is as high as its highest picture. A title is above each column, a heading above each row,
    below it the row's caption, or one for each of its cells, and a note above the right end of
    each cell. An empty text takes no room; one that is too long for its place is cut. Below the
    last row are swatches of the legend, whose colours are RGB in 0..255, and what the colours of
    scales from 0 to 1 mean.

    Examples
    --------
    >>> grey = np.full((10, 20, 3), 128, np.uint8)
    >>> contact_sheet([[grey, grey]], titles=["image", "labels"], cell_width=100).shape[2]
    3
    """
    n_columns = max((len(row) for row in rows), default=0)
    _check(rows, n_columns, titles, captions=captions, notes=notes, headings=headings)
    layout = _Layout(cell_width, n_columns)
    strips = [_titles_strip(layout, titles)] if any(titles) else []
    for row, caption, noted, heading in zip_longest(rows, captions, notes, headings):
        if heading:
            strips.append(_heading_strip(layout, heading, is_first=not strips))
        cells = [Image.fromarray(np.ascontiguousarray(fit(cell, cell_width))) for cell in row]
        strips.append(_row_strip(layout, cells, caption or "", noted or ()))
    if legend or scales:
        strips.append(_legend_strip(layout, legend, scales))
    return _stack(layout, strips)


def in_rows(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """They, so many in a row of a grid."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def side_by_side(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures in a row, as high as the highest, with white between them, (H, W, 3) uint8."""
    height = max(picture.shape[0] for picture in pictures)
    gap = np.full((height, _STRIP_GAP, 3), BACKGROUND, np.uint8)
    parts = []
    for picture in pictures:
        below = [(0, height - picture.shape[0]), (0, 0), (0, 0)]
        parts += [gap, np.pad(picture, below, constant_values=BACKGROUND[0])]
    return np.concatenate(parts[1:], axis=1)


def fit(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The picture, (h, w, 3) uint8, brought to that width as a sheet shows it.

    Enlarging keeps pixels square, so that labels stay crisp.
    """
    if width == picture.shape[1]:
        return picture
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    is_smaller = width < picture.shape[1]
    method = Image.Resampling.LANCZOS if is_smaller else Image.Resampling.NEAREST
    resized = Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), method)
    return np.array(resized, np.uint8)


class _Layout:
    """Measures of a sheet, in pixels, and its fonts."""

    def __init__(self, cell_width: int, n_columns: int) -> None:
        size = float(np.clip(cell_width / 13, 11, 34))
        self.cell = cell_width
        self.gap = max(round(size / 2), 4)
        self.margin = round(1.4 * size)
        self.width = 2 * self.margin + n_columns * (cell_width + self.gap) - self.gap
        self.line = round(1.5 * size)
        self.font = ImageFont.load_default(size)
        self.small = ImageFont.load_default(0.88 * size)

    def left(self, column: int) -> int:
        return self.margin + column * (self.cell + self.gap)


def _check(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    n_columns: int,
    titles: Sequence[str],
    **by_row: Sequence[str | Sequence[str]],
) -> None:
    if n_columns == 0:
        raise ValueError("a contact sheet needs at least one picture")
    for cell in (cell for row in rows for cell in row):
        if cell.ndim != 3 or cell.shape[2] != 3 or cell.dtype != np.uint8 or 0 in cell.shape:
            raise ValueError(f"cell is {cell.dtype} {cell.shape}, expected uint8 (h, w, 3)")
    if len(titles) > n_columns:
        raise ValueError(f"{len(titles)} titles for {n_columns} columns")
    for what, texts in by_row.items():
        if len(texts) > len(rows):
            raise ValueError(f"{len(texts)} {what} for {len(rows)} rows")
        for line, row in zip(texts, rows, strict=False):
            if not isinstance(line, str) and len(line) > len(row):
                raise ValueError(f"{len(line)} {what} for {len(row)} cells")


def _new_strip(layout: _Layout, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    strip = Image.new("RGB", (layout.width, height), BACKGROUND)
    return strip, ImageDraw.Draw(strip)


def _titles_strip(layout: _Layout, titles: Sequence[str]) -> Image.Image:
    strip, draw = _new_strip(layout, layout.line)
    for column, title in enumerate(titles):
        text = _cut(draw, title, layout.font, layout.cell)
        middle = layout.left(column) + layout.cell / 2
        draw.text((middle, layout.line / 2), text, INK, layout.font, anchor="mm")
    return strip


def _heading_strip(layout: _Layout, heading: str, *, is_first: bool) -> Image.Image:
    above = 0 if is_first else layout.gap
    strip, draw = _new_strip(layout, above + layout.line)
    text = _cut(draw, heading, layout.font, layout.width - 2 * layout.margin)
    draw.text((layout.margin, above + layout.line / 2), text, INK, layout.font, anchor="lm")
    return strip


def _row_strip(
    layout: _Layout,
    cells: Sequence[Image.Image],
    caption: str | Sequence[str],
    notes: Sequence[str],
) -> Image.Image:
    has_text = any([*notes, *([caption] if isinstance(caption, str) else caption)])
    top = layout.line if has_text else 0
    strip, draw = _new_strip(layout, top + max((cell.height for cell in cells), default=0))
    limits = [layout.left(column) + layout.cell for column in range(len(cells))]
    for column, note in enumerate(notes):
        if note:
            text = _cut(draw, note, layout.small, layout.cell)
            draw.text((limits[column], top / 2), text, INK, layout.small, anchor="rm")
            limits[column] -= round(draw.textlength(text, layout.small)) + layout.gap
    if isinstance(caption, str):
        noted = [limits[column] for column, note in enumerate(notes) if note]
        limit = min(noted, default=layout.width - layout.margin)
        _draw_caption(draw, layout, caption, layout.margin, limit, top)
    else:
        for column, text in enumerate(caption):
            _draw_caption(draw, layout, text, layout.left(column), limits[column], top)
    for column, cell in enumerate(cells):
        strip.paste(cell, (layout.left(column), top))
    return strip


def _draw_caption(
    draw: ImageDraw.ImageDraw, layout: _Layout, text: str, left: int, right: int, height: int
) -> None:
    shown = _cut(draw, text, layout.small, right - left)
    draw.text((left, height / 2), shown, FAINT_INK, layout.small, anchor="lm")


def _legend_strip(
    layout: _Layout,
    legend: Sequence[tuple[str, ArrayLike]],
    scales: Sequence[tuple[str, Scale]],
) -> Image.Image:
    """Swatches and names, in as many lines as they need; the scales have a line of their own."""
    _, draw = _new_strip(layout, 1)
    side = round(0.62 * layout.line)
    right = layout.width - layout.margin
    places = []
    x, line = layout.margin, 0
    for name, colour in legend:
        text = _cut(draw, name, layout.small, right - layout.margin - 2 * side)
        width = round(1.5 * side + draw.textlength(text, layout.small))
        if x + width > right and x > layout.margin:
            x, line = layout.margin, line + 1
        places.append((x, line, text, colour))
        x += width + 2 * layout.gap + side
    n_lines = (line + 1 if legend else 0) + len(scales)
    strip, draw = _new_strip(layout, n_lines * layout.line)
    for x, line, text, colour in places:
        middle = (line + 0.5) * layout.line
        fill = tuple(int(value) for value in np.asarray(colour))
        top = round(middle - side / 2)
        draw.rectangle((x, top, x + side - 1, top + side - 1), fill, HAIRLINE)
        draw.text((x + 1.5 * side, middle), text, INK, layout.small, anchor="lm")
    for line, (name, scale) in enumerate(scales, start=n_lines - len(scales)):
        _draw_scale(strip, layout, name, scale, round((line + 0.5) * layout.line))
    return strip


def _draw_scale(strip: Image.Image, layout: _Layout, name: str, scale: Scale, middle: int) -> None:
    """`0 [colours] 1  name`."""
    draw = ImageDraw.Draw(strip)
    height = round(0.62 * layout.line)
    width = min(7 * height, layout.cell)
    top, left = middle - height // 2, layout.margin
    draw.text((left, middle), "0", INK, layout.small, anchor="lm")
    left += round(draw.textlength("0 ", layout.small))
    colours = scale_colours(np.linspace(0, 1, width), scale)
    strip.paste(Image.fromarray(np.repeat(colours[np.newaxis], height, axis=0)), (left, top))
    draw.rectangle((left - 1, top - 1, left + width, top + height), None, HAIRLINE)
    left += width
    room = layout.width - layout.margin - left
    text = _cut(draw, f" 1   {name}", layout.small, room)
    draw.text((left, middle), text, INK, layout.small, anchor="lm")


def _stack(layout: _Layout, strips: Sequence[Image.Image]) -> NDArray[np.uint8]:
    height = 2 * layout.margin + sum(strip.height + layout.gap for strip in strips) - layout.gap
    sheet = Image.new("RGB", (layout.width, height), BACKGROUND)
    y = layout.margin
    for strip in strips:
        sheet.paste(strip, (0, y))
        y += strip.height + layout.gap
    return np.array(sheet, np.uint8)


def _cut(draw: ImageDraw.ImageDraw, text: str, font: _Font, width: float) -> str:
    """The text as one line, or as much of its beginning as fits, with dots."""
    text = printable(text)
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + ELLIPSIS, font) > width:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS
