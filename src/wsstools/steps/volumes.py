"""Slices put together again as the volumes that they were cut from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL, check_class_ids, class_name
from wsstools.core.volumes.settings import AXES
from wsstools.core.volumes.slicing import stacked, voxel_values
from wsstools.errors import DataError, UsageError
from wsstools.files import npy
from wsstools.files.atomic import write_atomic
from wsstools.files.damage import reading
from wsstools.files.limits import check_map, read_file
from wsstools.files.provenance import Json, Meta, digest, input_record, set_record
from wsstools.files.targets import is_taken
from wsstools.formats import label_files, map_files, nnunet_files, volume_files
from wsstools.formats.label_files import class_count, find_class_names
from wsstools.running.join import Input, Task
from wsstools.running.messages import say
from wsstools.running.outputs import Form
from wsstools.running.settings import RunSettings
from wsstools.running.sources import Source
from wsstools.running.step import Step
from wsstools.steps.volume_tasks import Cases, Made, Writer, open_source, run_cases

_SLICE = re.compile(r"(?P<case>.+)_(?P<axis>[xyz])(?P<place>\d{4,})")
_MAPS = Form(map_files.SUFFIX, volume_files.encode_maps, map_files.read_meta, npy.check_sums)
_MOST_SHOWN = 5


def volumes(
    slices: str,
    out: str | Path,
    *,
    like: str,
    missing: int = IGNORE_LABEL,
    first_class: int = 0,
    nnunet: bool = False,
    channel_names: Sequence[str] | None = None,
    n_classes: int | None = None,
    run: RunSettings = RunSettings(),
) -> None:
    """Write the volume of the slices of each case, labels as NIfTI and maps as nnU-Net's `.npz`.

    Parameters
    ----------
    slices : str
        Labels or maps called `CASE_z0012`: a folder, a file, or `-`.
    out : str or Path
        Folder to write to; made if missing.
    like : str
        The volumes that were cut: their headers and affines are those of the labels.
    missing : int
        The class of slices that are missing; in maps all classes are equally probable.
    first_class : int
        The value of class 0 in the volumes, as `slices` has it.
    nnunet : bool
        `out` is the folder of a data set of nnU-Net: labels go to labelsTr, with the value after
        the last class where there is none, the volumes to imagesTr, and dataset.json says so.
        Classes from the value 1 on leave 0 to a background that no voxel has.
    channel_names : sequence of str or None
        With `nnunet`, what the channels are called; "CT" chooses its normalization.
    n_classes : int or None
        With `nnunet`; None: the lines of the classes.txt that travels along.
    run : RunSettings
        Which cases, and how they are computed.

    Raises
    ------
    UsageError
        If an option does not fit, or `out` holds outputs of another run.
    SomeFailed
        If a case failed; the others are done.
    """
    cut = _open_slices(slices, run)
    if cut.is_map and (nnunet or first_class):
        raise UsageError(f"{'--nnunet' if nnunet else '--first-class'} is for labels, not for maps")
    like_source = open_source(like, volume_files.SUFFIXES, "volume", run)
    originals = Cases.of(like_source, has_channels=True)
    originals.check_like(sorted(cut.cases), slices, like)
    tasks = [_task(case, cut, originals, like, nnunet) for case in run.choose(sorted(cut.cases))]
    names, folder = find_class_names(slices), Path(out)
    options: dict[str, Json] = {} if cut.is_map else {"missing": missing}
    if first_class:
        options["first"] = first_class
    afterwards: Callable[[], None] | None = None
    count = class_count(n_classes, slices) if nnunet else None
    if count is not None:
        if missing != IGNORE_LABEL and missing >= count:
            raise UsageError(f"--missing {missing}: expected a class below {count}, or 255")
        if first_class > 1 or count + first_class > IGNORE_LABEL:
            raise UsageError(
                f"--first-class {first_class}: nnU-Net wants values without gaps up to 255, from 0 "
                "or 1 on"
            )
        options["nnunet"] = count
        channels = channel_names or ["image", *(f"image {k}" for k in range(1, _count(tasks)))]
        if len(channels) != _count(tasks):
            raise UsageError(f"--channel-names: the volumes have {_count(tasks)} channels")
        dataset_file = folder / nnunet_files.DATASET_FILE
        _check_dataset_file(dataset_file, run)
        of_values = [*[nnunet_files.BACKGROUND] * first_class, *(names or ())]
        known = [class_name(of_values, value) for value in range(first_class + count)]
        afterwards = partial(_write_dataset_file, dataset_file, known, channels)
        folder = folder / nnunet_files.LABELS_FOLDER
    elif not cut.is_map and not first_class:  # classes.txt names the values from 0 on
        afterwards = label_files.class_names_carrier(names, folder, overwrite=run.overwrite)
    step = Step("volumes", options, kind="prob" if cut.is_map else "labels")
    writer = Writer.of(step, _MAPS if cut.is_map else _LABELS, run)
    listed = label_files.find_classes_file(slices) if n_classes is None else None
    values = _Values(first_class, count, str(listed or "--n-classes"))
    make = partial(_make, writer=writer, missing=missing, values=values)
    inputs = [
        Input("map" if cut.is_map else "labels", cut.source, map_files.decode_map),
        Input("like", like_source, volume_files.decode_volume),
    ]
    run_cases(
        writer, make, tasks, inputs, folder, run, warnings=cut.warnings, afterwards=afterwards
    )


@dataclass(frozen=True)
class _Values:
    """What the values of labels are: that of class 0, and in nnU-Net's how many classes `names`
    names; None otherwise."""

    first: int
    n_classes: int | None
    names: str

    def of(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The values of class ids; nnU-Net ignores the value after the last class."""
        if self.n_classes is None:
            return voxel_values(labels, first=self.first)
        check_class_ids(labels, self.n_classes, self.names)
        return voxel_values(labels, unlabelled=self.first + self.n_classes, first=self.first)


def _encode_labels(value: tuple[NDArray[np.uint8], bytes, str], meta: Meta) -> bytes:
    labels, like, name = value
    return volume_files.encode_labels_like(labels, like, name, meta)


_LABELS = Form(volume_files.SUFFIX, _encode_labels, volume_files.read_meta, volume_files.check_sums)


@dataclass(frozen=True)
class _Slices:
    """The slices in a folder: of each case the axis and the files by their places."""

    source: Source
    cases: Mapping[str, Mapping[str, Mapping[int, Path]]]
    problems: Mapping[str, str]
    is_map: bool
    warnings: Sequence[str]


@dataclass(frozen=True)
class _CaseTask(Task):
    """The files of one case: `n_like` volumes that are like it, then its slices by place."""

    n_like: int = 1
    axis: str = ""
    places: tuple[int, ...] = ()


def _open_slices(argument: str, run: RunSettings) -> _Slices:
    suffixes = (*label_files.SUFFIXES, *map_files.SUFFIXES)
    source = open_source(argument, suffixes, "slices", run)
    cases: dict[str, dict[str, dict[int, Path]]] = {}
    problems, others, kinds = {}, [], set()
    for stem in source.stems:
        match = _SLICE.fullmatch(stem)
        if match is None:
            others.append(stem)
            continue
        axes = cases.setdefault(match["case"], {})
        try:
            path = source.find(stem)
        except DataError as error:
            problems[match["case"]] = str(error)
            continue
        kinds.add(path.suffix.lower() in map_files.SUFFIXES)
        axes.setdefault(match["axis"], {})[int(match["place"])] = path
    if not cases:
        raise UsageError(
            f"no slices in {argument}: expected names such as CASE_z0012, found {others[0]!r}"
        )
    if len(kinds) > 1:
        raise UsageError(f"{argument} holds both labels and maps; expected files of one kind")
    warnings = [f"not slices such as CASE_z0012: {name}" for name in others[:1]]
    if len(others) > 1:
        warnings = [f"{warnings[0]} and {len(others) - 1} more files"]
    return _Slices(source, cases, problems, True in kinds, warnings)


def _task(
    case: str, cut: _Slices, originals: Cases, like: str, has_all_channels: bool
) -> _CaseTask:
    place = cut.source.argument
    axes = cut.cases.get(case)
    if axes is None:
        return _CaseTask(case, problem=f"no slices with that name in {place}")
    if case in cut.problems:
        return _CaseTask(case, problem=cut.problems[case])
    if len(axes) > 1:
        return _CaseTask(case, problem=f"{place} has its slices along {' and '.join(axes)}")
    if case not in originals.files:
        return _CaseTask(case, problem=originals.like_problem(case, like))
    channels = [path for _, path in sorted(originals.files[case].items())]
    channels = channels if has_all_channels else channels[:1]
    ((axis, files),) = axes.items()
    places = tuple(sorted(files))
    paths = (*channels, *(files[k] for k in places))
    return _CaseTask(case, paths, n_like=len(channels), axis=axis, places=places)


def _make(task: _CaseTask, *, writer: Writer, missing: int, values: _Values, folder: Path) -> Made:
    """The volume of one case."""
    paths = [path for path in task.paths if isinstance(path, Path)]
    contents = [read_file(path) for path in paths]
    like, parts = contents[: task.n_like], contents[task.n_like :]
    part_names = [path.name for path in paths[task.n_like :]]
    is_map = writer.step.kind == "prob"
    if values.n_classes is not None and not writer.is_dry:
        _write_images(task, paths[: task.n_like], like, folder.parent, writer.overwrite)
    role = "map" if is_map else "labels"
    records = [
        input_record("like", paths[0].name, digest(like[0])),
        set_record(role, part_names, [digest(part) for part in parts]),
    ]
    settled = writer.settled(folder, task.stem, records, paths)
    if settled is not None:
        return [settled]
    name = str(paths[0])
    shape = volume_files.shape_of(like[0], name)[:3]
    named = list(zip(task.places, parts, map(str, paths[task.n_like :]), strict=True))
    absent = sorted({*range(shape[AXES.index(task.axis)])} - {*task.places})
    result: dict[str, Json] = {"missing": len(absent)}
    with reading(f"{name} ({task.stem})", errors=ValueError):
        value: object
        if is_map:
            value, meta = _dense(named, shape, task.axis)
        else:
            labels, meta = _labels(named, shape, task.axis, missing)
            if values.n_classes is not None:
                result["ignored"] = int((labels == IGNORE_LABEL).sum())
            value = (values.of(labels), like[0], name)
    if meta is not None:
        records[1] = {**records[1], "made_by": meta}
    filling = "of equal probabilities" if is_map else f"of label {missing}"
    notes = [f"{_listed(absent)} missing, now {filling}"] if absent else []
    return [writer.write(folder, task.stem, value, records, result=result, notes=notes)]


def _labels(
    named: Sequence[tuple[int, bytes, str]], shape: tuple[int, ...], axis: str, missing: int
) -> tuple[NDArray[np.uint8], Meta | None]:
    """The volume of slices, each with its place and name, and the record of the first."""
    decoded = {k: label_files.decode_labels(data, name) for k, data, name in named}
    planes = {k: part.value for k, part in decoded.items()}
    volume = stacked(planes, shape, AXES.index(axis), np.array(missing, np.uint8))
    return cast("NDArray[np.uint8]", volume), decoded[named[0][0]].meta


def _dense(
    named: Sequence[tuple[int, bytes, str]], shape: tuple[int, ...], axis: str
) -> tuple[NDArray[np.float16], Meta | None]:
    """Probabilities (C, Z, Y, X) of maps; where one is missing all classes are equally probable."""
    first = map_files.decode_map(named[0][1], named[0][2])
    n_classes = first.value.n_classes
    check_map(n_classes * math.prod(shape))
    volume = np.full((n_classes, *shape), 1 / n_classes, np.float16)
    for place, data, name in named:
        found = map_files.decode_map(data, name).value
        if found.n_classes != n_classes:
            raise ValueError(f"slices have {n_classes} and {found.n_classes} classes")
        places = np.moveaxis(volume, AXES.index(axis) + 1, 0)
        if place >= len(places):
            raise ValueError(f"slice {place} of a volume of {len(places)} slices")
        if found.shape != places.shape[2:]:
            raise ValueError(f"slice {place} has shape {found.shape}, expected {places.shape[2:]}")
        places[place] = found.dense()
    return volume, first.meta


def _listed(places: Sequence[int]) -> str:
    shown = ", ".join(map(str, places[:_MOST_SHOWN]))
    more = f" and {len(places) - _MOST_SHOWN} more" if len(places) > _MOST_SHOWN else ""
    return f"{'slices' if len(places) > 1 else 'slice'} {shown}{more}"


def _write_images(
    task: _CaseTask, paths: Sequence[Path], contents: Sequence[bytes], out: Path, overwrite: bool
) -> None:
    """Copy the channels of a case into nnU-Net's folder of images, unless they are there."""
    for channel, (path, data) in enumerate(zip(paths, contents, strict=True)):
        if volume_files.shape_of(data, str(path))[3] > 1:
            raise DataError(f"{path}: has a fourth axis; nnU-Net wants a file a channel")
        name = f"{task.stem}_{channel:04d}{volume_files.SUFFIX}"
        target = out / nnunet_files.IMAGES_FOLDER / name
        is_there = is_taken(target, overwrite=overwrite)
        if is_there and target.samefile(path):
            continue
        packed = volume_files.encode_compressed(data)
        if is_there and read_file(target) == packed:
            continue
        if is_there and not overwrite:
            raise UsageError(f"{target} exists and is not {path}; give --overwrite")
        write_atomic(target, packed)


def _count(tasks: Sequence[_CaseTask]) -> int:
    """How many channels the cases have; UsageError if they differ."""
    counts = {task.n_like for task in tasks if task.problem is None}
    if len(counts) > 1:
        raise UsageError(f"cases have {' and '.join(map(str, sorted(counts)))} channels")
    return next(iter(counts), 1)


def _check_dataset_file(path: Path, run: RunSettings) -> None:
    is_there = is_taken(path, overwrite=run.overwrite)
    if is_there and not run.overwrite and not nnunet_files.is_ours(path):
        raise UsageError(f"{path} exists and was not made by wss; move it, or give --overwrite")


def _write_dataset_file(path: Path, names: Sequence[str], channels: Sequence[str]) -> None:
    """dataset.json of all labels in the folder, those of earlier runs too."""
    folder = path.parent / nnunet_files.LABELS_FOLDER
    metas = [
        volume_files.read_meta(each)
        for each in sorted(folder.glob(f"*{volume_files.SUFFIX}"))
        if not each.name.startswith(".")
    ]
    results = [meta.get("result", {}) for meta in metas if meta is not None]
    if not results:
        return
    has_ignored = any(result.get("ignored") for result in results)
    data = nnunet_files.encode_dataset(names, channels, len(results), has_ignored=has_ignored)
    if not path.exists() or read_file(path) != data:
        write_atomic(path, data)
    if names[0] not in (nnunet_files.BACKGROUND, "0"):
        say(f"class 0 ({names[0]}) is called background in {path}, as nnU-Net wants", "volumes")
