"""A segmentation network from images and labels."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsstools.core.compiled.processor import processor
from wsstools.core.labels import IGNORE_LABEL
from wsstools.errors import DataError, OutputsToMake, UsageError, WssError, naming
from wsstools.files.atomic import remove_leftovers, write_atomic
from wsstools.files.limits import read_file
from wsstools.files.names import named_examples, why_nothing_joins
from wsstools.files.provenance import (
    InputRecord,
    Json,
    Meta,
    Origin,
    digest,
    input_record,
    parse_record,
)
from wsstools.files.targets import check_writable, output_file
from wsstools.formats import image_files, label_files, map_files, training_log
from wsstools.nn.data.pairs import CachedPairs, LabelledImages
from wsstools.nn.device import chosen_device
from wsstools.nn.models.initial import check_pretrainable, imagenet_state, read_state
from wsstools.nn.models.model_files import (
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
    encode_model,
    read_model_header,
)
from wsstools.nn.models.networks import SegmentationNetwork
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import LossSettings
from wsstools.nn.training.distributed import ProcessGroup, joined_process_group
from wsstools.nn.training.loop import Progress, TrainingStopped, check_parts, uses_bfloat16
from wsstools.nn.training.loop import train as train_network
from wsstools.nn.training.losses import class_weights, with_label_weight
from wsstools.nn.training.schedules import (
    LONG,
    OUTPUT_STRIDE,
    SCHEDULES,
    Schedule,
    TrainSettings,
    hour_options,
    output_strides,
)
from wsstools.nn.training.tensorboard import Board
from wsstools.nn.training.validation import mean_iou
from wsstools.running.bars import Bar, TrainingBar
from wsstools.running.messages import print_path, say
from wsstools.running.settings import Selection
from wsstools.running.signals import Interruption
from wsstools.running.sources import Source
from wsstools.steps.inputs import warn_of_palettes

LABEL_WEIGHT = 0.2
"""What a pixel of labels counts as beside one of scribbles."""
LEAST_WEIGHT = 1e-6
_LOSS_OPTIONS = (
    "loss",
    "loss_weight",
    "loss_from",
    "loss_scale",
    "loss_sigma_rgb",
    "loss_sigma_xy",
)
_GPU_WORKERS = 8
"""Threads that prepare batches for a GPU, where there are as many cores."""
_LABEL_SUFFIXES = (*label_files.SUFFIXES, *map_files.SUFFIXES)
_PRECISIONS = ("auto", "float32", "bfloat16")
_KNOWN_INITS = ("imagenet", "random")


def train(
    images: str,
    labels: str,
    out: str | Path,
    *,
    arch: str,
    output_stride: int | None = None,
    schedule: Schedule | None = None,
    n_classes: int | None = None,
    scribbles: str | None = None,
    label_weight: float | None = None,
    regularizing: LossSettings = LossSettings(),
    seed: int = 0,
    settings: TrainSettings = TrainSettings(),
    run: Selection = Selection(),
) -> None:
    """Train a network and write it, unless the model is up to date.

    Parameters
    ----------
    images : str
        Folder of the images.
    labels : str
        Folder of scribbles or full labels, 255 is ignored; or of soft maps.
    out : str or Path
        The model file.
    arch : str
        A key of `SCHEDULES`.
    output_stride : int or None
        Pixels from one of the backbone's last features to the next, one of `output_strides`; larger
        is faster and coarser. None: the first of them.
    schedule : Schedule or None
        The numbers of the run; None: those published with the architecture.
    n_classes : int or None
        Number of classes; None: the lines of classes.txt in or beside `labels` or `images`.
    scribbles : str or None
        Folder of scribbles of the images: where they name a class, a pixel has it and counts as
        one; otherwise it counts as `label_weight`.
    label_weight : float or None
        Between 0 and 1; None: LABEL_WEIGHT.
    regularizing : LossSettings
        A loss on the network's own probabilities.
    seed : int
        Of all that is drawn.
    settings : TrainSettings
        How the run starts, computes, validates and is logged.
    run : Selection
        Which images.

    Raises
    ------
    UsageError
        If settings contradict each other, or the model or its checkpoint is of another run.
    DataError
        If labels and images do not fit, or the loss is not finite.
    """
    output_stride = _checked_stride(arch, output_stride)
    _check(arch, settings)
    schedule = schedule or SCHEDULES[arch]
    check_parts(arch, schedule.batch, settings.accumulate)
    regularizer = _regularizer(regularizing, schedule.iterations)
    places = (labels, images) if scribbles is None else (labels, scribbles, images)
    classes_file = label_files.find_classes_file(*places)
    checked_by = classes_file if n_classes is None else None
    pairs = _pairs(images, labels, scribbles, run)
    count = label_files.class_count(n_classes, *places)
    pairs = dataclasses.replace(pairs, n_classes=count, classes_file=checked_by)
    weight = _checked_weight(pairs, label_weight)
    names = label_files.find_class_names(*places)
    if names is None or len(names) != count:
        names = [str(c) for c in range(count)]
    options: dict[str, Json] = {
        "arch": arch,
        "n_classes": count,
        "init": settings.init if settings.init in _KNOWN_INITS else "file",
        "seed": seed,
        "precision": settings.precision,
        "output_stride": output_stride,
        "label_weight": weight,
        **_loss_options(regularizer),
        "dice": regularizing.dice,
        "accumulate": settings.accumulate,
        **dataclasses.asdict(schedule),
    }
    job = _Job(
        Path(out),
        arch,
        output_stride,
        schedule,
        count,
        names,
        seed,
        settings,
        run,
        Origin(
            "train",
            options,
            revision=_revision(arch, schedule, has_dice=regularizing.dice),
            unrecorded={
                "output_stride": OUTPUT_STRIDE,
                "label_weight": None,
                "dice": False,
                "accumulate": 1,
                **_loss_options(None),
            },
        ),
        [*pairs.records(), *_init_records(settings.init)],
        classes_file,
        weight,
        regularizer,
        regularizing.dice,
    )
    job.check_outputs(out, [images, labels, *([] if scribbles is None else [scribbles])])
    if settings.dry_run:
        if not job.is_up_to_date():
            say(f"to make: {out}", "train")
            raise OutputsToMake("the model is to be made")
        say(f"{out} is up to date", "train")
        return
    remove_leftovers(job.out.parent)
    if job.is_up_to_date():
        job.remove_finished_checkpoint()
        say(f"skipped {out} (up to date)", "train")
        is_first = True
    else:
        check_writable(job.out.parent)
        is_first = _train(job, pairs)
    if is_first:
        print_path(out, run)


def _checked_stride(arch: str, output_stride: int | None) -> int:
    """The output stride, that of the architecture where none is given."""
    if arch not in SCHEDULES:
        raise UsageError(f"--arch {arch}: expected one of {', '.join(SCHEDULES)}")
    strides = output_strides(arch)
    if output_stride is None:
        return strides[0]
    if output_stride not in strides:
        known = " or ".join(map(str, sorted(strides)))
        why = f", the only one of {arch}" if len(strides) == 1 else ""
        raise UsageError(f"--output-stride {output_stride}: expected {known}{why}")
    return output_stride


def _check(arch: str, settings: TrainSettings) -> None:
    if settings.init == "imagenet":
        check_pretrainable(arch)
    if settings.precision not in _PRECISIONS:
        raise UsageError(f"--precision {settings.precision}: expected auto, float32 or bfloat16")
    if (settings.val_images is None) != (settings.val_labels is None):
        raise UsageError("--val-images and --val-labels go together")
    if settings.val_images is None and (settings.val_ids or settings.val_every):
        raise UsageError("--val-ids and --val-every need --val-images and --val-labels")


def _regularizer(settings: LossSettings, iterations: int) -> Regularizer | None:
    constants = settings.constants()
    if settings.loss_from >= iterations:
        raise UsageError(f"--loss-from {settings.loss_from}: there are {iterations} iterations")
    if settings.loss is None or settings.loss_weight is None:
        return None
    return Regularizer(settings.loss, constants, settings.loss_weight, settings.loss_from)


def _loss_options(regularizer: Regularizer | None) -> dict[str, Json]:
    """What of a regularizer is recorded; without one, None of each."""
    if regularizer is None:
        return dict.fromkeys(_LOSS_OPTIONS)
    of = regularizer.constants
    return dict(
        zip(
            _LOSS_OPTIONS,
            (regularizer.name, regularizer.weight, regularizer.begin, *dataclasses.astuple(of)),
            strict=True,
        )
    )


def _revision(arch: str, schedule: Schedule, *, has_dice: bool) -> int:
    """Raised where the model keeps its class weights, where our code trains MobileNetV2, and where
    Dice is that of the batch of all processes."""
    return 2 + bool(schedule.class_balance) + 3 * arch.endswith("mobilenetv2") + 6 * has_dice


def _pairs(
    images: str, labels: str, scribbles: str | None, run: Selection, n_classes: int = 0
) -> LabelledImages:
    """The images that have labels, or those that `run` names, which must have them."""
    image_source = Source(images, image_files.SUFFIXES, "image", rule=run.rule)
    label_source = Source(labels, _LABEL_SUFFIXES, "labels", rule=run.rule)
    sources = [image_source, label_source]
    if scribbles is not None:
        sources.append(Source(scribbles, label_files.SUFFIXES, "scribbles", rule=run.rule))
        warn_of_palettes(sources[-1], "train")
    stems = list(run.choose(image_source.stems))
    warn_of_palettes(label_source, "train")
    if run.names is None:
        stems = [stem for stem in stems if stem in label_source]
        if not stems:
            why = why_nothing_joins(image_source.stems, label_source.stems)
            raise DataError(f"no image of {images} has labels in {labels}: {why}")
        _warn_unpaired(image_source, label_source)
    for source in sources:
        missing = [stem for stem in stems if stem not in source]
        if missing:
            raise DataError(
                f"no {source.what} with that name in {source.argument}: {named_examples(missing)}"
            )
    found = [tuple(source.find(stem) for stem in stems) for source in sources]
    beside = found[2] if scribbles is not None else ()
    return LabelledImages(found[0], found[1], n_classes, scribbles=beside)


def _checked_weight(pairs: LabelledImages, label_weight: float | None) -> float | None:
    """What a pixel of the labels counts as; None where there are no scribbles beside them."""
    if not pairs.scribbles:
        if label_weight is not None:
            raise UsageError("--label-weight needs --scribbles")
        return None
    weight = LABEL_WEIGHT if label_weight is None else label_weight
    if not LEAST_WEIGHT <= weight <= 1:
        raise UsageError(f"--label-weight {weight:g}: expected {LEAST_WEIGHT:g} to 1")
    if 2 * pairs.n_classes > IGNORE_LABEL:
        raise UsageError(f"--scribbles beside labels of {pairs.n_classes} classes: at most 127")
    if any(path.suffix.lower() in map_files.SUFFIXES for path in pairs.labels):
        raise UsageError("--scribbles goes with labels, not with soft maps")
    return weight


def _warn_unpaired(images: Source, labels: Source) -> None:
    """Say how many files of one folder have none in the other."""
    for source, other in ((labels, images), (images, labels)):
        alone = [stem for stem in source.stems if stem not in other]
        if alone:
            say(
                f"{len(alone)} of {len(source)} files of {source.argument} have no {other.what}: "
                f"{named_examples(alone)}",
                "train",
            )


def _init_records(init: str) -> list[InputRecord]:
    if init in _KNOWN_INITS:
        return []
    path = Path(init)
    if not path.exists():
        raise UsageError(f"--init {init}: neither imagenet or random nor a file")
    return [input_record("init", path.name, digest(read_file(path)))]


@dataclass(frozen=True)
class _Job:
    """A model to be made: its file, what it is made of, and how."""

    out: Path
    arch: str
    output_stride: int
    schedule: Schedule
    n_classes: int
    class_names: Sequence[str]
    seed: int
    settings: TrainSettings
    run: Selection
    origin: Origin
    inputs: Sequence[InputRecord]
    classes_file: Path | None
    label_weight: float | None  # of pixels of the labels, where there are scribbles too
    regularizer: Regularizer | None
    dice: bool

    @property
    def checkpoint(self) -> Path:
        """Where an interrupted run goes on from."""
        return self.out.with_name(self.out.name + ".checkpoint")

    @property
    def log(self) -> Path:
        """The CSV log."""
        return Path(self.settings.log or f"{self.out}.csv")

    def check_outputs(self, out: str | Path, folders: Sequence[str]) -> None:
        """Refuse to write where an input or a file of others is; `out` is the path as given."""
        settings = self.settings
        optional = (
            settings.val_images,
            settings.val_labels,
            settings.val_ids,
            self.run.ids,
            self.classes_file,
        )
        files = [place for place in optional if isinstance(place, (str, Path))]
        check = partial(
            output_file,
            inputs=[*folders, settings.init, *files],
            overwrite=settings.overwrite,
            read=(*_LABEL_SUFFIXES, *image_files.SUFFIXES),
            is_recursive=self.run.recursive,
        )
        check(out)
        for file, what in ((self.out, "model"), (self.checkpoint, "checkpoint")):
            if file.resolve() == self.log.resolve():
                raise UsageError(
                    f"--log {self.log}: is the {what} file; the log needs one of its own"
                )
        is_log = training_log.is_log(self.log) if self.log.exists() else None
        check(self.log, is_ours=is_log)
        is_checkpoint = None if settings.resume else self._is_checkpoint()
        check(self.checkpoint, is_ours=is_checkpoint)
        board = Path(settings.tensorboard) if settings.tensorboard else None
        if board is not None and board.is_file():
            raise UsageError(f"--tensorboard {board} is a file, expected a folder")
        if board is not None and board.exists() and any(map(board.samefile, folders)):
            raise UsageError(f"--tensorboard {board} holds inputs; write to another folder")

    def _is_checkpoint(self) -> bool | None:
        """Whether the file in the place of the checkpoint is one; None if there is none."""
        try:
            decode_checkpoint(read_file(self.checkpoint))
        except DataError:
            return False
        except FileNotFoundError:
            return None
        return True

    def record(self, result: Mapping[str, Json] | None = None) -> Meta:
        """The record of the model."""
        return self.origin.record(
            kind="model", stem=self.out.stem, inputs=self.inputs, result=result
        )

    @property
    def run_id(self) -> str:
        """A digest of all that decides the model."""
        return digest(json.dumps(self.record(), sort_keys=True).encode())

    def is_up_to_date(self) -> bool:
        """Whether the model was made already; a model of other options is refused."""
        if not self.out.exists():
            return False
        try:
            meta = parse_record(read_model_header(read_file(self.out))["meta"])
        except DataError:
            meta = None
        if not self.settings.overwrite:
            self.origin.refuse_other_run(self.out, meta)
        return self.origin.is_up_to_date(meta, self.inputs)

    def remove_finished_checkpoint(self) -> None:
        """Delete the checkpoint of the run that made the model, if it was killed before that."""
        # A damaged one, or one of another run, is not ours; another process may be the first.
        with contextlib.suppress(DataError, FileNotFoundError):
            state = decode_checkpoint(read_file(self.checkpoint))
            if state["run"].get("record") == self.run_id:
                self.checkpoint.unlink()

    def write_checkpoint(self, state: Checkpoint) -> None:
        """Write what an interrupted run goes on from."""
        marked: Checkpoint = {**state, "run": {**state["run"], "record": self.run_id}}
        write_atomic(self.checkpoint, encode_checkpoint(marked))

    def resumed(self) -> Checkpoint | None:
        """The state of an interrupted run of the same options and inputs, or None."""
        if not self.checkpoint.exists() or not self.settings.resume:
            return None
        with naming(self.checkpoint):
            state = decode_checkpoint(read_file(self.checkpoint))
        made_of = dict(state["run"])
        if made_of.pop("record", None) != self.run_id:
            if self.settings.overwrite:
                return None
            raise UsageError(
                f"{self.checkpoint} is of a run with other options or inputs; "
                "give --no-resume to start anew"
            )
        return {**state, "run": made_of}

    def initial_state(self) -> dict[str, Tensor] | None:
        """The weights that training starts from; None: random ones."""
        init = self.settings.init
        if init == "random":
            return None
        if init == "imagenet":
            return imagenet_state(self.arch, self.settings.weights_dir)
        with naming(init):
            return read_state(read_file(init))


def _train(job: _Job, pairs: LabelledImages) -> bool:
    """Train and write the model; whether this is the process of several that wrote it."""
    device = chosen_device(job.settings.device)
    with joined_process_group(device) as group, Interruption() as interruption:
        try:
            trained = _trained(job, pairs, group, interruption)
        except TrainingStopped:
            interruption.act()
            raise KeyboardInterrupt from None  # another process got the signal
        except torch.cuda.OutOfMemoryError as error:
            raise WssError(_no_memory(job, group)) from error
        if group.is_first:
            meta = json.dumps(job.record(trained.result), sort_keys=True)
            model = encode_model(
                job.arch,
                job.n_classes,
                job.class_names,
                trained.state,
                meta,
                output_stride=job.output_stride,
                class_weights=trained.class_weights,
            )
            write_atomic(job.out, model)
            job.checkpoint.unlink(missing_ok=True)
            say(f"{len(pairs)} images, written to {job.out}", "train")
        return group.is_first


def _no_memory(job: _Job, group: ProcessGroup) -> str:
    """What failed where a GPU does not hold what goes through the network at once, and why."""
    crops = job.schedule.batch // group.size
    parts = job.settings.accumulate
    size = f"{-(-crops // parts)} crops of {job.schedule.crop} pixels"
    more = f"; --accumulate {parts + 1} needs less" if parts < crops else ""
    return f"device {group.device}: no memory for {size} at a time{more}"


@dataclass(frozen=True)
class _Trained:
    """The outcome of a run."""

    state: dict[str, Tensor]  # the weights of the network
    class_weights: list[float] | None  # None: every pixel counted as one
    result: dict[str, Json]  # what the record says of the run


def _trained(
    job: _Job, pairs: LabelledImages, group: ProcessGroup, interruption: Interruption
) -> _Trained:
    settings, balance = job.settings, job.schedule.class_balance
    state, initial_state = job.resumed(), job.initial_state()
    done = state["iteration"] if state else 0
    # Of another iteration or other files a process would wait for the rest, or spoil their sums.
    if not group.agrees(done) or not group.agrees(int(job.run_id[:15], 16)):
        raise DataError(
            "the processes see different files; images, labels, ids and the checkpoint beside "
            f"{job.out} must be the same for all, on a file system that they share"
        )
    workers = settings.workers
    if workers is None:
        workers = 1 if group.device == "cpu" else min(_GPU_WORKERS, joblib.cpu_count())
    reader = _PairReader(job.n_classes, max(workers, 2), group, interruption)
    with _journal(job, done, is_first=group.is_first) as on_iteration:
        cached, pixels = reader.read(pairs, settings.cache * 2**20)
        if job.label_weight is not None:
            pixels = pixels[0] + job.label_weight * pixels[1]
        never = [job.class_names[c] for c in np.flatnonzero(pixels == 0).tolist()]
        if never and group.is_first:
            say(
                f"warning: no pixel of the labels is of {len(never)} of the {job.n_classes} "
                f"classes: {named_examples(never)}; the network cannot learn them",
                "train",
            )
        of_classes = class_weights(pixels, balance) if balance else None
        weights = train_network(
            cached,
            arch=job.arch,
            n_classes=job.n_classes,
            output_stride=job.output_stride,
            schedule=job.schedule,
            seed=job.seed,
            initial_state=initial_state,
            world=group,
            precision=settings.precision,
            class_weights=(
                of_classes
                if job.label_weight is None
                else with_label_weight(of_classes, job.n_classes, job.label_weight)
            ),
            regularizer=job.regularizer,
            dice=job.dice,
            accumulate=settings.accumulate,
            workers=workers,
            resume=state,
            validate=_validation(job, cached.left, reader),
            validate_every=settings.val_every,
            on_iteration=on_iteration,
            on_checkpoint=job.write_checkpoint,
            checkpoint_every=settings.checkpoint_every,
            should_stop=lambda: interruption.is_asked_for,
        )
    device = torch.device(group.device)
    bfloat16 = uses_bfloat16(settings.precision, device)
    result: dict[str, Json] = {
        "device": device.type,
        "precision": "bfloat16" if bfloat16 else "float32",
        "processes": group.size,
    }
    if device.type == "cpu":  # what else decides the bytes
        result |= {"threads": torch.get_num_threads(), "processor": processor()}
    return _Trained(weights, None if of_classes is None else of_classes.tolist(), result)


def _advice(job: _Job, seconds: float) -> str | None:
    """What to do where a training on a CPU takes days."""
    total = seconds * job.schedule.iterations
    if total < LONG or not chosen_device(job.settings.device).startswith("cpu"):
        return None
    options = hour_options(job.arch, job.schedule, seconds, job.output_stride)
    return f"on this CPU about an hour is enough for {options}; the full schedule is for a GPU"


@contextlib.contextmanager
def _journal(job: _Job, done: int, *, is_first: bool) -> Iterator[Callable[[Progress], None]]:
    """Takes the progress of a run to its log, curves and bar, in the first process only.

    None of them is begun before the first iteration is done, so that a run that is refused
    changes nothing.
    """
    listeners: list[Callable[[Progress], None]] = []
    with contextlib.ExitStack() as stack:
        if is_first and job.settings.tensorboard:
            board = Board(job.settings.tensorboard, done)
            stack.callback(board.close)
            listeners.append(board.add)

        def add(progress: Progress) -> None:
            if is_first and progress.iteration == done + 1:
                log = training_log.TrainingLog(job.log, done)
                stack.callback(log.close)
                bar = stack.enter_context(
                    TrainingBar(job.schedule.iterations, done, advice=partial(_advice, job))
                )
                listeners.append(
                    lambda step: log.add(
                        step.iteration, step.loss, step.learning_rate, step.val_miou
                    )
                )
                listeners.append(lambda step: bar.show(step.iteration, step.loss, step.val_miou))
            for listener in listeners:
                listener(progress)

        yield add


@dataclass(frozen=True)
class _PairReader:
    """Reads and checks all pairs once, in each process."""

    n_classes: int
    threads: int
    group: ProcessGroup
    interruption: Interruption

    def read(self, pairs: LabelledImages, budget: int) -> tuple[CachedPairs, NDArray[np.float64]]:
        """The pairs, some in memory (budget in bytes), and the pixels of each class."""
        cached = CachedPairs(pairs, budget)
        with Bar("wss train: reading", len(pairs)) as bar:

            def advance() -> None:
                bar.advance()
                self.interruption.act()

            pixels, empty = cached.check(threads=self.threads, advance=advance)
        if empty and self.group.is_first:
            say(
                f"{len(empty)} of {len(pairs)} images have no labelled pixel, such as {empty[0]!r}",
                "train",
            )
        return cached, pixels


def _validation(
    job: _Job, budget: int, reader: _PairReader
) -> Callable[[SegmentationNetwork], float] | None:
    """The mean IoU on the images to validate on, where there are some."""
    settings = job.settings
    if settings.val_images is None or settings.val_labels is None:
        return None
    run = dataclasses.replace(job.run, ids=settings.val_ids)
    chosen = _pairs(settings.val_images, settings.val_labels, None, run, reader.n_classes)
    pairs, _ = reader.read(chosen, budget)
    return partial(mean_iou, pairs=pairs, n_classes=reader.n_classes, world=reader.group)
