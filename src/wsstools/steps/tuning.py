"""The files of `wss tune`: the images it takes, the trials, what it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsstools.cli.options import StepOptions
from wsstools.steps.race import Contest, Race, is_confusion, try_settings

if TYPE_CHECKING:
    from wsstools.core.evaluation.race import Standing
    from wsstools.files.provenance import Meta
    from wsstools.running.join import Input, Task
    from wsstools.running.messages import Messages
    from wsstools.running.sources import Selection
    from wsstools.running.workers import Pool

SAMPLE = 20
PARAMS_FILE, TABLE_FILE, PICTURE_FILE = "params.json", "table.csv", "heatmap.png"
_TRIALS_FOLDER = "trials"
_MAY_CHANGE = ("grid", "sample", "seed", "keep_all")
"""Options that may be others when a run goes on in the folder: they only choose trials."""
_TITLES = {"potts": "Potts model", "crf": "Fully connected CRF"}


def refuse_other_outputs(folder: Path, contest: Contest) -> None:
    """Raise UsageError if the folder holds what another command or another method made.

    Other values, other images and another seed may follow in the same folder: the trials that
    they share are kept.
    """
    from wsstools.errors import UsageError
    from wsstools.files.provenance import refuse_other_run
    from wsstools.formats.parameter_files import read_meta

    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, expected a folder to write to")
    standing = [
        name for name in (PARAMS_FILE, TABLE_FILE, PICTURE_FILE) if (folder / name).exists()
    ]
    if not standing:
        return
    meta = read_meta(folder / PARAMS_FILE)
    fixed = _fixed(contest)
    if meta is not None:
        same = {key: value for key, value in meta["options"].items() if key not in _MAY_CHANGE}
        meta = {**meta, "options": same}
    refuse_other_run(folder / standing[0], meta, "tune", fixed)


def tuning_inputs(maps: str, images: str, gt: str, run: StepOptions, folder: Path) -> list[Input]:
    """Maps, images and ground truth."""
    from wsstools.errors import UsageError
    from wsstools.formats import image_files, label_files, map_files
    from wsstools.running.join import Input

    inputs = [
        Input("map", run.source(maps, map_files.SUFFIXES, "map"), map_files.decode_map),
        Input("image", run.source(images, image_files.SUFFIXES, "image"), image_files.decode_image),
        Input(
            "gt", run.source(gt, label_files.SUFFIXES, "ground truth"), label_files.decode_labels
        ),
    ]
    if any(entry.source.is_stream for entry in inputs[1:]):
        raise UsageError("only the maps can be - (standard input)")
    if any(entry.source.is_same_folder(folder) for entry in inputs):
        raise UsageError(f"{folder} holds the inputs; write to another folder")
    if inputs[0].source.is_stream:
        inputs[0].source.read_whole()
    return inputs


def sampled(
    inputs: Sequence[Input], selection: Selection, sample: int | None, seed: int
) -> tuple[list[Task], int]:
    """The images to try on, in the order of the race, and how many maps lack ground truth.

    The place of an image follows from (seed, stem), so that a larger sample holds the smaller.
    """
    from wsstools.errors import DataError
    from wsstools.running.join import batches
    from wsstools.running.sources import Selection
    from wsstools.running.step import image_rng

    chosen = selection.choose(inputs[0].source.stems)
    gt = inputs[-1].source
    stems = [stem for stem in chosen if selection.ids is not None or stem in gt]
    if not stems:
        raise DataError(f"no map has ground truth in {gt.argument}")
    size = sample or (SAMPLE if selection.ids is None else len(stems))
    order = sorted(stems, key=lambda stem: image_rng(seed, stem).random())[:size]
    tasks = [task for batch in batches(inputs, Selection(ids=tuple(order))) for task in batch]
    return tasks, len(chosen) - len(stems)


def run_race(
    race: Race, inputs: Sequence[Input], folder: Path, pool: Pool, messages: Messages
) -> None:
    """Run the race to its end and say how it goes.

    Raises
    ------
    SomeFailed, DataError
        If nothing is left to compare.
    """
    from wsstools.core.evaluation.race import MIN_IMAGES
    from wsstools.errors import DataError
    from wsstools.formats.trials import Tester

    n_settings = len(race.contest.settings)

    def blocks() -> Iterator[Any]:
        for block in race.blocks():
            if race.stems and not race.keeps_all:
                left = f"{race.n_living} of {n_settings} settings left"
                messages.say(f"{len(race.stems)} images: {left}")
            yield block

    readers = [entry.reader for entry in inputs]
    tester = Tester("tune", readers, try_settings, is_confusion, folder / _TRIALS_FOLDER)
    n_computed = n_tried = 0
    stem = None
    for report in tester.run(inputs, blocks(), pool, messages.say):
        if stem not in (None, report.stem):
            messages.advance()
        stem = report.stem
        if report.status == "done":
            race.take(stem, report.value)
            n_computed += report.value.n_computed
            n_tried += len(report.value.results)
        elif stem not in race.failed:
            race.failed.add(stem)
            messages.failed(stem, report.text or "")
    messages.say(
        f"{n_settings} settings on {len(race.stems)} images: "
        f"{n_computed} trials computed, skipped {n_tried - n_computed} (up to date)"
    )
    if not race.has_pixels():
        messages.raise_failures()
        raise DataError("no pixel of the ground truth carries a class")
    if len(race.stems) < MIN_IMAGES:
        messages.say(f"warning: on {len(race.stems)} images chance decides more than the settings")
    warnings = race.warnings()
    if warnings:
        messages.say(f"warning: {len(warnings)} trials were not exact; the first {warnings[0]}")


def write_outputs(
    folder: Path,
    race: Race,
    standings: Sequence[Standing],
    inputs: Sequence[Input],
    chance: Mapping[str, Any],
) -> bool:
    """Write the outputs unless they stand already; whether they did not.

    The parameters come first: their record tells whose folder it is.
    """
    from wsstools.core.evaluation.race import winner
    from wsstools.files.atomic import remove_leftovers, write_atomic
    from wsstools.files.provenance import output_record
    from wsstools.formats.parameter_files import encode_params
    from wsstools.view.figures.heat_map import heat_map
    from wsstools.view.tuning import tuning_csv

    best, grid = winner(standings), race.contest.grid
    paper = next(one for one in standings if one.is_paper)
    meta = output_record(
        kind="params",
        stem=Path(PARAMS_FILE).stem,
        step="tune",
        options={**_fixed(race.contest), "grid": grid, **chance},
        inputs=_records(race, inputs),
        result={"miou": best.mean_iou, "images": best.n_images, "paper_miou": paper.mean_iou},
    )
    title = f"{_TITLES[race.contest.method]}: mean IoU on {best.n_images} images"
    contents = {
        PARAMS_FILE: encode_params(race.contest.method, best.parameters, meta),
        TABLE_FILE: tuning_csv(standings).encode(),
        PICTURE_FILE: heat_map(standings, grid, title=title).encoded(".png"),
    }
    remove_leftovers(folder)
    if all(_holds(folder / name, data) for name, data in contents.items()):
        return False
    for name, data in contents.items():
        write_atomic(folder / name, data)
    return True


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _fixed(contest: Contest) -> dict[str, Any]:
    """The options that all trials of a folder share."""
    setting = contest.settings[0]
    return {k: v for k, v in setting.options().items() if k not in contest.grid}


def _records(race: Race, inputs: Sequence[Input]) -> list[Meta]:
    """One record for each kind of input, over the images that went well."""
    from wsstools.files.provenance import set_record
    from wsstools.formats.map_files import read_meta

    stems = sorted(race.stems)
    records = []
    for k, entry in enumerate(inputs):
        paths = [race.paths[stem][k] for stem in stems]
        digests = [race.digests[stem][k] for stem in stems]
        meta = read_meta(paths[0]) if entry.role == "map" else None
        records.append(set_record(entry.role, [path.name for path in paths], digests, meta))
    return records
