"""`wss suggest`: where to draw the next strokes."""

from __future__ import annotations

from typing import Annotated, List, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, AsJson
from wsstools.core.evaluation.settings import FIGURE_FORMATS
from wsstools.core.parameter import parameter
from wsstools.core.scribbles.settings import SuggestionSettings
from wsstools.running.settings import RunSettings


def suggest(
    maps: Annotated[
        List[str],
        typer.Argument(metavar="MAPS...", help=f"Maps of one or several models: {FOLDER_HELP}."),
    ],
    run: RunSettings,
    settings: SuggestionSettings,
    scribbles: Optional[str] = parameter(
        None, "What is drawn already; no place is near it.", metavar="DIR"
    ),
    images: Optional[str] = parameter(None, "The images, for --sheet.", metavar="DIR"),
    sheet: Optional[str] = parameter(
        None, "Draw the places into this PNG file, best first.", metavar="FILE"
    ),
    top: int = parameter(20, "Print so many places, best first; 0: all.", metavar="N", min=0),
    form: str = parameter(
        "table",
        "table, csv, json, or names: of the images, one a line, as --ids takes them.",
        "--format",
        metavar="FORM",
        choices=(*FIGURE_FORMATS, "names"),
    ),
    as_json: AsJson = False,
) -> None:
    """List the places where the next strokes help most, best first.

    A pixel is probably wrong where the mean of the maps is unsure, as it is where sure models
    contradict each other: give the maps of a local model and of a network, or a map before and
    after regularize. The gain of a place is the share of the image that is probably wrong around
    it, so that large regions come before thin borders. Each line has the pixel to draw through, a
    box of two reaches around it, and the two likeliest classes there: whoever draws decides. A
    class that has no stroke in the image yet is marked. Places near strokes are left out: draw, run
    the models again, and ask again.

    \b
    Examples:
      wss suggest local/ global/ --scribbles scribbles/
      wss suggest local/ global/ --scribbles scribbles/ --images images/ --sheet next.png
      wss suggest local/ --format names --top 50 > next.txt
    """
    from wsstools.steps.suggest import suggest

    suggest(
        maps,
        images=images,
        scribbles=scribbles,
        settings=settings,
        top=top,
        sheet=sheet,
        form="json" if as_json else form,
        run=run,
    )
