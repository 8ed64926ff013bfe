"""Strokes that may be wrong: a list, or scribbles without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.local.features import Features
from wsstools.core.maps import ProbabilityMap
from wsstools.core.scribbles.drawn import drawn_strokes
from wsstools.core.scribbles.suspects import (
    JudgedStroke,
    StrokeEvidence,
    judged,
    stroke_evidence,
)
from wsstools.errors import DataError, UsageError
from wsstools.files.provenance import digest, input_record
from wsstools.formats import label_files
from wsstools.running.join import output_folder
from wsstools.running.messages import say
from wsstools.running.settings import STANDARD_INPUT, JobSettings, RunSettings
from wsstools.running.step import Step, run_step
from wsstools.running.tasks import map_images
from wsstools.steps.held_out import held_out_input
from wsstools.steps.inputs import (
    check_format,
    image_input,
    label_input,
    map_input,
    of_known_classes,
)
from wsstools.view.strokes.suspects import suspects_rows, suspects_text
from wsstools.view.tables import records_csv


def judged_strokes(
    maps: str,
    scribbles: str,
    *,
    images: str | None = None,
    features_of: str | None = None,
    weights_dir: str | None = None,
    run: JobSettings = JobSettings(),
) -> list[tuple[str, int, JudgedStroke]]:
    """All strokes of the images that have a map: image, number in it and judgement, worst first.

    Parameters
    ----------
    maps, scribbles : str
        Folders, files, or one of them `-`.
    images : str or None
        The images, whose colours help.
    features_of, weights_dir : str or None
        Weights of a network whose features help, as `train --init` takes them, and where they are.
    run : JobSettings

    Raises
    ------
    UsageError
        If `features_of` needs images, or is no file.
    DataError
        If there is no stroke.
    SomeFailed
        If an image failed.
    """
    network: Callable[[NDArray[np.uint8]], Features] | None = None
    if features_of is not None:
        if images is None:
            raise UsageError("--features-of needs --images")
        from wsstools.steps.network_features import backbone_file  # noqa: PLC0415 - torch

        network = backbone_file(features_of, weights_dir)
    drawn = label_input(scribbles, run, role="scribbles", is_optional=True)
    inputs = [held_out_input(map_input(maps, run)), of_known_classes(drawn, scribbles)]
    if images is not None:
        inputs.append(image_input(images, run))
    found = dict(map_images("suspects", partial(_evidence, network=network), inputs, run))
    stems = [stem for stem, strokes in found.items() if strokes]
    if not stems:
        raise DataError(f"no stroke in {scribbles}")
    numbers = {stem: len(found[stem][0].probs) for stem in stems}
    if odd := [stem for stem in stems if numbers[stem] != numbers[stems[0]]]:
        raise DataError(
            f"the map of {odd[0]} has {numbers[odd[0]]} classes, that of {stems[0]} "
            f"{numbers[stems[0]]}"
        )
    judgements = judged([found[stem] for stem in stems])
    strokes = [
        (stem, number, judgement)
        for stem, of_image in zip(stems, judgements, strict=True)
        for number, judgement in enumerate(of_image)
    ]
    return sorted(strokes, key=lambda entry: -entry[2].score)


def suspects(
    maps: str,
    scribbles: str,
    *,
    images: str | None = None,
    features_of: str | None = None,
    weights_dir: str | None = None,
    top: int = 20,
    out: str | Path | None = None,
    only: bool = False,
    form: str = "table",
    run: RunSettings = RunSettings(),
) -> None:
    """Print the worst strokes of `judged_strokes`, or write scribbles without them, or them alone.

    Parameters
    ----------
    top : int
        How many; 0: all.
    out : str, Path or None
        Folder of the scribbles; None prints.
    only : bool
        Write them alone.
    form : str
        `table`, `csv` or `json`.
    run : RunSettings

    Raises
    ------
    UsageError
        If options contradict each other, or `out` holds outputs of another run.
    """
    check_format(form)
    if only and out is None:
        raise UsageError("--only needs --out, the folder to write to")
    carry = None if out is None else _check_target(out, scribbles, form, run)
    if out is not None and not top and not only:
        raise UsageError("--out needs --top: of all strokes none would be left")
    found = judged_strokes(
        maps, scribbles, images=images, features_of=features_of, weights_dir=weights_dir, run=run
    )
    worst = found[: top or None]
    names = label_files.find_class_names(scribbles)
    if out is not None:
        in_images = _write(worst, scribbles, out, top=top, only=only, run=run, afterwards=carry)
        what = "written" if only else "left out"
        say(f"{what}: {len(worst)} of {len(found)} strokes, in {in_images} images", "suspects")
    elif form == "table":
        print(suspects_text(worst, names))
    else:
        rows = suspects_rows(worst, names)
        print(json.dumps(rows, indent=2) if form == "json" else records_csv(rows))


def _check_target(
    out: str | Path, scribbles: str, form: str, run: RunSettings
) -> Callable[[], None] | None:
    """Refuse, before the work, what cannot be written; gives what writes the classes' names."""
    if form != "table":
        raise UsageError("--format and --json are of the list, which --out replaces")
    if scribbles == STANDARD_INPUT:
        raise UsageError("--out reads SCRIBBLES twice: expected a folder or a file, not -")
    folder = output_folder(out, [label_input(scribbles, run, role="scribbles")])
    names = label_files.find_class_names(scribbles)
    return label_files.class_names_carrier(names, folder, overwrite=run.overwrite)


def _write(
    worst: Sequence[tuple[str, int, JudgedStroke]],
    scribbles: str,
    out: str | Path,
    *,
    top: int,
    only: bool,
    run: RunSettings,
    afterwards: Callable[[], None] | None,
) -> int:
    """Write scribbles without some strokes, or those alone; in how many images these are."""
    of_images: dict[str, list[int]] = {}
    for stem, number, _ in worst:
        of_images.setdefault(stem, []).append(number)
    listed = "".join(f"{stem}\0{number}\n" for stem, number, _ in worst)
    record = input_record(
        "suspects", f"{len(worst)} strokes", digest(listed.encode("utf-8", "surrogateescape"))
    )
    step = Step(
        "suspects",
        {"top": top, "only": only},
        kind="scribbles",
        compute=partial(_rewritten, of_images=of_images, only=only),
        is_named=True,
        shared=[record],
    )
    inputs = [label_input(scribbles, run, role="scribbles")]
    chosen = run.of(sorted(of_images)) if only else run
    run_step(step, inputs, out, chosen, afterwards=afterwards)
    if only and not run.dry_run:
        _remove_others(Path(out), of_images)
    return len(of_images)


def _remove_others(folder: Path, listed: Collection[str]) -> None:
    """Remove what an earlier list left in a folder: it would pass for a part of this one."""
    removed = 0
    for path in folder.rglob(f"*{label_files.SUFFIX}"):
        meta = label_files.read_meta(path)
        if meta is not None and meta["step"] == "suspects" and meta["stem"] not in listed:
            path.unlink()
            removed += 1
    if removed:
        say(f"removed {removed} images of an earlier list from {folder}", "suspects")


def _evidence(
    probability_map: ProbabilityMap,
    scribbles: NDArray[np.uint8],
    image: NDArray[np.uint8] | None = None,
    *,
    network: Callable[[NDArray[np.uint8]], Features] | None,
) -> Sequence[StrokeEvidence]:
    features = None if network is None or image is None else network(image)
    return stroke_evidence(probability_map, scribbles, image, features)


def _rewritten(
    scribbles: NDArray[np.uint8], *, stem: str, of_images: Mapping[str, Sequence[int]], only: bool
) -> NDArray[np.uint8]:
    """Scribbles without some strokes, or those alone."""
    is_listed = np.isin(drawn_strokes(scribbles).numbers, of_images.get(stem, []))
    return np.where(is_listed == only, scribbles, np.uint8(IGNORE_LABEL))
