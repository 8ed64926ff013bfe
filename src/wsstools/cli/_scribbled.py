"""The inputs of commands that learn from an image's own scribbles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wsstools.cli.options import StepOptions

if TYPE_CHECKING:
    from wsstools.running.join import Input

Scribbles = Annotated[
    str, typer.Argument(metavar="SCRIBBLES", help="Scribbles: folder or file of index PNGs.")
]


def scribbled_images(run: StepOptions, images: str, scribbles: str) -> list[Input]:
    """Images joined with their scribbles; those without a file of scribbles are left out."""
    from wsstools.formats import image_files, label_files
    from wsstools.running.join import Input

    return [
        Input("image", run.source(images, image_files.SUFFIXES, "image"), image_files.decode_image),
        Input(
            "scribbles",
            run.source(scribbles, label_files.SUFFIXES, "scribbles"),
            label_files.decode_labels,
            may_lack=True,
        ),
    ]
