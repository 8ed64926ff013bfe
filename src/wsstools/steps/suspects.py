"""Strokes that may be wrong: a list, or scribbles without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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
from wsstools.running.join import stream_among
from wsstools.running.messages import say
from wsstools.running.settings import STANDARD_INPUT, JobSettings, RunSettings
from wsstools.running.step import Step, run_step
from wsstools.running.tasks import map_images
from wsstools.steps.held_out import warn_unless_held_out
from wsstools.steps.inputs import check_format, image_input, label_input, map_input
from wsstools.view.strokes.suspects import suspects_csv, suspects_rows, suspects_text


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
    inputs = [map_input(maps, run), label_input(scribbles, run, role="scribbles", is_optional=True)]
    if images is not None:
        inputs.append(image_input(images, run))
    stream = stream_among(inputs)
    if stream is not None:
        stream.read_whole()
    found = dict(map_images("suspects", partial(_evidence, network=network), inputs, run))
    stems = [stem for stem, strokes in found.items() if strokes]
    if not stems:
        raise DataError(f"no stroke in {scribbles}")
    warn_unless_held_out(inputs[0].source, stems[0], "suspects")
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
    if out is not None and not top:
        raise UsageError("--out needs --top: of all strokes none would be left")
    if out is not None and scribbles == STANDARD_INPUT:
        raise UsageError("--out reads SCRIBBLES twice: expected a folder or a file, not -")
    found = judged_strokes(
        maps, scribbles, images=images, features_of=features_of, weights_dir=weights_dir, run=run
    )
    worst = found[: top or None]
    names = label_files.find_class_names(scribbles)
    if out is not None:
        in_images = _write(worst, names, scribbles, out, top=top, only=only, run=run)
        what = "written" if only else "left out"
        say(f"{what}: {len(worst)} of {len(found)} strokes, in {in_images} images", "suspects")
    elif form == "json":
        print(json.dumps(suspects_rows(worst, names), indent=2))
    else:
        print((suspects_csv if form == "csv" else suspects_text)(worst, names))


def _write(
    worst: Sequence[tuple[str, int, JudgedStroke]],
    names: Sequence[str] | None,
    scribbles: str,
    out: str | Path,
    *,
    top: int,
    only: bool,
    run: RunSettings,
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
    carry = label_files.class_names_carrier(names, Path(out), overwrite=run.overwrite)
    inputs = [label_input(scribbles, run, role="scribbles")]
    run_step(step, inputs, out, run.of(sorted(of_images)) if only else run, afterwards=carry)
    return len(of_images)


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
