"""Where the recommended recipe is, a Makefile."""

from __future__ import annotations

from pathlib import Path


def recipe() -> Path:
    """The path of the Makefile that leads from images and strokes to labels and a network."""
    return Path(__file__).with_name("recipe.mk")
