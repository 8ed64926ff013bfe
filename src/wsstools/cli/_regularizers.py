"""The two regularisers: their options, their parameters and what they do to a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Optional

import typer

FLOOR = 1e-3
POTTS: Mapping[str, Any] = {
    "lambda": 10.0,
    "eta": 0.01,
    "tol": 1e-3,
    "max_iterations": 5000,
    "floor": FLOOR,
    "device": "cpu",
}
CRF: Mapping[str, Any] = {
    "w1": 3.0,
    "sigma_alpha": 30.0,
    "sigma_beta": 5.0,
    "w2": 5.0,
    "sigma_gamma": 2.0,
    "iterations": 10,
    "floor": FLOOR,
    "prune": 0.05,
    "engine": "compiled",
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"potts": POTTS, "crf": CRF}
"""The paper's parameters (its tolerance, floor and numbers of iterations are ours)."""
_ENGINES = ("compiled", "pydensecrf")
_DEVICES = ("cpu", "cuda")
PREPARED_BY = {"potts": ("eta",), "crf": ("sigma_alpha", "sigma_beta", "sigma_gamma")}
"""Settings that agree in these share what is prepared for an image."""
_WORDS = {"engine": _ENGINES, "device": _DEVICES}
_WHOLE = ("max_iterations", "iterations")
_MAY_BE_ZERO = ("lambda", "eta", "w1", "w2", "prune")
_HUGE = 1e300  # whole numbers in a file may be too large for a float
MEANINGS = {
    "lambda": "Potts: weight of the borders' length; larger is smoother.",
    "eta": "Potts: how much cheaper a border is on an edge of the image.",
    "w1": "CRF: weight of the bilateral kernel; larger follows colour.",
    "sigma_alpha": "CRF: its reach in pixels.",
    "sigma_beta": "CRF: its reach in grey levels, 0..255.",
    "w2": "CRF: weight of the spatial kernel; larger is smoother.",
    "sigma_gamma": "CRF: its reach in pixels.",
    "iterations": "CRF: iterations of the mean field.",
    "tol": "Potts: relative duality gap at which the solver stops.",
    "max_iterations": "Potts: bound on the iterations of each level.",
    "floor": "Least probability; smaller ones count as it.",
    "prune": "CRF: probability that classes solved as one may hold together at a pixel.",
}


def option_name(parameter: str) -> str:
    """The option of a parameter: `--sigma-alpha` of `sigma_alpha`."""
    return "--" + parameter.replace("_", "-")


def is_whole(parameter: str) -> bool:
    """Whether the values of a parameter are whole numbers."""
    return parameter in _WHOLE


def parameter_option(parameter: str) -> Any:
    """The option that gives one value of a parameter."""
    default = {**POTTS, **CRF}[parameter]
    return typer.Option(
        option_name(parameter),
        metavar="N" if is_whole(parameter) else "X",
        help=f"{MEANINGS[parameter]} Default: {default:g}.",
        show_default=False,
    )


@dataclass(frozen=True)
class MethodOptions:
    """Which regulariser, and how exactly it works."""

    potts: Annotated[bool, typer.Option("--potts", help="Potts model (total variation).")] = False
    crf: Annotated[bool, typer.Option("--crf", help="Fully connected CRF.")] = False
    floor: Annotated[Optional[float], parameter_option("floor")] = None
    tol: Annotated[Optional[float], parameter_option("tol")] = None
    max_iterations: Annotated[Optional[int], parameter_option("max_iterations")] = None
    device: Annotated[
        Optional[str],
        typer.Option(
            "--device",
            metavar="NAME",
            help="Potts: cpu (compiled), cuda or auto. Default: cpu.",
            show_default=False,
        ),
    ] = None
    prune: Annotated[Optional[float], parameter_option("prune")] = None
    engine: Annotated[
        Optional[str],
        typer.Option(
            "--engine",
            metavar="NAME",
            help="CRF: compiled (our own) or pydensecrf. Default: compiled.",
            show_default=False,
        ),
    ] = None

    def method(self) -> str | None:
        """`potts`, `crf`, or None where neither is asked for."""
        from wsstools.errors import UsageError

        if self.potts and self.crf:
            raise UsageError("give one of --potts and --crf")
        return "potts" if self.potts else "crf" if self.crf else None

    def given(self) -> dict[str, Any]:
        """The parameters that were given here."""
        names = ("floor", "tol", "max_iterations", "device", "prune", "engine")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class Regularizer:
    """A method with all its parameters: a function of a map and its image.

    Attributes
    ----------
    method : str
        `potts` or `crf`.
    parameters : mapping
        A value for each name in DEFAULTS[method].
    """

    method: str
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Regularizer:
        """The regulariser of a record's options."""
        return cls(options["method"], {k: v for k, v in options.items() if k != "method"})

    def options(self) -> dict[str, Any]:
        """What the record of a map says of it."""
        return {"method": self.method, **self.parameters}

    def prepared(self, image: Any) -> Any:
        """What settings that agree in the parameters of PREPARED_BY share on an image."""
        if self.method == "potts":
            from wsstools.core.potts.solver import edge_weights

            return edge_weights(image, eta=self.parameters["eta"])
        if self.parameters["engine"] != "compiled":
            return None
        from wsstools.core.crf.mean_field import Kernels

        return Kernels.of(image, **{name: self.parameters[name] for name in PREPARED_BY["crf"]})

    def __call__(self, probability_map: Any, image: Any, prepared: Any = None) -> Any:
        """The soft map, as a Computed."""
        if probability_map.shape != image.shape[:2]:
            raise ValueError(
                f"map has shape {probability_map.shape}, image {image.shape[:2]} (H, W)"
            )
        apply = _potts if self.method == "potts" else _crf
        if prepared is None:
            prepared = self.prepared(image)
        return apply(probability_map, image, prepared, **self.parameters)


def check_parameter(parameter: str, value: Any, told: str) -> Any:
    """The value as the parameter's kind of number or word; `told` is what the user calls it.

    Raises
    ------
    ValueError
        If it is of another kind, or out of range.
    """
    if parameter in _WORDS:
        if value not in _WORDS[parameter]:
            wanted = " or ".join(_WORDS[parameter])
            raise ValueError(f"{told} {value}: expected {wanted}")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{told} {value!r}: expected a number")
    number = math.inf if abs(value) > _HUGE else float(value)
    may_be_zero = parameter in _MAY_BE_ZERO
    if parameter == "floor":
        is_good, wanted = 0 < number < 1, "a probability above 0 and below 1"
    elif parameter == "prune":
        is_good, wanted = 0 <= number < 1, "a probability, 0 or more and below 1"
    else:
        is_good = 0 <= number < math.inf and (number > 0 or may_be_zero)
        wanted = "a number 0 or more" if may_be_zero else "a number above 0"
    if not is_good:
        raise ValueError(f"{told} {number:g}: expected {wanted}")
    if not is_whole(parameter):
        return number
    if number != int(number):
        raise ValueError(f"{told} {number:g}: expected a whole number")
    return int(number)


def check_given(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters given by options, checked; those of the other method are refused."""
    from wsstools.errors import UsageError

    for name in given:
        if name not in DEFAULTS[method]:
            raise UsageError(f"{option_name(name)} does not belong to --{method}")
    if given.get("device", "cpu") != "cpu":
        given = {**given, "device": _kind_of_device(given["device"])}
    if given.get("engine") == "pydensecrf":
        if given.get("prune"):
            raise UsageError("--prune belongs to --engine compiled")
        given = {**given, "prune": 0.0}
    try:
        return {name: check_parameter(name, v, option_name(name)) for name, v in given.items()}
    except ValueError as error:
        raise UsageError(str(error)) from error


def _kind_of_device(name: str) -> str:
    from wsstools.nn.device import chosen_device

    return chosen_device(name).partition(":")[0]


def read_regularizer(path: str) -> Regularizer:
    """The method and the parameters in a file of `wss tune`; what it leaves out is by default.

    Raises
    ------
    DataError
        If the file is no such file, or holds a parameter that its method does not have.
    """
    from wsstools.errors import DataError
    from wsstools.formats.parameter_files import read_params

    method, found = read_params(path)
    if method not in DEFAULTS:
        raise DataError(f"{path}: method {method!r}, expected {' or '.join(DEFAULTS)}")
    parameters = dict(DEFAULTS[method])
    for name, value in found.items():
        if name not in parameters:
            raise DataError(f"{path}: {name!r} is no parameter of {method}")
        try:
            parameters[name] = check_parameter(name, value, name)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
    return Regularizer(method, parameters)


def _potts(probability_map: Any, image: Any, edges: Any, *, floor: float, **options: Any) -> Any:
    from wsstools.core.potts.solver import unary
    from wsstools.running.step import Computed

    tol, max_iterations = options["tol"], options["max_iterations"]
    solution = _solver(options["device"])(
        unary(probability_map.probs, floor=floor),
        (options["lambda"] * edges).astype("float32"),
        tol=tol,
        max_iterations=max_iterations,
    )
    warning = None
    if not solution.converged:
        warning = (
            f"stopped at a relative duality gap of {solution.gap:.2g} "
            f"(--tol {tol:g}) after {max_iterations} iterations"
        )
    result = {
        "primal": solution.primal,
        "dual": solution.dual,
        "gap": solution.gap,
        "iterations": solution.iterations,
        "label_energy": solution.label_energy,
        "converged": solution.converged,
        "needless": probability_map.classes[list(solution.needless)].tolist(),
    }
    return Computed(probability_map.with_probs(solution.soft), result, warning)


def _solver(device: str) -> Any:
    if device == "cpu":
        from wsstools.core.potts.solver import solve_potts

        return solve_potts
    from functools import partial

    from wsstools.nn.potts import solve_potts_on_device

    return partial(solve_potts_on_device, device=device)


def _crf(probability_map: Any, image: Any, kernels: Any, **parameters: Any) -> Any:
    from wsstools.core.crf.mean_field import dense_crf
    from wsstools.running.step import Computed

    solution = dense_crf(probability_map.probs, image, kernels=kernels, **parameters)
    result = {
        "pruned": probability_map.classes[list(solution.pruned)].tolist(),
        "pruned_mass": solution.pruned_mass,
    }
    return Computed(probability_map.with_probs(solution.marginals), result)
