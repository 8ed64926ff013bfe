"""`wss rf-predict`: the local annotator model."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from wsstools.commands._features import FeatureOptions
from wsstools.commands._options import Images, NClasses, Out, Seed, StepOptions, class_count


def rf_predict(
    images: Images,
    scribbles: Annotated[
        str, typer.Argument(metavar="SCRIBBLES", help="Scribbles: folder or file of index PNGs.")
    ],
    out: Out,
    run: StepOptions,
    learned: FeatureOptions,
    trees: Annotated[
        int, typer.Option("--trees", metavar="N", min=1, help="Trees of the forest.")
    ] = 50,
    features: Annotated[
        int,
        typer.Option("--features", metavar="N", min=1, help="Filters that the ranking keeps."),
    ] = 100,
    n_classes: NClasses = None,
    seed: Seed = 0,
) -> None:
    """Predict each image from its own scribbles with a random forest.

    The features of a pixel are the responses of a filter bank. A first forest on the scribbled
    pixels ranks them, a second one on the best gives the probabilities of all pixels, for the
    classes scribbled in that image. An image without scribbles is told of and skipped.

    \b
    Example:
      wss rf-predict images/ scribbles/ -o local/
    """
    from wsstools.io import imagefile, labelfile
    from wsstools.io.joined import Input
    from wsstools.io.steps import Step, run_step

    count = class_count(n_classes, scribbles)
    bank, shared = learned.bank()
    step = Step(
        "rf-predict",
        "prob",
        partial(
            _compute,
            bank=bank,
            n_classes=count,
            n_trees=trees,
            n_features=features,
        ),
        options={
            "filters": bank.name,
            "trees": trees,
            "features": features,
            "n_classes": count,
            "seed": seed,
        },
        seed=seed,
        shared=shared,
    )
    inputs = [
        Input(
            "image",
            run.source(images, imagefile.SUFFIXES, "image"),
            imagefile.decode_image,
        ),
        Input(
            "scribbles",
            run.source(scribbles, labelfile.SUFFIXES, "scribbles"),
            labelfile.decode_labels,
            may_lack=True,
        ),
    ]
    run_step(step, inputs, out, run.settings())


def _compute(image: Any, scribbles: Any, *, rng: Any, **options: Any) -> Any:
    from wsstools.core.forest import predict_from_scribbles
    from wsstools.io.steps import Computed

    return Computed(predict_from_scribbles(image, scribbles, rng=rng, **options))
