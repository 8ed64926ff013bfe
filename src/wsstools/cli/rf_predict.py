"""`wss rf-predict`: the local annotator model."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from wsstools.cli._features import FeatureOptions
from wsstools.cli._scribbled import Scribbles, scribbled_images
from wsstools.cli.options import Images, NClasses, Out, Seed, StepOptions, class_count


def rf_predict(
    images: Images,
    scribbles: Scribbles,
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
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="compiled|sklearn",
            help="What grows the trees: wsstools itself, or scikit-learn (the reference, slower).",
        ),
    ] = "compiled",
    out_of_bag: Annotated[
        bool,
        typer.Option(
            "--out-of-bag",
            help="Scribbled pixels are predicted by the trees that were grown without them.",
        ),
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Temper the probabilities: as sure as predictions of held-out strokes are right.",
        ),
    ] = False,
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
    from wsstools.core.local.forest import ENGINES, ForestSettings
    from wsstools.errors import UsageError
    from wsstools.running.step import Step, run_step

    count = class_count(n_classes, scribbles)
    bank, shared = learned.bank()
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: expected {' or '.join(ENGINES)}")
    settings = ForestSettings(trees, features, engine, out_of_bag, calibrate)
    step = Step(
        "rf-predict",
        "prob",
        partial(_compute, bank=bank, n_classes=count, settings=settings),
        options={
            "filters": bank.name,
            **learned.record(),
            "trees": trees,
            "features": features,
            "engine": engine,
            "out_of_bag": out_of_bag,
            "calibrate": calibrate,
            "n_classes": count,
            "seed": seed,
        },
        seed=seed,
        shared=shared,
    )
    run_step(step, scribbled_images(run, images, scribbles), out, run.settings())


def _compute(image: Any, scribbles: Any, *, rng: Any, **options: Any) -> Any:
    from wsstools.core.local.forest import predict_from_scribbles
    from wsstools.running.step import Computed

    return Computed(*predict_from_scribbles(image, scribbles, rng=rng, **options))
