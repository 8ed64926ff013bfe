"""`wss demo-data`: a small data set to try everything on."""

from __future__ import annotations

from wsstools.cli.options import Out, Seed
from wsstools.core.parameter import parameter
from wsstools.running.settings import Selection


def demo_data(
    out: Out,
    n_train: int = parameter(48, "Scenes to train on.", metavar="N", min=1),
    n_val: int = parameter(24, "Scenes to test on.", metavar="N", min=1),
    photos: bool = parameter(
        False,
        "Write the six photographs that scikit-image and scikit-learn ship instead: images only.",
    ),
    seed: Seed = 0,
    overwrite: bool = parameter(False, "Write into a folder that holds other data."),
) -> None:
    """Draw small textured scenes with ground truth and scribbles.

    The folder gets images/, gt/, scribbles/ (of the training scenes), classes.txt, train.txt and
    val.txt: the layout that the examples take. Nothing is downloaded.

    \b
    Example:
      wss demo-data --n-train 4 --n-val 2 -o data/
    """
    from wsstools.steps.demo_data import demo_data, demo_photos, print_path

    if photos:
        demo_photos(out, overwrite=overwrite)
    else:
        demo_data(out, n_train=n_train, n_val=n_val, seed=seed, overwrite=overwrite)
    print_path(out, Selection(prints_paths=True))
