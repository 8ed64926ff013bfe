"""`wss rf-predict`: the local annotator model."""

from __future__ import annotations

from wsstools.cli.options import Folds, Images, NClasses, Out, Scribbles, Seed
from wsstools.core.local.settings import FeatureSettings, ForestSettings
from wsstools.running.settings import RunSettings


def rf_predict(
    images: Images,
    scribbles: Scribbles,
    out: Out,
    run: RunSettings,
    features: FeatureSettings,
    forest: ForestSettings,
    folds: Folds = None,
    n_classes: NClasses = None,
    seed: Seed = 0,
) -> None:
    """Predict each image from its own scribbles with a random forest.

    The features of a pixel are the responses of a filter bank. A first forest on the scribbled
    pixels ranks them, a second one on the best gives the probabilities of all pixels, for the
    classes scribbled in that image. An image without scribbles is reported and skipped.

    With --folds K every pixel is predicted by one of K forests: the one that did not learn from the
    stroke nearest to the pixel. Such maps show how good labels are and which strokes may be wrong
    (wss score --scribbles, wss suspects); to train on, take maps without it.

    \b
    Examples:
      wss rf-predict images/ scribbles/ -o local/
      wss rf-predict images/ scribbles/ --folds 4 -o held-out/
    """
    from wsstools.steps.rf_predict import rf_predict

    rf_predict(
        images,
        scribbles,
        out,
        forest=forest,
        features=features,
        folds=folds,
        n_classes=n_classes,
        seed=seed,
        run=run,
    )
