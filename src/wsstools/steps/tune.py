"""The regularizer parameters with the best mean IoU on a few images."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstools.core.evaluation.metrics import scores
from wsstools.core.evaluation.tuning import GRIDS, Standing, winner
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.parameter import option_of
from wsstools.errors import DataError, UsageError
from wsstools.files.atomic import write_all
from wsstools.files.provenance import Origin
from wsstools.files.targets import check_writable, is_taken
from wsstools.formats import parameter_files
from wsstools.running.claim import claimed
from wsstools.running.join import Input, Task, batches, output_folder
from wsstools.running.messages import Messages, print_result
from wsstools.running.settings import RunSettings
from wsstools.steps.inputs import check_format, check_truth, image_input, label_input, map_input
from wsstools.steps.regularize import (
    METHODS,
    Settings,
    checked_settings,
    chosen_method,
    method_of,
    parameters,
    replaced,
    with_given,
)
from wsstools.steps.searches import PARAMS_FILE, TABLE_FILE, sampled
from wsstools.steps.trials import Trials
from wsstools.steps.tune_fusion import TunedFusion, tune_fusion
from wsstools.view.figures.heat_map import heat_map
from wsstools.view.tuning import tuning_csv, tuning_text, tuning_values

PICTURE_FILE, RESULTS_FILE = "heatmap.png", "results.jsonl"
_MAY_CHANGE = ("grid", "sample", "seed")
"""Options that may be others when a run goes on in the folder: they only choose trials."""
_REMOVED = {"keep_all": False}
_TITLES = {"potts": "Potts model", "crf": "Fully connected CRF"}

Grid = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Tuned:
    """What a search found with `potts` or `crf`.

    `standings` has the settings in the order of the grid, and the paper's; `stems` the images that
    did not fail, in the order in which they were tried; `is_new`: an output was written.
    """

    method: str
    standings: Sequence[Standing]
    stems: list[str]
    is_new: bool

    def as_text(self) -> str:
        """The best settings and the paper's, as a table for the terminal."""
        return tuning_text(self.method, self.standings, len(self.stems))

    def as_csv(self) -> str:
        """A line for each setting: the table that is written, too."""
        return tuning_csv(self.standings, len(self.stems)).rstrip("\n")

    def as_json(self) -> str:
        """All of it as JSON, fractions."""
        values = tuning_values(self.method, self.standings)
        return json.dumps({**values, "images": self.stems}, indent=2)


def tune(
    maps: str,
    out: str | Path,
    *,
    images: str,
    gt: str,
    fixed: Settings,
    grid: Grid,
    sample: int | None = None,
    seed: int = 0,
    run: RunSettings = RunSettings(),
) -> Tuned:
    """Try every setting of a grid on a few images, and write the best.

    Parameters
    ----------
    maps, images, gt : str
        Folders of maps, of their images and of their ground truth; only `maps` may be `-`.
    out : str or Path
        Folder for the parameters, the table, the picture and the results, which a rerun reads.
    fixed : PottsSettings or CrfSettings
        The method, and the parameters that are not searched.
    grid : mapping of str to sequence of float
        The values to try of each parameter, by the name of the field.
    sample : int or None
        Most images to try on, drawn by chance; None: see `sampled`.
    seed : int
        Of the sample: a larger one holds the smaller.
    run : RunSettings

    Raises
    ------
    UsageError
        If `out` holds outputs of another method or other fixed parameters.
    DataError
        If nothing can be compared.
    SomeFailed
        If no image is left.
    """
    folder = Path(out)
    inputs = [map_input(maps, run), image_input(images, run), label_input(gt, run, role="gt")]
    if any(entry.source.is_stream for entry in inputs[1:]):
        raise UsageError("only the maps can be - (standard input)")
    output_folder(folder, inputs)
    origin = _origin(fixed, grid)
    values = {name.rstrip("_"): list(grid[name]) for name in grid}
    options = {**origin.options, "grid": values, "sample": sample, "seed": seed}
    whole = dataclasses.replace(origin, options=options)
    with claimed(folder, whole, run):
        if not run.overwrite:
            _refuse_other_outputs(folder, origin)
        if not (folder / PARAMS_FILE).exists():
            check_writable(folder)
        if inputs[0].source.is_stream:
            inputs[0].source.read_whole()
        tasks, n_missing = _sampled(inputs, run, sample, seed)
        return _tuned(folder, whole, inputs, tasks, fixed, grid, values, run, n_missing=n_missing)


def _tuned(
    folder: Path,
    origin: Origin,
    inputs: Sequence[Input],
    tasks: Sequence[Task],
    fixed: Settings,
    grid: Grid,
    values: Mapping[str, Sequence[float]],
    run: RunSettings,
    *,
    n_missing: int,
) -> Tuned:
    """The same for a folder that is ours, on the images of these tasks."""
    settings = _settings(fixed, grid)
    with Messages("tune", len(tasks), run) as messages:
        if n_missing:
            messages.say(f"{n_missing} maps left out (no ground truth)")
        trials = Trials(folder / RESULTS_FILE, tasks, settings)
        trials.run(inputs, run, messages)
        trials.check(messages)
        in_truth = trials.confusion(fixed)[:IGNORE_LABEL].any(axis=1)
        check_truth(np.flatnonzero(in_truth), inputs[-1].source.argument, "tune")
        standings = [
            Standing(
                _values(setting),
                scores(trials.confusion(setting)).mean_iou,
                is_paper=setting == fixed,
                is_contender=position < math.prod(map(len, grid.values())),
            )
            for position, setting in enumerate(settings)
        ]
        best, paper = winner(standings), next(one for one in standings if one.is_paper)
        n_images = len(trials.stems)
        meta = origin.record(
            kind="params",
            stem=Path(PARAMS_FILE).stem,
            inputs=trials.records(inputs),
            result={"miou": best.mean_iou, "images": n_images, "paper_miou": paper.mean_iou},
        )
        method = method_of(fixed)
        title = f"{_TITLES[method]}: mean IoU on {n_images} images"
        picture = heat_map(standings, values, title=title)
        contents = {  # the parameters come first: their record says whose folder it is
            PARAMS_FILE: parameter_files.encode_params(method, best.parameters, meta),
            TABLE_FILE: tuning_csv(standings, n_images).encode(),
            PICTURE_FILE: picture.encoded(Path(PICTURE_FILE).suffix),
        }
        is_new = write_all(folder, contents)
        messages.raise_failures()
    return Tuned(method, standings, trials.stems, is_new)


def search(
    maps: Sequence[str],
    out: str,
    *,
    images: str | None,
    gt: str,
    potts: bool,
    crf: bool,
    fusion: bool,
    given: Mapping[str, float | str],
    lists: Mapping[str, str],
    sample: int | None,
    seed: int,
    form: str,
    run: RunSettings,
) -> None:
    """`tune` or `tune_fusion` as the command calls them, values as text; prints what was found."""
    check_format(form)
    if run.dry_run:
        raise UsageError("--dry-run: what a search writes is known after it alone")
    if fusion:
        if potts or crf or images is not None or given or lists:
            raise UsageError("--fusion takes neither --images nor what belongs to a regularizer")
        _show(tune_fusion(maps, out, gt=gt, sample=sample, seed=seed, run=run), out, form, run)
        return
    if len(maps) > 1:
        raise UsageError("several folders of maps belong to --fusion")
    if images is None:
        raise UsageError("--images is needed (the regularizers look at them)")
    method = chosen_method(potts=potts, crf=crf)
    if method is None:
        raise UsageError("give one of --potts and --crf")
    fixed = checked_settings(with_given(METHODS[method](), given))
    grid = parsed_grid(fixed, lists, GRIDS[method])
    found = tune(
        maps[0],
        out,
        images=images,
        gt=gt,
        fixed=fixed,
        grid=grid,
        sample=sample,
        seed=seed,
        run=run,
    )
    _show(found, out, form, run)


def _show(found: Tuned | TunedFusion, out: str, form: str, run: RunSettings) -> None:
    if form == "json":
        print(found.as_json())
    elif form == "csv":
        print(found.as_csv())
    else:
        print_result(found.as_text(), Path(out) / PARAMS_FILE, run)


def parsed_grid(
    fixed: Settings, lists: Mapping[str, str], defaults: Mapping[str, str]
) -> dict[str, list[float]]:
    """The values of each parameter, in the order of the defaults, which replace those not given."""
    for name in lists:
        if name not in defaults:
            option = option_of(METHODS.values(), name)
            raise UsageError(f"{option} does not belong to --{method_of(fixed)}")
    return {name: _numbers(fixed, name, lists.get(name, text)) for name, text in defaults.items()}


def _numbers(fixed: Settings, name: str, text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        message = f"{option_of([type(fixed)], name)} {text}: expected numbers with commas between"
        raise UsageError(message) from error
    checked = (checked_settings(replaced(fixed, {name: n})) for n in numbers)
    return list(dict.fromkeys(getattr(one, name) for one in checked))


def _settings(fixed: Settings, grid: Grid) -> list[Settings]:
    """Every combination of the grid's values, last the paper's if the grid leaves it out."""
    settings: list[Settings] = [
        replaced(fixed, dict(zip(grid, values, strict=True)))
        for values in itertools.product(*grid.values())
    ]
    return settings if fixed in settings else [*settings, fixed]


def _values(setting: Settings) -> dict[str, float | str]:
    """The parameters of a setting as the record and the table name them."""
    return {name: value for name, value in parameters(setting).items() if name != "method"}


def _origin(fixed: Settings, grid: Grid) -> Origin:
    """The options that all trials of a folder share."""
    searched = {name.rstrip("_") for name in grid}
    options = {k: v for k, v in parameters(fixed).items() if k not in searched}
    return Origin("tune", options, revision=3, removed=_REMOVED)


def _refuse_other_outputs(folder: Path, origin: Origin) -> None:
    """Raise UsageError if the folder holds what another command or another method made.

    Other values, other images and another seed may follow in the same folder: the results that
    they share are kept.
    """
    files = (PARAMS_FILE, TABLE_FILE, PICTURE_FILE)
    names = [name for name in files if is_taken(folder / name, overwrite=False)]
    if not names:
        return
    meta = parameter_files.read_meta(folder / PARAMS_FILE)
    if meta is not None:
        same = {key: value for key, value in meta["options"].items() if key not in _MAY_CHANGE}
        meta = {**meta, "options": same}
    origin.refuse_other_run(folder / names[0], meta)


def _sampled(
    inputs: Sequence[Input], run: RunSettings, sample: int | None, seed: int
) -> tuple[list[Task], int]:
    """The images to try on, and how many maps lack ground truth."""
    chosen = run.choose(inputs[0].source.stems)
    gt = inputs[-1].source
    stems = [stem for stem in chosen if run.names is not None or stem in gt]
    if not stems:
        raise DataError(f"no map has ground truth in {gt.argument}")
    order = sampled(stems, sample, seed, run)
    tasks = [task for batch in batches(inputs, run.of(order)) for task in batch]
    return tasks, len(chosen) - len(stems)
