"""Local models other than the random forest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.scribbled import ScribbledPixels, scribbled_pixels
from wsstools.core.local.settings import (
    BoostingSettings,
    FeatureSettings,
    LinearSettings,
    MixtureSettings,
    ParzenSettings,
    WalkerSettings,
)
from wsstools.core.maps import ProbabilityMap
from wsstools.core.parameter import option_name
from wsstools.core.scribbles.folds import held_out
from wsstools.errors import UsageError
from wsstools.files.provenance import Json
from wsstools.formats.label_files import class_count
from wsstools.running.settings import RunSettings
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.held_out import fold_options
from wsstools.steps.inputs import local_inputs

if TYPE_CHECKING:
    from wsstools.core.local.features import NetworkFeatures

MODELS = ("boosting", "gmm", "linear", "parzen", "walker")
_MAY_BE_ZERO = ("beta", "l2")
_OF_CHANCE = ("boosting", "gmm")
_Settings = WalkerSettings | BoostingSettings | LinearSettings | MixtureSettings | ParzenSettings


def local_predict(
    images: str,
    scribbles: str,
    out: str | Path,
    *,
    model: str,
    walker: WalkerSettings = WalkerSettings(),
    boosting: BoostingSettings = BoostingSettings(),
    linear: LinearSettings = LinearSettings(),
    mixtures: MixtureSettings = MixtureSettings(),
    densities: ParzenSettings = ParzenSettings(),
    features: FeatureSettings = FeatureSettings(),
    folds: int | None = None,
    n_classes: int | None = None,
    seed: int = 0,
    run: RunSettings = RunSettings(),
) -> None:
    """Write the maps of a model per image, trained on the image's own scribbles.

    Parameters
    ----------
    images, scribbles : str
        Folders, files, or one of them `-`. Images without scribbles are skipped.
    out : str or Path
        Folder of the maps; made if missing.
    model : str
        One of MODELS.
    walker : WalkerSettings
        Of the random walker, which has no features and leaves nothing to chance.
    boosting : BoostingSettings
        Of gradient boosting.
    linear : LinearSettings
        Of logistic regression, which leaves nothing to chance.
    mixtures : MixtureSettings
        Of the mixtures of Gaussians (gmm), which have no features.
    densities : ParzenSettings
        Of the densities of colours (parzen), which have none either and leave nothing to chance.
    features : FeatureSettings
        What boosting learns from, and the linear model: `features_of`, a network.
    folds : int or None
        Predict each stroke by models that did not learn from it, of so many; None: do not.
    n_classes : int or None
        Number of classes; None: the lines of classes.txt in or beside `scribbles`.
    seed : int
        Of boosting and gmm: the generator of an image follows from (seed, stem).
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If an option is out of range or belongs to another model, or `out` holds outputs of
        another run.
    SomeFailed
        If an image failed; the others are done.
    """
    if model not in MODELS:
        hint = "; wss rf-predict is the random forest" if model in ("rf", "forest") else ""
        raise UsageError(f"--model {model}: expected one of {', '.join(MODELS)}{hint}")
    of_models: dict[str, _Settings] = {
        "boosting": boosting,
        "gmm": mixtures,
        "linear": linear,
        "parzen": densities,
        "walker": walker,
    }
    settings = of_models.pop(model)
    _check_numbers(settings)
    for others in of_models.values():
        _refuse_changed(others, f"to --model {model}")
    if model in _OF_COLOURS:
        _refuse_changed(features, f"to --model {model}, which has no features")
    if model == "linear":
        if features.features_of is None:
            raise UsageError("--model linear: give --features-of, a network's model file")
        alone = dataclasses.replace(features, features_of=None)
        _refuse_changed(alone, "to --model linear, which has a network's features")
    if model not in _OF_CHANCE and seed:
        raise UsageError(f"--seed does not belong to --model {model}")
    inputs = local_inputs(images, scribbles, run, "local-predict", n_classes)
    count = class_count(n_classes, scribbles)
    options = {"model": model, **dataclasses.asdict(settings), "n_classes": count}
    options |= fold_options(folds)
    check = partial(scribbled_pixels, n_classes=count)
    if model == "linear":
        compute = partial(_regress, n_classes=count, settings=linear, folds=folds)
        step = _linear_step(options, check, str(features.features_of), compute)
    elif model == "boosting":
        from wsstools.core.local.boosting import gradient_boosting  # noqa: PLC0415 - scikit-learn
        from wsstools.steps.pixel_features import on_features  # noqa: PLC0415 - numba

        compute = partial(
            on_features,
            model=partial(gradient_boosting, settings=boosting),
            n_classes=count,
            folds=folds,
        )
        step = _boosting_step(options, check, features, compute, seed)
    else:
        of_colours = partial(_OF_COLOURS[model], n_classes=count, settings=settings, folds=folds)
        step = Step("local-predict", options, compute=of_colours, check=check)
        if model in _OF_CHANCE:
            options["seed"] = seed
            step = dataclasses.replace(
                step, options=options, seed=seed, depends_on_processor=True
            )  # scikit-learn's last bits do
    run_step(step, inputs, out, run)


def _linear_step(
    options: dict[str, Json],
    check: Callable[..., object],
    model_file: str,
    compute: Callable[..., ProbabilityMap],
) -> Step:
    from wsstools.steps.network_features import network_file  # noqa: PLC0415 - torch

    network, record = network_file(model_file)
    return Step(
        "local-predict",
        options,
        compute=partial(compute, network=network),
        check=check,
        shared=[record],
        depends_on_processor=True,
    )


def _boosting_step(
    options: dict[str, Json],
    check: Callable[..., object],
    features: FeatureSettings,
    compute: Callable[..., ProbabilityMap],
    seed: int,
) -> Step:
    from wsstools.steps.pixel_features import pixel_features  # noqa: PLC0415 - numba

    source = pixel_features(features, "local-predict")
    return Step(
        "local-predict",
        {**source.options, **options, "seed": seed},
        revision=2,
        removed={"smooth": 0},
        compute=partial(compute, features=source),
        check=check,
        seed=seed,
        shared=source.inputs,
        depends_on_processor=source.network is not None,
    )


def _check_numbers(settings: _Settings) -> None:
    for name, value in dataclasses.asdict(settings).items():
        is_good = 0 < value < float("inf") or (value == 0 and name in _MAY_BE_ZERO)
        if isinstance(value, float) and not is_good:
            wanted = "0 or more" if name in _MAY_BE_ZERO else "above 0"
            raise UsageError(f"--{name.replace('_', '-')} {value:g}: expected a number {wanted}")


def _refuse_changed(settings: _Settings | FeatureSettings, belonging: str) -> None:
    """Refuse settings that the chosen model does not have, unless they are the defaults."""
    for field in dataclasses.fields(settings):
        # The folder of weights can come from the environment; without filters it says nothing.
        if field.name != "weights_dir" and getattr(settings, field.name) != field.default:
            raise UsageError(f"{option_name(field.name)} does not belong {belonging}")


def _regress(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    *,
    network: Callable[[NDArray[np.uint8]], NetworkFeatures],
    n_classes: int,
    settings: LinearSettings,
    folds: int | None,
) -> ProbabilityMap:
    from wsstools.core.local.linear import linear_model  # noqa: PLC0415 - scikit-learn

    pixels = scribbled_pixels(image, scribbles, n_classes)
    if folds is None and len(pixels.classes) == 1:  # needs no network
        return pixels.certain()
    return held_out(pixels, folds, partial(linear_model, network(image), settings=settings))


def _walk(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    *,
    n_classes: int,
    settings: WalkerSettings,
    folds: int | None,
) -> Computed:
    from wsstools.core.local.random_walker import random_walker  # noqa: PLC0415 - scikit-image

    def walked(pixels: ScribbledPixels) -> ProbabilityMap:
        return random_walker(image, pixels.scribbles(), n_classes=n_classes, beta=settings.beta)

    found = held_out(scribbled_pixels(image, scribbles, n_classes), folds, walked)
    return Computed(found, found.info)


def _mix(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    *,
    n_classes: int,
    settings: MixtureSettings,
    folds: int | None,
    rng: np.random.Generator,
) -> ProbabilityMap:
    from wsstools.core.local.colours import gaussian_mixtures  # noqa: PLC0415 - SciPy

    model = partial(gaussian_mixtures, image, settings=settings, rng=rng)
    return held_out(scribbled_pixels(image, scribbles, n_classes), folds, model)


def _compare_colours(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    *,
    n_classes: int,
    settings: ParzenSettings,
    folds: int | None,
) -> ProbabilityMap:
    from wsstools.core.local.colours import parzen  # noqa: PLC0415 - SciPy

    model = partial(parzen, image, settings=settings)
    return held_out(scribbled_pixels(image, scribbles, n_classes), folds, model)


_OF_COLOURS: dict[str, Callable[..., Computed | ProbabilityMap]] = {
    "gmm": _mix,
    "parzen": _compare_colours,
    "walker": _walk,
}
