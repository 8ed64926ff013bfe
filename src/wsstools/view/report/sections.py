"""What a section of the page holds; its template, named like its anchor, lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsstools.view.figures.drawing import Drawing


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading.

    The anchor is its `id` and the name of its template; `content` is what the template shows,
    something empty if there is nothing; `missing` says what is left out, and why.
    """

    anchor: str
    heading: str
    content: object = None
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption."""

    drawing: Drawing
    caption: str
