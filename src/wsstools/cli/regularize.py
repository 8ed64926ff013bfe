"""`wss regularize`: smooth maps along the edges of the image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, Optional

import typer

from wsstools.cli._regularizers import (
    DEFAULTS,
    MethodOptions,
    Regularizer,
    check_given,
    parameter_option,
    read_regularizer,
)
from wsstools.cli.options import ImagesOption, Maps, Out, StepOptions


@dataclass(frozen=True)
class ParameterOptions:
    """One value for each parameter that `wss tune` searches."""

    lambda_: Annotated[Optional[float], parameter_option("lambda")] = None
    eta: Annotated[Optional[float], parameter_option("eta")] = None
    w1: Annotated[Optional[float], parameter_option("w1")] = None
    sigma_alpha: Annotated[Optional[float], parameter_option("sigma_alpha")] = None
    sigma_beta: Annotated[Optional[float], parameter_option("sigma_beta")] = None
    w2: Annotated[Optional[float], parameter_option("w2")] = None
    sigma_gamma: Annotated[Optional[float], parameter_option("sigma_gamma")] = None
    iterations: Annotated[Optional[int], parameter_option("iterations")] = None

    def given(self) -> dict[str, Any]:
        """The parameters that were given here."""
        return {
            field.name.rstrip("_"): value
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }


def regularize(
    maps: Maps,
    out: Out,
    method: MethodOptions,
    parameters: ParameterOptions,
    run: StepOptions,
    images: ImagesOption = None,
    params: Annotated[
        Optional[str],
        typer.Option(
            "--params",
            metavar="FILE",
            help="Method and parameters as wss tune wrote them; options given beside it win.",
        ),
    ] = None,
) -> None:
    """Smooth maps along the edges of the image, by a Potts model or a fully connected CRF.

    --potts minimises sum <-log P, M> + lambda sum g |grad M| over soft segmentations M, with
    g = exp(-eta |grad I|), to a stated duality gap; the record of each map holds it. The paper
    takes lambda 10 for local and combined maps, 50 for global ones. --crf is mean-field
    inference over the classes that the map holds, by our own compiled code or, to compare, by
    pydensecrf. wss tune finds parameters for other data.

    \b
    Examples:
      wss regularize --potts --images images/ local/ -o local-potts/
      wss regularize --crf --images images/ combined/ -o combined-crf/
      wss regularize --params tuned/params.json --images images/ local/ -o local-tuned/
    """
    from wsstools.errors import UsageError
    from wsstools.formats import image_files, map_files
    from wsstools.running.join import Input
    from wsstools.running.step import Step, run_step

    regularizer = _chosen(method, params, {**method.given(), **parameters.given()})
    if images is None:
        raise UsageError("give the images of the maps: --images DIR")
    step = Step("regularize", "soft", regularizer, options=regularizer.options())
    inputs = [
        Input("map", run.source(maps, map_files.SUFFIXES, "map"), map_files.decode_map),
        Input("image", run.source(images, image_files.SUFFIXES, "image"), image_files.decode_image),
    ]
    run_step(step, inputs, out, run.settings())


def _chosen(options: MethodOptions, params: str | None, given: dict[str, Any]) -> Regularizer:
    """The method with its parameters: those given, those of the file, those of the paper."""
    from wsstools.errors import UsageError

    method = options.method()
    if params is None:
        if method is None:
            raise UsageError("give one of --potts and --crf, or --params FILE")
        return Regularizer(method, {**DEFAULTS[method], **check_given(method, given)})
    tuned = read_regularizer(params)
    if method not in (None, tuned.method):
        raise UsageError(f"--{method}: {params} holds parameters of {tuned.method}")
    return Regularizer(tuned.method, {**tuned.parameters, **check_given(tuned.method, given)})
