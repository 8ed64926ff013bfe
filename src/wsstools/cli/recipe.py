"""`wss recipe`: where the recommended recipe is."""

from __future__ import annotations


def recipe() -> None:
    """Print the path of the recommended recipe, a Makefile for GNU make.

    From images and strokes alone it makes labels, a contact sheet to look at, and the network that
    learned from them, by the commands of wss; ground truth is not needed. What an interrupted run
    has made stays. `make -f "$(wss recipe)" help` lists the targets, such as first, which shows
    labels of a few images within minutes.

    \b
    Examples:
      make -f "$(wss recipe)" IMAGES=images SCRIBBLES=scribbles first
      make -f "$(wss recipe)" IMAGES=images SCRIBBLES=scribbles
    """
    from wsstools.steps.recipe import recipe

    print(recipe())
