"""`wss demo`: the way from strokes to labels, on photographs."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to; made if missing.")
    ] = "demo",
) -> None:
    """Make labels from strokes on six photographs, to see that all steps work.

    Prints each command and runs it: strokes to scribbles, a random forest per image, the Potts
    model, labels, a contact sheet, and a network, which is trained for a few iterations only.
    Nothing is downloaded; it takes about a minute. Fails where a step fails, or where the labels
    contradict the strokes. The path of the contact sheet is printed at the end.

    \b
    Example:
      wss demo
    """
    from wsstools.steps.demo import demo

    print(demo(out))
