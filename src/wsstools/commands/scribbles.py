"""`wss scribbles`: strokes as polylines become scribble pictures."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from wsstools.commands._options import Out, StepOptions


def scribbles(
    source: Annotated[
        str,
        typer.Argument(
            metavar="STROKES",
            help="Folder of .txt files, one per image; a stroke is a line "
            "class,x,y,x,y,... in pixels.",
        ),
    ],
    out: Out,
    run: StepOptions,
    images: Annotated[
        str, typer.Option("--images", metavar="DIR", help="The images, which give the sizes.")
    ],
    width: Annotated[
        float, typer.Option("--width", metavar="PIXELS", min=1.0, help="Width of the brush.")
    ] = 3.0,
) -> None:
    """Draw strokes as scribbles, the index PNGs that the other steps read.

    A stroke is an open polyline; one with a single point is a dot. Later strokes cover earlier
    ones, what lies outside the image is cut off. Lines that start with # are comments.

    \b
    Example:
      wss scribbles strokes/ --images images/ -o scribbles/
    """
    from wsstools.io import imagefile
    from wsstools.io.joined import Input
    from wsstools.io.steps import Step, run_step
    from wsstools.io.textfile import decode_text

    step = Step("scribbles", "scribbles", partial(_compute, width=width), options={"width": width})
    inputs = [
        Input("strokes", run.source(source, (".txt",), "strokes"), decode_text),
        Input("image", run.source(images, imagefile.SUFFIXES, "image"), imagefile.decode_image),
    ]
    run_step(step, inputs, out, run.settings())


def _compute(text: str, image: Any, *, width: float) -> Any:
    from wsstools.core.strokes import draw_strokes, parse_strokes
    from wsstools.io.steps import Computed

    return Computed(draw_strokes(parse_strokes(text), image.shape[:2], width=width))
