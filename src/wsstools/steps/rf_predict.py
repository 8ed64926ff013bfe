"""The local annotator model: a random forest per image."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from wsstools.core.local.forest import forest_on
from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.local.settings import ENGINES, FeatureSettings, ForestSettings
from wsstools.errors import UsageError
from wsstools.formats.label_files import class_count
from wsstools.running.settings import RunSettings
from wsstools.running.step import Step, run_step
from wsstools.steps.held_out import fold_options
from wsstools.steps.inputs import local_inputs
from wsstools.steps.pixel_features import on_features, pixel_features

REMOVED = {"smooth": 0, "out_of_bag": False, "calibrate": False}
"""Options that the step had, and their defaults."""


def rf_predict(
    images: str,
    scribbles: str,
    out: str | Path,
    *,
    forest: ForestSettings = ForestSettings(),
    features: FeatureSettings = FeatureSettings(),
    folds: int | None = None,
    n_classes: int | None = None,
    seed: int = 0,
    run: RunSettings = RunSettings(),
) -> None:
    """Write the maps of a random forest per image, trained on the image's own scribbles.

    Parameters
    ----------
    images, scribbles : str
        Folders, files, or one of them `-`. Images without scribbles are skipped.
    out : str or Path
        Folder of the maps; made if missing.
    forest : ForestSettings
        How each forest is trained.
    features : FeatureSettings
        What it learns from.
    folds : int or None
        Predict each stroke by forests that did not learn from it, of so many; None: do not.
    n_classes : int or None
        Number of classes; None: the lines of classes.txt in or beside `scribbles`.
    seed : int
        The generator of an image follows from (seed, stem).
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If an option is out of range, or `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    inputs = local_inputs(images, scribbles, run, "rf-predict", n_classes)
    count = class_count(n_classes, scribbles)
    source = pixel_features(features, "rf-predict")
    if forest.engine not in ENGINES:
        raise UsageError(f"--engine {forest.engine}: expected {' or '.join(ENGINES)}")
    step = Step(
        "rf-predict",
        {
            **source.options,
            **dataclasses.asdict(forest),
            "n_classes": count,
            "seed": seed,
            **fold_options(folds),
        },
        revision=2,
        removed=REMOVED,
        compute=partial(
            on_features,
            model=partial(forest_on, settings=forest),
            features=source,
            n_classes=count,
            folds=folds,
        ),
        check=partial(scribbled_pixels, n_classes=count),
        seed=seed,
        shared=source.inputs,
        depends_on_processor=source.network is not None,
    )
    run_step(step, inputs, out, run)
