"""`wss demo-data`: a small data set to try everything on."""

from __future__ import annotations

from typing import Annotated

import typer

from wsstools.cli.options import Out, Seed
from wsstools.running.settings import Selection


def demo_data(
    out: Out,
    n_train: Annotated[
        int, typer.Option("--train", metavar="N", min=1, help="Scenes to train on.")
    ] = 48,
    n_val: Annotated[
        int, typer.Option("--val", metavar="N", min=1, help="Scenes to test on.")
    ] = 24,
    photos: Annotated[
        bool,
        typer.Option(
            "--photos",
            help="Write the six photographs that scikit-image and "
            "scikit-learn ship instead: images only.",
        ),
    ] = False,
    seed: Seed = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder that holds other data.")
    ] = False,
) -> None:
    """Draw small textured scenes with ground truth and scribbles.

    The folder gets images/, gt/, scribbles/ (of the training scenes), classes.txt, train.txt and
    val.txt: the layout that the examples take. Nothing is downloaded.

    \b
    Example:
      wss demo-data -o data/
    """
    from wsstools.steps.demo_data import demo_data, demo_photos, print_path

    if photos:
        demo_photos(out)
    else:
        demo_data(out, n_train=n_train, n_val=n_val, seed=seed, overwrite=overwrite)
    print_path(out, Selection(prints_paths=True))
