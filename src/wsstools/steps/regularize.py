"""Maps smoothed along the edges of the image."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core import api
from wsstools.core.crf.mean_field import Kernels
from wsstools.core.crf.settings import CrfSettings
from wsstools.core.crf.tiled import dense_crf_in_tiles
from wsstools.core.maps import ProbabilityMap
from wsstools.core.parameter import option_of
from wsstools.core.potts.settings import PottsSettings
from wsstools.core.potts.solver import edge_weights, unary
from wsstools.core.potts.strips import potts_in_strips
from wsstools.core.stored_maps import StoredMap
from wsstools.core.tiles import TileSettings, needs_tiles
from wsstools.errors import DataError, UsageError
from wsstools.files.damage import reading
from wsstools.formats.parameter_files import read_params
from wsstools.running.settings import RunSettings
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.inputs import image_input, stored_map_input

Settings: TypeAlias = "PottsSettings | CrfSettings"
Prepared: TypeAlias = "NDArray[np.float32] | Kernels | None"
METHODS: Mapping[str, type[PottsSettings] | type[CrfSettings]] = {
    "potts": PottsSettings,
    "crf": CrfSettings,
}
PREPARED_BY = {"potts": ("eta",), "crf": ("sigma_alpha", "sigma_beta", "sigma_gamma")}
"""Settings that agree in these share what is prepared for an image."""
_WORDS = {"engine": ("compiled", "pydensecrf"), "device": ("cpu", "cuda")}
_WHOLE = ("max_iterations", "iterations")
_MAY_BE_ZERO = ("lambda", "eta", "w1", "w2", "prune")
_HUGE = 1e300  # whole numbers in a file may be too large for a float


def regularize(
    maps: str,
    out: str | Path,
    *,
    images: str,
    settings: Settings = PottsSettings(),
    tiles: TileSettings = TileSettings(),
    run: RunSettings = RunSettings(),
) -> None:
    """Write the maps of a folder, smoothed by a Potts model or a fully connected CRF.

    Parameters
    ----------
    maps : str
        A folder, a file, or `-` for paths on standard input.
    out : str or Path
        Folder of the soft maps; made if missing.
    images : str
        Their images.
    settings : PottsSettings or CrfSettings
        The method and its parameters.
    tiles : TileSettings
        Which images are computed in parts; by our own solvers on a CPU only.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If a parameter is out of range, or `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    settings = checked_settings(settings)
    step = Step(
        "regularize",
        {**parameters(settings), "tile": tiles.tile},
        revision=3,
        kind="soft",
        compute=partial(_compute, settings=settings, tile=tiles.tile),
    )
    run_step(step, [stored_map_input(maps, run), image_input(images, run)], out, run)


def chosen_settings(
    *, potts: bool, crf: bool, params: str | None, given: Mapping[str, float | str]
) -> Settings:
    """The method with its parameters: those given, else those of the file, else the paper's.

    UsageError if no method is given, or the options contradict each other or the file.
    """
    method = chosen_method(potts=potts, crf=crf)
    if params is None:
        if method is None:
            raise UsageError("give one of --potts and --crf, or --params FILE")
        return checked_settings(with_given(METHODS[method](), given))
    tuned = read_settings(params)
    if method not in (None, method_of(tuned)):
        raise UsageError(f"--{method}: {params} holds parameters of {method_of(tuned)}")
    return checked_settings(with_given(tuned, given))


def chosen_method(*, potts: bool, crf: bool) -> str | None:
    """`potts`, `crf`, or None where neither is asked for."""
    if potts and crf:
        raise UsageError("give one of --potts and --crf")
    return "potts" if potts else "crf" if crf else None


def method_of(settings: Settings) -> str:
    """`potts` or `crf`."""
    return "potts" if isinstance(settings, PottsSettings) else "crf"


def parameters(settings: Settings) -> dict[str, float | str]:
    """What the record of a map says of the settings."""
    values = {name.rstrip("_"): value for name, value in dataclasses.asdict(settings).items()}
    return {"method": method_of(settings), **values}


def with_given(settings: Settings, given: Mapping[str, float | str]) -> Settings:
    """The settings with some parameters replaced; those of the other method are refused."""
    for name in given:
        if not hasattr(settings, name):
            option = option_of(METHODS.values(), name)
            raise UsageError(f"{option} does not belong to --{method_of(settings)}")
    if given.get("engine") == "pydensecrf":
        if given.get("prune"):
            raise UsageError("--prune belongs to --engine compiled")
        given = {**given, "prune": 0.0}
    return replaced(settings, given)


def replaced(settings: Settings, values: Mapping[str, float | str]) -> Settings:
    """The settings with other values of some fields, not checked."""
    return dataclasses.replace(settings, **values)  # type: ignore[arg-type]


def checked_settings(settings: Settings) -> Settings:
    """The settings with the device chosen; UsageError if a parameter is out of range."""
    values = dataclasses.asdict(settings)
    if values.get("device", "cpu") != "cpu":
        from wsstools.nn.device import chosen_device  # noqa: PLC0415 - torch, for a GPU only

        values["device"] = chosen_device(values["device"]).partition(":")[0]
    try:
        checked = {
            name: check_parameter(name, value, option_of([type(settings)], name))
            for name, value in values.items()
        }
    except ValueError as error:
        raise UsageError(str(error)) from error
    return replaced(settings, checked)


def check_parameter(name: str, value: object, label: str) -> float | int | str:
    """The value as the parameter's kind of number or word, which the user calls `label`.

    ValueError if it is of another kind, or out of range.
    """
    name = name.rstrip("_")
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise ValueError(f"{label} {value}: expected {' or '.join(_WORDS[name])}")
        return str(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{label} {value!r}: expected a number")
    number = math.inf if abs(value) > _HUGE else float(value)
    may_be_zero = name in _MAY_BE_ZERO
    if name == "floor":
        is_good, wanted = 0 < number < 1, "a probability above 0 and below 1"
    elif name == "prune":
        is_good, wanted = 0 <= number < 1, "a probability, 0 or more and below 1"
    else:
        is_good = 0 <= number < math.inf and (number > 0 or may_be_zero)
        wanted = "a number 0 or more" if may_be_zero else "a number above 0"
    if not is_good:
        raise ValueError(f"{label} {number:g}: expected {wanted}")
    if name not in _WHOLE:
        return number
    if number != int(number):
        raise ValueError(f"{label} {number:g}: expected a whole number")
    return int(number)


def read_settings(path: str) -> Settings:
    """The method and the parameters in a file of `wss tune`; what it leaves out is by default.

    DataError if it is no such file, or holds a parameter that its method does not have.
    """
    method, found = read_params(path)
    if method not in METHODS:
        raise DataError(f"{path}: method {method!r}, expected {' or '.join(METHODS)}")
    kind = METHODS[method]
    fields = {field.name.rstrip("_"): field.name for field in dataclasses.fields(kind)}
    values = {}
    for name, value in found.items():
        if name not in fields:
            raise DataError(f"{path}: {name!r} is no parameter of {method}")
        with reading(path, errors=ValueError):
            values[fields[name]] = check_parameter(name, value, name)
    return kind(**values)  # type: ignore[arg-type]


def prepared(image: NDArray[np.uint8], settings: Settings) -> Prepared:
    """What settings that agree in the parameters of PREPARED_BY share on an image."""
    if isinstance(settings, PottsSettings):
        return edge_weights(image, eta=settings.eta)
    if settings.engine != "compiled":
        return None
    return Kernels.of(
        image,
        sigma_alpha=settings.sigma_alpha,
        sigma_beta=settings.sigma_beta,
        sigma_gamma=settings.sigma_gamma,
    )


def regularized(
    probability_map: ProbabilityMap,
    image: NDArray[np.uint8],
    common: Prepared = None,
    *,
    settings: Settings,
) -> Computed:
    """The soft map of a map and its image; ValueError if their sizes differ."""
    api.check_size(probability_map, image)
    if common is None:
        common = prepared(image, settings)
    if isinstance(settings, CrfSettings):
        values = dataclasses.asdict(settings)
        found = api.dense_crf(probability_map, image, kernels=cast(Kernels, common), **values)
        return Computed(found, found.info)
    found = _potts(probability_map, cast(NDArray[np.float32], common), settings)
    warning = None
    if not found.info["converged"]:
        warning = (
            f"stopped at a relative duality gap of {found.info['gap']:.2g} "
            f"(--tol {settings.tol:g}) after {settings.max_iterations} iterations"
        )
    return Computed(found, found.info, warning)


def _compute(
    stored: StoredMap, image: NDArray[np.uint8], *, settings: Settings, tile: int
) -> Computed:
    """`regularized`, in parts where the image is large."""
    is_ours = (
        settings.engine == "compiled"
        if isinstance(settings, CrfSettings)
        else (settings.device == "cpu")
    )
    if not (is_ours and needs_tiles(stored.shape, tile)):
        return regularized(stored.whole(), image, settings=settings)
    api.check_size(stored, image)
    if isinstance(settings, CrfSettings):
        found = dense_crf_in_tiles(stored, image, settings, side=tile)
        return Computed(found, found.info)
    found = potts_in_strips(stored, image, settings, side=tile)
    warning = None
    if not found.info["converged"]:
        warning = (
            f"the relative duality gap of the whole image is {found.info['gap']:.2g} "
            f"(--tol {settings.tol:g}): its strips stopped after {settings.max_iterations} "
            "iterations, or do not fit together closely (--tile 0: no strips)"
        )
    return Computed(found, found.info, warning)


def _potts(
    probability_map: ProbabilityMap, edges: NDArray[np.float32], settings: PottsSettings
) -> ProbabilityMap:
    if settings.device == "cpu":
        values = {k: v for k, v in dataclasses.asdict(settings).items() if k != "device"}
        return api.potts(probability_map, None, edges=edges, **values)
    from wsstools.nn.potts import solve_potts_on_device  # noqa: PLC0415 - torch, as above

    solution = solve_potts_on_device(
        unary(probability_map.probs, floor=settings.floor),
        (settings.lambda_ * edges).astype(np.float32),
        tol=settings.tol,
        max_iterations=settings.max_iterations,
        device=settings.device,
    )
    return api.soft_map(probability_map, solution)
