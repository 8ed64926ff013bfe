"""`wss local-predict`: local models other than the random forest."""

from __future__ import annotations

from dataclasses import MISSING

from wsstools.cli.options import Folds, Images, NClasses, Out, Scribbles, Seed
from wsstools.core.local.settings import (
    BoostingSettings,
    FeatureSettings,
    LinearSettings,
    MixtureSettings,
    ParzenSettings,
    WalkerSettings,
)
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def local_predict(
    images: Images,
    scribbles: Scribbles,
    out: Out,
    run: RunSettings,
    features: FeatureSettings,
    walker: WalkerSettings,
    boosting: BoostingSettings,
    linear: LinearSettings,
    mixtures: MixtureSettings,
    densities: ParzenSettings,
    model: str = parameter(
        MISSING,
        "Which model.",
        metavar="boosting|gmm|linear|parzen|walker",
        choices=("boosting", "gmm", "linear", "parzen", "walker"),
    ),
    folds: Folds = None,
    seed: Seed = 0,
    n_classes: NClasses = None,
) -> None:
    """Predict each image from its own scribbles by other models than the forest.

    Other local models than the random forest of rf-predict, for the same steps: their errors
    differ. boosting (gradient boosting on the filters' responses) predicts every pixel by itself,
    as the forest does. linear (logistic regression on the features of the network that was trained
    on all strokes, --features-of) adapts what that network has learned to the image. walker (random
    walks on the image's colours) uses no filters: a pixel gets the class whose strokes a walk from
    it meets first, so that regions are whole and borders follow edges, but a region without a
    stroke gets the classes around it. Above a million pixels it works on a reduced image. gmm (a
    mixture of Gaussians of each class's colours) and parzen (densities of colours that count
    strokes nearby more) compare colours alone, as interactive segmentation does: regularize what
    they give.

    --folds K is that of wss rf-predict. The network of linear has learned from all strokes, which
    its held-out predictions do not undo.

    \b
    Example:
      wss local-predict images/ scribbles/ --model walker -o walked/
      wss local-predict images/ scribbles/ --model linear --features-of baseline.pt -o linear/
      wss fuse local/ walked/ linear/ -o fused/

    References: L. Grady, Random Walks for Image Segmentation, 2006; J. H. Friedman, Greedy
    Function Approximation: A Gradient Boosting Machine, 2001; G. Ke et al., LightGBM, 2017; C.
    Rother et al., GrabCut, 2004; C. Nieuwenhuis and D. Cremers, Spatially Varying Color
    Distributions, 2013.
    """
    from wsstools.steps.local_predict import local_predict

    local_predict(
        images,
        scribbles,
        out,
        model=model,
        walker=walker,
        boosting=boosting,
        linear=linear,
        mixtures=mixtures,
        densities=densities,
        features=features,
        folds=folds,
        n_classes=n_classes,
        seed=seed,
        run=run,
    )
