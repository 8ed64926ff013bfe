"""`wss regularize`: smooth maps along the edges of the image."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Optional

import typer

from wsstools.commands._options import ImagesOption, Maps, Out, StepOptions

POTTS = {"lambda": 10.0, "eta": 0.01, "tol": 1e-3, "max_iterations": 5000}
CRF = {
    "w1": 3.0,
    "sigma_alpha": 30.0,
    "sigma_beta": 5.0,
    "w2": 5.0,
    "sigma_gamma": 2.0,
    "iterations": 10,
}
"""The paper's parameters (its tolerance and numbers of iterations are ours)."""
_ITERATIONS = ("max_iterations", "iterations")


def _number(name: str, help_text: str) -> Any:
    default = {**POTTS, **CRF}[name]
    method = "Potts" if name in POTTS else "CRF"
    option = "--" + name.replace("_", "-")
    text = f"{method}: {help_text} Default: {default:g}."
    return typer.Option(option, metavar="N" if name in _ITERATIONS else "X", help=text)


def regularize(
    maps: Maps,
    out: Out,
    run: StepOptions,
    images: ImagesOption = None,
    potts: Annotated[bool, typer.Option("--potts", help="Potts model (total variation).")] = False,
    crf: Annotated[bool, typer.Option("--crf", help="Fully connected CRF.")] = False,
    floor: Annotated[
        float,
        typer.Option("--floor", metavar="P", help="Least probability; smaller ones count as it."),
    ] = 1e-3,
    lambda_: Annotated[
        Optional[float], _number("lambda", "weight of the borders' length; larger is smoother.")
    ] = None,
    eta: Annotated[
        Optional[float],
        _number("eta", "how much cheaper a border is on an edge of the image."),
    ] = None,
    tol: Annotated[
        Optional[float], _number("tol", "relative duality gap at which the solver stops.")
    ] = None,
    max_iterations: Annotated[
        Optional[int], _number("max_iterations", "bound on the iterations of each level.")
    ] = None,
    w1: Annotated[
        Optional[float], _number("w1", "weight of the bilateral kernel; larger follows colour.")
    ] = None,
    sigma_alpha: Annotated[Optional[float], _number("sigma_alpha", "its reach in pixels.")] = None,
    sigma_beta: Annotated[
        Optional[float], _number("sigma_beta", "its reach in grey levels, 0..255.")
    ] = None,
    w2: Annotated[
        Optional[float], _number("w2", "weight of the spatial kernel; larger is smoother.")
    ] = None,
    sigma_gamma: Annotated[Optional[float], _number("sigma_gamma", "its reach in pixels.")] = None,
    iterations: Annotated[
        Optional[int], _number("iterations", "iterations of the mean field.")
    ] = None,
) -> None:
    """Smooth maps along the edges of the image, by a Potts model or a fully connected CRF.

    --potts minimises sum <-log P, M> + lambda sum g |grad M| over soft segmentations M, with
    g = exp(-eta |grad I|), to a stated duality gap; the record of each map holds it. The paper
    takes lambda 10 for local and combined maps, 50 for global ones. --crf is mean-field
    inference (pydensecrf) over the classes that the map holds.

    \b
    Examples:
      wss regularize --potts --images images/ local/ -o local-potts/
      wss regularize --crf --images images/ combined/ -o combined-crf/
    """
    from wsstools.errors import UsageError
    from wsstools.io import imagefile, mapfile
    from wsstools.io.joined import Input
    from wsstools.io.steps import Step, run_step

    if potts == crf:
        raise UsageError("give one of --potts and --crf")
    if images is None:
        raise UsageError("give the images of the maps: --images DIR")
    if not 0 < floor < 1:
        raise UsageError(f"--floor {floor:g}: expected a probability above 0 and below 1")
    given = {
        "lambda": lambda_,
        "eta": eta,
        "tol": tol,
        "max_iterations": max_iterations,
        "w1": w1,
        "sigma_alpha": sigma_alpha,
        "sigma_beta": sigma_beta,
        "w2": w2,
        "sigma_gamma": sigma_gamma,
        "iterations": iterations,
    }
    method, defaults, compute = ("potts", POTTS, _potts) if potts else ("crf", CRF, _crf)
    parameters = _parameters(method, defaults, given)
    step = Step(
        "regularize",
        "soft",
        partial(compute, floor=floor, **parameters),
        options={"method": method, "floor": floor, **parameters},
    )
    inputs = [
        Input("map", run.source(maps, mapfile.SUFFIXES, "map"), mapfile.decode_map),
        Input("image", run.source(images, imagefile.SUFFIXES, "image"), imagefile.decode_image),
    ]
    run_step(step, inputs, out, run.settings())


def _parameters(method: str, defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The method's parameters, as given or by default; those of the other method are refused."""
    from wsstools.errors import UsageError

    chosen = {name: value for name, value in given.items() if value is not None}
    foreign = [name for name in chosen if name not in defaults]
    if foreign:
        option = "--" + foreign[0].replace("_", "-")
        raise UsageError(f"{option} does not belong to --{method}")
    for name, value in chosen.items():
        may_be_zero = name in ("lambda", "eta", "w1", "w2")
        if not 0 <= value < float("inf") or (value == 0 and not may_be_zero):
            option, wanted = (
                "--" + name.replace("_", "-"),
                "0 or more" if may_be_zero else "above 0",
            )
            raise UsageError(f"{option} {value:g}: expected a number {wanted}")
    return {**defaults, **chosen}


def _check_sizes(probability_map: Any, image: Any) -> None:
    if probability_map.shape != image.shape[:2]:
        raise ValueError(f"map has shape {probability_map.shape}, image {image.shape[:2]} (H, W)")


def _potts(probability_map: Any, image: Any, *, floor: float, **parameters: Any) -> Any:
    from wsstools.core.potts import edge_weights, solve_potts, unary
    from wsstools.io.steps import Computed

    _check_sizes(probability_map, image)
    weights = parameters["lambda"] * edge_weights(image, eta=parameters["eta"])
    solution = solve_potts(
        unary(probability_map.probs, floor=floor),
        weights.astype("float32"),
        tol=parameters["tol"],
        max_iterations=parameters["max_iterations"],
    )
    warning = None
    if not solution.converged:
        warning = (
            f"stopped at a relative duality gap of {solution.gap:.2g} "
            f"(--tol {parameters['tol']:g}) after {parameters['max_iterations']} iterations"
        )
    result = {
        "primal": solution.primal,
        "dual": solution.dual,
        "gap": solution.gap,
        "iterations": solution.iterations,
        "label_energy": solution.label_energy,
        "converged": solution.converged,
    }
    return Computed(probability_map.with_probs(solution.soft), result, warning)


def _crf(probability_map: Any, image: Any, *, floor: float, **parameters: Any) -> Any:
    from wsstools.core.crf import dense_crf
    from wsstools.io.steps import Computed

    _check_sizes(probability_map, image)
    solution = dense_crf(probability_map.probs, image, floor=floor, **parameters)
    result = {"pruned": solution.pruned, "pruned_mass": solution.pruned_mass}
    return Computed(probability_map.with_probs(solution.marginals), result)
