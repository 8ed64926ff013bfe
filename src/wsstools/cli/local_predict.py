"""`wss local-predict`: local models other than the random forest."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Annotated, Any, Optional

import typer

from wsstools.cli._features import FeatureOptions
from wsstools.cli._scribbled import Scribbles, scribbled_images
from wsstools.cli.options import Images, NClasses, Out, StepOptions, class_count

MODELS: dict[str, dict[str, Any]] = {
    "boosting": {"rounds": 30, "learning_rate": 0.1, "leaves": 15, "l2": 10.0, "seed": 0},
    "walker": {"beta": 1000.0},
}
"""The models' own options, and their defaults."""
_MAY_BE_ZERO = ("beta", "l2")


def _own(name: str, help_text: str, least: int | None = None) -> Any:
    model = next(model for model, defaults in MODELS.items() if name in defaults)
    default = MODELS[model][name]
    return typer.Option(
        "--" + name.replace("_", "-"),
        metavar="N" if isinstance(default, int) else "X",
        help=f"{model.capitalize()}: {help_text} Default: {default:g}.",
        show_default=False,
        min=least,
    )


def local_predict(
    images: Images,
    scribbles: Scribbles,
    out: Out,
    model: Annotated[str, typer.Option("--model", metavar="boosting|walker", help="Which model.")],
    run: StepOptions,
    learned: FeatureOptions,
    beta: Annotated[
        Optional[float],
        _own("beta", "how hard edges of the image are to cross; larger crosses less."),
    ] = None,
    rounds: Annotated[
        Optional[int], _own("rounds", "trees of each class; more is surer and slower.", least=1)
    ] = None,
    learning_rate: Annotated[
        Optional[float], _own("learning_rate", "share of a tree's correction that is made.")
    ] = None,
    leaves: Annotated[
        Optional[int],
        _own("leaves", "most leaves of a tree; more follows the scribbles closer.", least=2),
    ] = None,
    l2: Annotated[
        Optional[float],
        _own("l2", "weight of the leaves' squares; larger is less sure, rare classes shrink."),
    ] = None,
    seed: Annotated[Optional[int], _own("seed", "seed of the features' choice.", least=0)] = None,
    n_classes: NClasses = None,
) -> None:
    """Predict each image from its own scribbles by boosting or random walks.

    Other local models than the random forest of rf-predict, for the same steps: they err in other
    ways. boosting (gradient boosting on the filters' responses) takes every pixel by itself, as
    the forest does. walker (random walks on the image's colours) knows no filters: a pixel takes
    the class whose strokes a walk from it meets first, so that regions are whole and borders
    follow edges, but a region without a stroke is lost to its neighbours. Above a million pixels
    it works on a reduced image.

    \b
    Example:
      wss local-predict images/ scribbles/ --model walker -o walked/
      wss fuse local/ walked/ -o fused/

    References: L. Grady, Random Walks for Image Segmentation, 2006; J. H. Friedman, Greedy
    Function Approximation: A Gradient Boosting Machine, 2001; G. Ke et al., LightGBM, 2017.
    """
    from wsstools.running.step import Step, run_step

    given = {
        "beta": beta,
        "rounds": rounds,
        "learning_rate": learning_rate,
        "leaves": leaves,
        "l2": l2,
        "seed": seed,
    }
    parameters = _parameters(model, given)
    if model == "walker":
        _refuse_features(learned)
    count = class_count(n_classes, scribbles)
    options = {"model": model, **parameters, "n_classes": count}
    if model == "walker":
        step = Step("local-predict", "prob", partial(_walk, n_classes=count, **parameters), options)
    else:
        bank, records = learned.bank()
        seed = parameters.pop("seed")
        step = Step(
            "local-predict",
            "prob",
            partial(_boost, bank=bank, n_classes=count, **parameters),
            {"filters": bank.name, **learned.record(), **options},
            seed=seed,
            shared=records,
        )
    run_step(step, scribbled_images(run, images, scribbles), out, run.settings())


def _parameters(model: str, given: dict[str, Any]) -> dict[str, Any]:
    """The model's own options, as given or by default; those of the other model are refused."""
    from wsstools.errors import UsageError

    if model not in MODELS:
        hint = "; wss rf-predict is the random forest" if model in ("rf", "forest") else ""
        raise UsageError(f"--model {model}: expected {' or '.join(MODELS)}{hint}")
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        option = "--" + name.replace("_", "-")
        if name not in MODELS[model]:
            raise UsageError(f"{option} does not belong to --model {model}")
        if isinstance(value, float) and not (
            0 < value < float("inf") or (value == 0 and name in _MAY_BE_ZERO)
        ):
            wanted = "0 or more" if name in _MAY_BE_ZERO else "above 0"
            raise UsageError(f"{option} {value:g}: expected a number {wanted}")
    return {**MODELS[model], **chosen}


def _refuse_features(learned: FeatureOptions) -> None:
    """The walker sees the image's own colours."""
    from wsstools.errors import UsageError

    for field in dataclasses.fields(FeatureOptions):
        # The folder of weights can come from the environment; without filters it says nothing.
        if field.name != "weights_dir" and getattr(learned, field.name) != field.default:
            option = "--" + field.name.replace("_", "-")
            raise UsageError(f"{option} does not belong to --model walker, which has no features")


def _walk(image: Any, scribbles: Any, **options: Any) -> Any:
    from wsstools.core.local.random_walker import walk_from_scribbles
    from wsstools.running.step import Computed

    return Computed(*walk_from_scribbles(image, scribbles, **options))


def _boost(
    image: Any,
    scribbles: Any,
    *,
    bank: Any,
    n_classes: int,
    rng: Any,
    rounds: int,
    learning_rate: float,
    leaves: int,
    l2: float,
) -> Any:
    from wsstools.core.local.boosting import BoostingSettings, boost_from_scribbles
    from wsstools.running.step import Computed

    settings = BoostingSettings(rounds, learning_rate, leaves, l2)
    return Computed(
        boost_from_scribbles(
            image, scribbles, bank=bank, n_classes=n_classes, settings=settings, rng=rng
        )
    )
