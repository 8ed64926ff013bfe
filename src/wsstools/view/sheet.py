"""Contact sheets: rows of pictures with titles, captions and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (255, 255, 255)
INK = (32, 33, 36)
FAINT_INK = (105, 108, 114)
HAIRLINE = (214, 216, 220)
ELLIPSIS = "..."


def contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8] | None]],
    *,
    titles: Sequence[str] = (),
    captions: Sequence[str | Sequence[str]] = (),
    legend: Sequence[tuple[str, ArrayLike]] = (),
    cell_width: int = 208,
) -> NDArray[np.uint8]:
    """Pictures side by side on white, (H, W, 3) uint8.

    Parameters
    ----------
    rows : sequence of sequences
        Each cell is a picture, (h, w, 3) uint8, or None for an empty place. Pictures are brought
        to `cell_width`; a row is as high as its highest picture. Rows may differ in length.
    titles : sequence of str
        One for each column, above the first row. Text that is too long for its place is cut.
    captions : sequence of str or of sequences of str
        One for each row, above it; an empty text takes no room. Several texts for a row stand
        above as many groups of columns.
    legend : sequence of (name, colour)
        Swatches below the last row; a colour is RGB in 0..255.
    cell_width : int, pixels
        Width of a column; the text grows with it.

    Raises
    ------
    ValueError
        If there is no row, a cell is not (h, w, 3) uint8, or there are more titles than columns
        or more captions than rows.

    Examples
    --------
    >>> grey = np.full((10, 20, 3), 128, np.uint8)
    >>> contact_sheet([[grey, grey]], titles=["image", "labels"], cell_width=100).shape[2]
    3
    """
    n_columns = max((len(row) for row in rows), default=0)
    _check(rows, n_columns, titles, captions)
    layout = _Layout.of(cell_width, n_columns)
    cells = [[_fit(cell, cell_width) for cell in row] for row in rows]
    captions = [*captions, *[""] * (len(rows) - len(captions))]
    strips = [_titles_strip(layout, titles)] if any(titles) else []
    for row, caption in zip(cells, captions, strict=True):
        strips.append(_row_strip(layout, row, caption))
    if legend:
        strips.append(_legend_strip(layout, legend))
    return _stack(layout, strips)


@dataclass(frozen=True)
class _Layout:
    """Measures of a sheet, in pixels."""

    cell: int
    gap: int
    margin: int
    n_columns: int
    width: int
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    small: ImageFont.FreeTypeFont | ImageFont.ImageFont
    line: int

    @classmethod
    def of(cls, cell_width: int, n_columns: int) -> _Layout:
        size = float(np.clip(cell_width / 13, 11, 34))
        gap = max(round(size / 2), 4)
        margin = round(1.4 * size)
        return cls(
            cell=cell_width,
            gap=gap,
            margin=margin,
            n_columns=n_columns,
            width=2 * margin + n_columns * (cell_width + gap) - gap,
            font=ImageFont.load_default(size),
            small=ImageFont.load_default(0.88 * size),
            line=round(1.5 * size),
        )

    def left(self, column: int) -> int:
        return self.margin + column * (self.cell + self.gap)


def _check(
    rows: Sequence[Sequence[NDArray | None]],
    n_columns: int,
    titles: Sequence[str],
    captions: Sequence[str | Sequence[str]],
) -> None:
    if n_columns == 0:
        raise ValueError("a contact sheet needs at least one picture")
    for cell in (cell for row in rows for cell in row if cell is not None):
        if cell.ndim != 3 or cell.shape[2] != 3 or cell.dtype != np.uint8 or 0 in cell.shape:
            raise ValueError(f"cell is {cell.dtype} {cell.shape}, expected uint8 (h, w, 3)")
    if len(titles) > n_columns:
        raise ValueError(f"{len(titles)} titles for {n_columns} columns")
    if len(captions) > len(rows):
        raise ValueError(f"{len(captions)} captions for {len(rows)} rows")


def _fit(cell: NDArray[np.uint8] | None, width: int) -> Image.Image | None:
    """The picture at that width; enlarging keeps pixels square, so that labels stay crisp."""
    if cell is None:
        return None
    height = max(round(cell.shape[0] * width / cell.shape[1]), 1)
    picture = Image.fromarray(np.ascontiguousarray(cell))
    if width == cell.shape[1]:
        return picture
    is_smaller = width < cell.shape[1]
    method = Image.Resampling.LANCZOS if is_smaller else Image.Resampling.NEAREST
    return picture.resize((width, height), method)


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


def _row_strip(
    layout: _Layout, cells: Sequence[Image.Image | None], caption: str | Sequence[str]
) -> Image.Image:
    texts = [caption] if isinstance(caption, str) else caption
    top = layout.line if any(texts) else 0
    strip, draw = _new_strip(layout, top + max((cell.height for cell in cells if cell), default=0))
    span = layout.n_columns // max(len(texts), 1)
    for group, caption_text in enumerate(texts):
        left = layout.left(group * span)
        width = layout.left((group + 1) * span) - layout.gap - left
        text = _cut(draw, caption_text, layout.small, width)
        draw.text((left, top / 2), text, FAINT_INK, layout.small, anchor="lm")
    for column, cell in enumerate(cells):
        if cell is not None:
            strip.paste(cell, (layout.left(column), top))
    return strip


def _legend_strip(layout: _Layout, legend: Sequence[tuple[str, ArrayLike]]) -> Image.Image:
    """Swatches and names, in as many lines as they need."""
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
    strip, draw = _new_strip(layout, (line + 1) * layout.line)
    for x, line, text, colour in places:
        middle = (line + 0.5) * layout.line
        fill = tuple(int(value) for value in np.asarray(colour))
        top = round(middle - side / 2)
        draw.rectangle((x, top, x + side - 1, top + side - 1), fill, HAIRLINE)
        draw.text((x + 1.5 * side, middle), text, INK, layout.small, anchor="lm")
    return strip


def _stack(layout: _Layout, strips: Sequence[Image.Image]) -> NDArray[np.uint8]:
    height = 2 * layout.margin + sum(strip.height + layout.gap for strip in strips) - layout.gap
    sheet = Image.new("RGB", (layout.width, height), BACKGROUND)
    y = layout.margin
    for strip in strips:
        sheet.paste(strip, (0, y))
        y += strip.height + layout.gap
    return np.asarray(sheet).copy()


def _cut(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: float,
) -> str:
    """The text, or as much of its beginning as fits, with dots."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + ELLIPSIS, font) > width:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS
