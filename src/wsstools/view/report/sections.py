"""What a section of the page holds; its template, named like its anchor, lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsstools.view.figures.drawing import Drawing


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading.

    Attributes
    ----------
    anchor : str
        Its `id`, and the name of its template.
    heading : str
    content : object
        What the template shows; something empty if there is nothing to show.
    missing : sequence of str
        What is left out, and why.
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
