"""Volumes cut into pictures, labels, scribbles or maps, one a slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.stored_maps import checked_map
from wsstools.core.volumes.settings import AXES, KINDS, SliceSettings
from wsstools.core.volumes.slicing import class_ids, grey_levels, intensity_range
from wsstools.errors import DataError, UsageError
from wsstools.files.damage import reading
from wsstools.files.limits import read_file
from wsstools.files.provenance import InputRecord, Json, input_record
from wsstools.formats import image_files, map_files, nnunet_files, volume_files
from wsstools.formats.label_files import class_names_carrier, find_class_names
from wsstools.formats.volume_files import Volume
from wsstools.running.join import Input, Reader, Task
from wsstools.running.messages import say
from wsstools.running.outputs import FORMS, Kind, Output
from wsstools.running.settings import RunSettings
from wsstools.running.step import Step
from wsstools.running.tasks import InputFiles, TaskOutcome, named_notes
from wsstools.steps.volume_tasks import Cases, Made, Writer, open_source, run_cases

_OUTPUTS: Mapping[str, Kind] = {
    "image": "picture", "labels": "labels", "scribbles": "scribbles", "maps": "prob"
}  # fmt: skip
_SUFFIXES = {
    "image": (*volume_files.SUFFIXES, *image_files.SUFFIXES),
    "labels": (*volume_files.SUFFIXES, *volume_files.STACK_SUFFIXES),
    "scribbles": (*volume_files.SUFFIXES, *volume_files.STACK_SUFFIXES),
    "maps": map_files.SUFFIXES,
}
_DECODERS: Mapping[str, Callable[..., object]] = {
    "image": volume_files.decode_volume,
    "labels": volume_files.decode_labels,
    "scribbles": volume_files.decode_labels,
    "maps": volume_files.decode_maps,
}
_MOST_CHANNELS = 3
_SAME_PLACE = 1e-3
"""Millimetres and shares by which the affines of a volume and its like may differ."""
_MOST_SCRIBBLED = 0.5
"""The share of a volume that strokes hardly exceed."""
_STATED = "(--unlabelled 0 --first-class 1 for ITK-SNAP and 3D Slicer)"


def slices(
    volumes: str,
    out: str | Path,
    *,
    settings: SliceSettings = SliceSettings(),
    like: str | None = None,
    skip_empty: bool = False,
    run: RunSettings = RunSettings(),
) -> None:
    """Write each slice of each volume as a file `CASE_z0012`, which the other steps read.

    Parameters
    ----------
    volumes : str
        NIfTI files, stacks in TIFF or maps of nnU-Net: a folder, a file, or `-`.
    out : str or Path
        Folder to write to; made if missing.
    settings : SliceSettings
        What is cut, along which axis, and what the values mean.
    like : str or None
        Volumes whose shape and affine must be those of `volumes`.
    skip_empty : bool
        Leave out slices of scribbles or labels in which no pixel has a class.
    run : RunSettings
        Which cases, and how they are computed.

    Raises
    ------
    UsageError
        If an option does not fit, or `out` holds outputs of another run.
    SomeFailed
        If a case failed; the others are done.
    """
    kind = settings.kind
    cut = _cut_of(settings, volumes)
    if skip_empty and kind not in ("labels", "scribbles"):
        raise UsageError("--skip-empty is for --kind labels and scribbles")
    source = open_source(volumes, _SUFFIXES[kind], "volume", run)
    cases = Cases.of(source, has_channels=kind == "image")
    inputs = [Input(kind, source, volume_files.decode_volume)]
    others = None
    if like is not None:
        like_source = open_source(like, volume_files.SUFFIXES, "volume", run)
        others = Cases.of(like_source, has_channels=True)
        others.check_like(cases.names, volumes, like)
        inputs.append(Input("like", like_source, volume_files.decode_volume))
    tasks = [
        _task(case, cases, others, cut.channels, volumes, like) for case in run.choose(cases.names)
    ]
    step = Step("slices", cut.options, kind=_OUTPUTS[kind])
    writer = Writer.of(step, FORMS[step.kind], run)
    make = partial(_make, cut=cut, writer=writer, has_like=like is not None, skip_empty=skip_empty)
    names = None if kind == "image" else _class_names(volumes, cut.first)
    carry = class_names_carrier(names, Path(out), overwrite=run.overwrite)
    warning_of = partial(_warning, first=cut.first) if kind == "scribbles" else None
    run_cases(writer, make, tasks, inputs, out, run, warning_of=warning_of, afterwards=carry)


@dataclass(frozen=True)
class _Cut:
    """How volumes are cut, the options checked."""

    kind: str
    axis: str
    window: tuple[float, float] | None
    percentiles: tuple[float, float]
    channels: tuple[int, ...]
    unlabelled: int
    first: int

    @property
    def options(self) -> dict[str, Json]:
        """Those that change bytes."""
        options: dict[str, Json] = {"kind": self.kind, "axis": self.axis}
        if self.kind in ("labels", "scribbles"):
            options |= {"unlabelled": self.unlabelled, "first": self.first}
        elif self.kind == "image":
            is_stated = self.window is not None
            options["window" if is_stated else "percentiles"] = list(
                self.window or self.percentiles
            )
            if self.channels:
                options["channels"] = list(self.channels)
        return options


def _cut_of(settings: SliceSettings, volumes: str) -> _Cut:
    if settings.kind not in KINDS:
        raise UsageError(f"--kind {settings.kind}: expected one of {', '.join(KINDS)}")
    if settings.axis not in AXES:
        raise UsageError(f"--axis {settings.axis}: expected one of {', '.join(AXES)}")
    defaults = SliceSettings()
    for_images = ("window", "percentiles", "channels")
    for_labels = ("unlabelled", "first_class")
    of_others = {"image": for_labels, "maps": (*for_images, *for_labels)}.get(
        settings.kind, for_images
    )
    for name in of_others:
        if getattr(settings, name) != getattr(defaults, name):
            raise UsageError(f"--{name.replace('_', '-')} is not for --kind {settings.kind}")
    window = None if settings.window is None else _range("--window", settings.window)
    percentiles = _range("--percentiles", settings.percentiles)
    if not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise UsageError(f"--percentiles {settings.percentiles}: expected values in 0 to 100")
    unlabelled = settings.unlabelled
    if unlabelled is None and settings.kind in ("labels", "scribbles"):
        found = None if volumes == "-" else nnunet_files.find_label_names(volumes)
        unlabelled = None if found is None else found.ignore
    return _Cut(
        settings.kind,
        settings.axis,
        window,
        percentiles,
        _channels(settings.channels),
        IGNORE_LABEL if unlabelled is None else unlabelled,
        settings.first_class,
    )


def _range(option: str, text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} {text}: expected two numbers such as 0,4095") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise UsageError(f"{option} {text}: expected two numbers, the lower one first")
    return low, high


def _channels(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    parts = text.split(",")
    if len(parts) not in (1, _MOST_CHANNELS) or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--channels {text}: expected one number or three, such as 0,1,2")
    return tuple(int(part) for part in parts)


def _class_names(volumes: str, first: int) -> list[str] | None:
    """Those of classes.txt, or else those of dataset.json from the value `first` on."""
    names = find_class_names(volumes)
    found = None if names is not None or volumes == "-" else nnunet_files.find_label_names(volumes)
    if found is None:
        return names
    if found.why_unnamed is not None:
        say(f"warning: {found.why_unnamed}: no classes.txt is written; write one", "slices")
    return list(found.names or ())[first:] or None


@dataclass(frozen=True)
class _VolumeTask(Task):
    """The file of a case, or those of its channels; `channels` are those to choose in the file."""

    channels: tuple[int, ...] = ()


def _task(
    case: str,
    cases: Cases,
    others: Cases | None,
    channels: tuple[int, ...],
    place: str,
    like: str | None,
) -> _VolumeTask:
    files = cases.files.get(case)
    if files is None:
        return _VolumeTask(case, problem=cases.problem(case, place))
    listed = ", ".join(f"{channel:04d}" for channel in files)
    if len(files) > 1 and not channels:
        return _VolumeTask(case, problem=f"has channels {listed}; --channels chooses one or three")
    missing = [channel for channel in channels if len(files) > 1 and channel not in files]
    if missing:
        return _VolumeTask(
            case, problem=f"has channels {listed}, not {missing[0]:04d} (--channels)"
        )
    paths = [files[c] for c in channels] if len(files) > 1 else list(files.values())
    if others is not None:
        if case not in others.files:
            return _VolumeTask(case, problem=others.like_problem(case, str(like)))
        other = next(iter(others.files[case].values()))
        if other.exists() and any(path.exists() and path.samefile(other) for path in paths):
            return _VolumeTask(
                case,
                problem=f"--like: {other} is this volume itself; give the one that it must be "
                "like, with --suffix where its name ends differently",
            )
        paths.append(other)
    return _VolumeTask(case, tuple(paths), channels=channels if len(files) == 1 else ())


def _make(
    task: _VolumeTask, *, cut: _Cut, writer: Writer, has_like: bool, skip_empty: bool, folder: Path
) -> Made:
    """The slices of one case."""
    paths = [path for path in task.paths if isinstance(path, Path)]
    own = Task(task.stem, tuple(paths[:-1] if has_like else paths))
    reader = Reader(cut.kind, _DECODERS[cut.kind])  # type: ignore[arg-type]
    files = InputFiles.read(own, [reader] * len(own.paths))
    done = [] if has_like else _up_to_date(task.stem, files.records, cut, writer, folder)
    if done:
        return done
    decoded = files.decode()
    volumes = [part.value for part in decoded if isinstance(part.value, Volume)]
    if has_like:
        shape = volumes[0].values.shape
        _check_like(
            shape[1:] if cut.kind == "maps" else shape[:3],
            volumes[0].affine,
            files.names[0],
            paths[-1],
        )
    records = [
        input_record(entry["role"], entry["name"], entry["blake2b"], part.meta)
        for entry, part in zip(files.records, decoded, strict=True)
    ]
    with reading(" and ".join(files.names), errors=ValueError):
        parts = _parts(task.stem, volumes, cut, task.channels)
    made: list[TaskOutcome[object]] = []
    for k in range(parts.count):
        stem = task.stem if volumes[0].is_picture else _slice_name(task.stem, cut.axis, k)
        settled = writer.settled(folder, stem, records, paths)
        if settled is not None and settled.status != "new":
            made.append(settled)
            continue
        with reading(f"{' and '.join(files.names)}: slice {k}", errors=ValueError):
            output = parts.output(k)
        is_there = writer.target(folder, stem).exists()
        if skip_empty and not is_there and (np.asarray(output) == IGNORE_LABEL).all():
            made.append(TaskOutcome(stem, "missing", text="no pixel with a class"))
        elif settled is not None:
            made.append(settled)
        else:
            notes = (*named_notes(files.names, decoded), *parts.notes) if k == 0 else ()
            result = {"slices": parts.count, **parts.result}
            made.append(writer.write(folder, stem, output, records, result=result, notes=notes))
    return [replace(made[0], value=parts.labelled), *made[1:]] if made else made


def _slice_name(case: str, axis: str, k: int) -> str:
    return f"{case}_{axis}{k:04d}"


def _up_to_date(
    case: str, records: Sequence[InputRecord], cut: _Cut, writer: Writer, folder: Path
) -> list[TaskOutcome[None]]:
    """The slices of a case if all are up to date, which the first says how many they are."""
    names = [case, _slice_name(case, cut.axis, 0)]
    first = next((name for name in names if writer.target(folder, name).exists()), None)
    meta = writer.form.read_meta(writer.target(folder, first)) if first else None
    count = meta.get("result", {}).get("slices") if meta else None
    if not isinstance(count, int) or first is None:
        return []
    stems = [first] if first == case else [_slice_name(case, cut.axis, k) for k in range(count)]
    targets = [writer.target(folder, stem) for stem in stems]
    form = writer.form
    if not all(
        path.exists() and form.is_up_to_date(path, form.read_meta(path), writer.step, records)
        for path in targets
    ):
        return []
    return [
        TaskOutcome(stem, "up to date", path=path)
        for stem, path in zip(stems, targets, strict=True)
    ]


def _check_like(
    shape: tuple[int, ...], affine: NDArray[np.float64] | None, name: str, like: Path
) -> None:
    """Raise DataError unless a volume has the shape and the affine of another."""
    data = read_file(like)
    expected = volume_files.shape_of(data, str(like))[:3]
    if shape != expected:
        raise DataError(f"{name}: shape {shape} (Z, Y, X), but {like} has {expected}")
    place = volume_files.affine_of(data, str(like))
    if affine is not None and not np.allclose(affine, place, _SAME_PLACE, _SAME_PLACE):
        raise DataError(
            f"{name}: its affine differs from that of {like}, so their voxels are not at the same "
            "places"
        )


@dataclass(frozen=True)
class _Labelled:
    """How much of a volume of scribbles has a class, and whether some of it has class 0."""

    case: str
    share: float
    has_first: bool


def _warning(volumes: Sequence[object], *, first: int) -> str | None:
    """What is odd about the scribbles of a run, if something is; `first` is the value of class 0.

    Of volumes that were not read, since they failed or their slices are up to date, nothing is
    known.
    """
    known = [volume for volume in volumes if isinstance(volume, _Labelled)]
    full = [volume for volume in known if volume.share > _MOST_SCRIBBLED]
    if full:
        more = f" (and of {len(full) - 1} more)" if len(full) > 1 else ""
        return (
            f"warning: {full[0].share:.0%} of the voxels of {full[0].case!r}{more} have a class; "
            f"is it an image, or which value is unlabelled? {_STATED}"
        )
    is_labelled = any(volume.share for volume in known)
    if is_labelled and len(known) == len(volumes) and not any(v.has_first for v in known):
        return (
            f"warning: no voxel has class 0, which is the value {first}; which value is the first "
            f"class? {_STATED}"
        )
    return None


@dataclass(frozen=True)
class _Parts:
    """The slices of a volume: how many, what makes one, numbers for its record, and notes.

    `labelled` is of scribbles.
    """

    count: int
    output: Callable[[int], Output]
    result: Mapping[str, Json]
    notes: tuple[str, ...] = ()
    labelled: _Labelled | None = None


def _parts(case: str, volumes: Sequence[Volume], cut: _Cut, channels: Sequence[int]) -> _Parts:
    """ValueError if the volumes do not fit the options."""
    axis = AXES.index(cut.axis)
    if cut.kind == "image":
        return _images(_channel_arrays(volumes, channels), cut, axis)
    values = volumes[0].values
    if cut.kind == "maps":
        classes = np.arange(len(values))
        return _Parts(
            values.shape[axis + 1],
            lambda k: checked_map(np.take(values, k, axis + 1), classes, len(values)),
            {},
        )
    if values.ndim != 3:
        raise ValueError(f"its shape is {values.shape}, expected (Z, Y, X)")
    ids = class_ids(values, unlabelled=cut.unlabelled, first=cut.first)
    labelled = None
    if cut.kind == "scribbles" and ids.size:
        share = float((ids != IGNORE_LABEL).mean())
        labelled = _Labelled(case, share, bool((ids == 0).any()))
    return _Parts(ids.shape[axis], lambda k: np.take(ids, k, axis), {}, labelled=labelled)


def _images(arrays: Sequence[AnyArray], cut: _Cut, axis: int) -> _Parts:
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
        raise ValueError(f"its channels have shapes {', '.join(map(str, shapes))}")
    if cut.window is not None:
        ranges = [cut.window] * len(arrays)
    else:
        ranges = [intensity_range(array, cut.percentiles) for array in arrays]
    n_odd = sum(int((~np.isfinite(a)).sum()) for a in arrays if a.dtype.kind == "f")

    def picture(k: int) -> Output:
        planes = [
            grey_levels(np.take(array, k, axis), *limits)
            for array, limits in zip(arrays, ranges, strict=True)
        ]
        if planes[0].ndim == 3:  # colours
            return planes[0]
        return np.stack(planes * (_MOST_CHANNELS // len(planes)), axis=-1)

    low, high = ([limits[end] for limits in ranges] for end in (0, 1))
    result: dict[str, Json] = {"low": low, "high": high}
    notes = (f"{n_odd} voxels are not finite and become black or white",) if n_odd else ()
    return _Parts(shapes[0][axis], picture, result, notes)


def _channel_arrays(volumes: Sequence[Volume], channels: Sequence[int]) -> list[AnyArray]:
    """One array of grey or of colours, or three of channels."""
    if len(volumes) > 1:
        if any(volume.values.ndim != 3 for volume in volumes):
            raise ValueError("its channels are not (Z, Y, X) each")
        affines = [volume.affine for volume in volumes if volume.affine is not None]
        if any(not np.allclose(affines[0], affine, _SAME_PLACE, _SAME_PLACE) for affine in affines):
            raise ValueError("the affines of its channels differ")
        return [volume.values for volume in volumes]
    values = volumes[0].values
    is_colour = values.ndim == 4 and volumes[0].affine is None
    if not channels:
        if values.ndim == 4 and not is_colour:
            raise ValueError(f"it has {values.shape[3]} channels; --channels chooses one or three")
        return [values]
    n_channels = values.shape[3] if values.ndim == 4 else 1
    if max(channels) >= n_channels:
        raise ValueError(f"it has {n_channels} channels, not {max(channels)} (--channels)")
    return [values[..., c] if values.ndim == 4 else values for c in channels]
