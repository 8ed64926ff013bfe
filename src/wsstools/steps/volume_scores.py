"""Labels against ground truth, volume by volume: the slices of each are put together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.volume_agreement import (
    VolumeAgreement,
    VolumeMeans,
    mean_agreement,
    volume_agreement,
)
from wsstools.core.labels import class_name
from wsstools.errors import DataError, UsageError
from wsstools.files.names import last_number, named_examples
from wsstools.formats.label_files import find_class_names
from wsstools.running.join import Reader, Task, batches, check_joins
from wsstools.running.messages import say
from wsstools.running.settings import JobSettings
from wsstools.running.tasks import InputFiles, TaskOutcome, map_values, named_notes
from wsstools.steps.image_clusters import ClusterOf, cluster_rule
from wsstools.steps.inputs import check_truth, scored_inputs
from wsstools.view.tables import csv_text, volume_table

_STEPS = (1e-6, 1e6)
"""The least and the largest distance of neighbours."""
_PIXELS = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class ScoredVolumes:
    """Dice and HD95 of each class in each volume, and their means.

    `spacing` is None where HD95 is in pixels. The names of the classes come from the classes.txt
    that travels with the ground truth or labels.
    """

    means: VolumeMeans
    volumes: dict[str, VolumeAgreement]
    spacing: tuple[float, float, float] | None
    class_names: list[str] | None

    def as_text(self) -> str:
        """Tables for the terminal: of the classes, and of the volumes."""
        unit = "pixels"
        if self.spacing is not None:
            unit = f"in the unit of --spacing {','.join(f'{step:g}' for step in self.spacing)}"
        return volume_table(self.means, self.volumes, self.class_names, unit)

    def as_csv(self) -> str:
        """A line for the mean, for each class, and for each class of each volume; fractions.

        The mean of the classes has neither volume nor class, that of a class has no volume.
        """
        names, means = self.class_names, self.means
        rows: list[Sequence[object]] = [
            ("volume", "class", "name", "dice", "hd95", "only_in"),
            ("", "", "", means.dice, means.hd95, ""),
        ]
        rows += [
            ("", c, class_name(names, c), found.dice, found.hd95, "")
            for c, found in means.classes.items()
        ]
        rows += [
            (volume, c, class_name(names, c), one.dice, one.hd95, one.only_in)
            for volume, found in self.volumes.items()
            for c, one in found.classes.items()
        ]
        return csv_text(rows).rstrip("\n")

    def as_json(self) -> str:
        """All of it as JSON, fractions."""
        names, means = self.class_names, self.means
        answer = {
            "dice": means.dice,
            "hd95": means.hd95,
            "spacing": self.spacing,
            "classes": {
                class_name(names, c): {
                    "dice": found.dice,
                    "hd95": found.hd95,
                    "volumes": found.n_volumes,
                    "only_in_gt": found.n_only_gt,
                    "only_in_labels": found.n_only_labels,
                }
                for c, found in means.classes.items()
            },
            "absent": [class_name(names, c) for c in means.absent],
            "volumes": {
                volume: {
                    "slices": found.n_slices,
                    "classes": {
                        class_name(names, c): {
                            "dice": one.dice,
                            "hd95": one.hd95,
                            "only_in": one.only_in,
                        }
                        for c, one in found.classes.items()
                    },
                }
                for volume, found in self.volumes.items()
            },
        }
        return json.dumps(answer, indent=2)


def score_volumes(
    labels: str,
    gt: str,
    *,
    volumes: str,
    spacing: Sequence[float] | None = None,
    run: JobSettings = JobSettings(),
) -> ScoredVolumes:
    """Dice and HD95 of each class in each volume of a folder of labels of slices.

    Parameters
    ----------
    labels, gt : str
        Folders of index PNGs, files, or one of them `-`.
    volumes : str
        A regular expression whose first group, or else whole match, in the name of a slice is its
        volume; or a file with a name and a volume on each line. The last number in the names
        orders the slices.
    spacing : (Z, Y, X) of float or None
        Distance of slices, rows and columns; None: 1 pixel each.
    run : JobSettings
        Which images, and by which workers; a worker holds one volume at a time.

    Raises
    ------
    UsageError
        If an option is wrong, or `run` takes a share of the images.
    DataError
        If a name has no volume or its place in it is not clear, or there is nothing to score.
    SomeFailed
        If a volume failed.
    """
    steps = None if spacing is None else _checked_spacing(spacing)
    if run.share != (1, 1):
        raise UsageError("--shard does not go with --volumes: a share has slices of all volumes")
    volume_of = cluster_rule(volumes, run.rule, option="--volumes")
    inputs = scored_inputs(labels, gt, run)
    check_joins(inputs)
    slices = [task for block in batches(inputs, run) for task in block]
    tasks = _volume_tasks(slices, volume_of, volumes)
    readers = [entry.reader for entry in inputs]
    make = partial(_scored, readers=readers, spacing=steps or _PIXELS)
    found = dict(map_values("score", make, [tasks], inputs, run, n_tasks=len(tasks)))
    if not found:
        raise DataError("no image to score")
    check_truth(sorted({c for one in found.values() for c in one.gt_classes}), gt, "score")
    names = find_class_names(gt, labels)
    means = mean_agreement(list(found.values()), None if names is None else len(names))
    if not means.classes:
        raise DataError(f"no class but 0, the background, in {labels} and {gt}")
    return ScoredVolumes(means, found, steps, names)


def _checked_spacing(spacing: Sequence[float]) -> tuple[float, float, float]:
    least, largest = _STEPS
    if len(spacing) != 3 or not all(least <= step <= largest for step in spacing):
        given = ",".join(f"{step:g}" for step in spacing)
        raise UsageError(
            f"--spacing {given}: expected three numbers Z,Y,X from {least:g} to {largest:g}"
        )
    return spacing[0], spacing[1], spacing[2]


def _volume_tasks(slices: Sequence[Task], volume_of: ClusterOf, text: str) -> list[Task]:
    """A task for each volume, of the files of its slices in their order.

    `text` is what `--volumes` was given. DataError if a slice has no volume or no place in it.
    """
    grouped: dict[str, list[Task]] = {}
    for one in slices:
        volume = volume_of(one.stem)
        if volume is None:
            raise DataError(f"{one.stem}: no volume by --volumes {text}")
        grouped.setdefault(volume, []).append(one)
    tasks, with_gaps = [], []
    for volume, unordered in grouped.items():
        numbered = _numbered(unordered, volume, text)
        ordered = [numbered[number] for number in sorted(numbered)]
        if max(numbered) - min(numbered) >= len(numbered):
            with_gaps.append(volume)
        problems = [f"{one.stem}: {one.problem}" for one in ordered if one.problem is not None]
        paths = tuple(path for one in ordered for path in one.paths)
        tasks.append(Task(volume, paths, problem=problems[0] if problems else None))
    if with_gaps:
        say(
            f"warning: numbers of slices are missing in {len(with_gaps)} of {len(tasks)} volumes: "
            f"{named_examples(with_gaps)}; the slices before and after count as neighbours",
            "score",
        )
    if len(tasks) == len(slices) > 1:
        say(
            f"warning: each of the {len(tasks)} volumes has one slice; does --volumes {text} match "
            "the number of the slice, too?",
            "score",
        )
    return tasks


def _numbered(slices: Sequence[Task], volume: str, text: str) -> dict[int, Task]:
    """The slices of a volume by the last number in their names."""
    if len(slices) == 1:
        return {0: slices[0]}
    found: dict[int, Task] = {}
    for one in slices:
        number = last_number(one.stem)
        if number is None:
            raise DataError(f"{one.stem}: no number in its name, by which slices are ordered")
        other = found.setdefault(number, one)
        if other is not one:
            raise DataError(
                f"{other.stem} and {one.stem} are both slice {number} (the last number in a name) "
                f"of volume {volume!r}: does --volumes {text} join several volumes? --suffix "
                "leaves ends of names out"
            )
    return found


def _scored(
    task: Task, *, readers: Sequence[Reader], spacing: tuple[float, float, float]
) -> TaskOutcome[VolumeAgreement]:
    """One volume in a worker; its files are labels and ground truth of each slice in turn."""
    files = InputFiles.read(task, list(readers) * (len(task.paths) // len(readers)))
    decoded = files.decode()
    planes = [cast("NDArray[np.uint8]", part.value) for part in decoded]
    for name, plane in zip(files.names, planes, strict=True):
        if plane.shape != planes[0].shape:
            raise DataError(
                f"{name} has shape {plane.shape}, {files.names[0]} {planes[0].shape} (H, W); "
                "expected slices of one size in a volume"
            )
    value = volume_agreement(np.stack(planes[::2]), np.stack(planes[1::2]), spacing)
    notes = tuple(named_notes(files.names, decoded))
    return TaskOutcome(task.stem, "done", notes=notes, value=value)
