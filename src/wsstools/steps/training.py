"""How `wss train` joins files, network and messages."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
from numpy.typing import NDArray

from wsstools.cli.options import class_count
from wsstools.errors import DataError, UsageError, naming
from wsstools.files.atomic import remove_leftovers, write_atomic
from wsstools.files.provenance import (
    Meta,
    digest,
    input_record,
    is_up_to_date,
    output_record,
    parse_record,
    refuse_other_run,
)
from wsstools.formats import image_files, label_files, map_files
from wsstools.formats.training_log import TrainLog
from wsstools.nn.data.pairs import CachedPairs, LabelledImages, labelled_images
from wsstools.nn.training.schedules import Schedule
from wsstools.running.bars import Bar
from wsstools.running.signals import Interruption
from wsstools.running.sources import Source, read_ids
from wsstools.running.training_progress import TrainingProgress

_GPU_WORKERS = 8
"""Threads that prepare batches for a GPU, where there are as many cores."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that `wss train` was asked for."""

    images: str
    labels: str
    ids: str | None
    out: Path
    arch: str
    schedule: Schedule
    init: str
    weights_dir: str | None
    n_classes: int | None
    seed: int
    device: str
    precision: str
    workers: int | None
    cache: int
    val_images: str | None
    val_labels: str | None
    val_ids: str | None
    val_every: int | None
    checkpoint_every: int
    log: Path
    tensorboard: str | None
    resume: bool
    overwrite: bool

    @property
    def checkpoint(self) -> Path:
        """Where an interrupted run goes on from."""
        return self.out.with_name(self.out.name + ".checkpoint")


def run_training(plan: Plan) -> None:
    """Train a model, or find that it is up to date."""
    pairs = _pairs(plan.images, plan.labels, plan.ids)
    n_classes = class_count(plan.n_classes, plan.labels, plan.images)
    names = label_files.find_class_names(plan.labels, plan.images)
    if names is None or len(names) != n_classes:
        names = [str(c) for c in range(n_classes)]
    record = _record(plan, pairs, n_classes)
    remove_leftovers(plan.out.parent)
    if _stands(plan, record):
        _remove_finished(plan, record)
        print(f"wss train: skipped {plan.out} (up to date)", file=sys.stderr)
        is_first = True
    else:
        is_first = _train(plan, pairs, n_classes, names, record)
    if is_first and not sys.stdout.isatty():
        print(plan.out, flush=True)


def _pairs(images: str, labels: str, ids: str | None) -> LabelledImages:
    return labelled_images(
        Source(images, image_files.SUFFIXES, "image"),
        Source(labels, (*label_files.SUFFIXES, *map_files.SUFFIXES), "labels"),
        None if ids is None else read_ids(ids),
    )


def _record(plan: Plan, pairs: LabelledImages, n_classes: int) -> Meta:
    inputs = pairs.records()
    if plan.init not in ("imagenet", "random"):
        path = Path(plan.init)
        if not path.is_file():
            raise UsageError(f"--init {plan.init}: neither imagenet or random nor a file")
        inputs.append(input_record("init", path.name, digest(path.read_bytes())))
    options = {
        "arch": plan.arch,
        "n_classes": n_classes,
        "init": plan.init if plan.init in ("imagenet", "random") else "file",
        "seed": plan.seed,
        "precision": plan.precision,
        **dataclasses.asdict(plan.schedule),
    }
    return output_record(
        kind="model", stem=plan.out.stem, step="train", options=options, inputs=inputs
    )


def _stands(plan: Plan, record: Meta) -> bool:
    """Whether the model was made already; a model of other options is refused."""
    from wsstools.nn.models.model_files import read_model_header

    if not plan.out.exists():
        return False
    try:
        meta = parse_record(read_model_header(plan.out.read_bytes())["meta"])
    except DataError:
        meta = None
    if not plan.overwrite:
        refuse_other_run(plan.out, meta, "train", record["options"])
    return is_up_to_date(meta, "train", record["options"], record["inputs"])


def _remove_finished(plan: Plan, record: Meta) -> None:
    """Delete the checkpoint of the run that made the model, if it was killed before it did so."""
    from wsstools.nn.models.model_files import load_checkpoint

    # A damaged one, or one of another run, is not ours; another process may be the first.
    with contextlib.suppress(DataError, FileNotFoundError):
        state = load_checkpoint(plan.checkpoint.read_bytes())
        if state["run"].get("record") == _run_id(record):
            plan.checkpoint.unlink()


def _run_id(record: Meta) -> str:
    return digest(json.dumps(record, sort_keys=True).encode())


def _train(
    plan: Plan, pairs: LabelledImages, n_classes: int, names: list[str], record: Meta
) -> bool:
    """Train and write the model; whether this is the process of several that wrote it."""
    from wsstools.nn.device import chosen_device
    from wsstools.nn.models.model_files import dump_model
    from wsstools.nn.training.distributed import joined_process_group
    from wsstools.nn.training.loop import TrainingStopped

    with joined_process_group(chosen_device(plan.device)) as world, Interruption() as interruption:
        try:
            result, weights = _trained(plan, pairs, n_classes, record, world, interruption)
        except TrainingStopped:
            interruption.act()
            raise KeyboardInterrupt from None  # another process heard the signal
        if world.is_first:
            meta = json.dumps({**record, "result": result}, sort_keys=True)
            write_atomic(plan.out, dump_model(plan.arch, n_classes, names, weights, meta))
            plan.checkpoint.unlink(missing_ok=True)
            print(f"wss train: {len(pairs)} images, written to {plan.out}", file=sys.stderr)
        return world.is_first


def _trained(
    plan: Plan,
    pairs: LabelledImages,
    n_classes: int,
    record: Meta,
    world: Any,
    interruption: Interruption,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the record says of the run, and the weights."""
    import torch

    from wsstools.nn.models.model_files import dump_checkpoint
    from wsstools.nn.training.loop import train, uses_bfloat16
    from wsstools.nn.training.losses import class_weights

    run_id = _run_id(record)
    state, initial_state = _resumed(plan, run_id), _initial(plan)
    done = int(state["iteration"]) if state else 0
    # Of another iteration or other files a process would wait for the rest, or spoil their sums.
    if not world.agrees(done) or not world.agrees(int(run_id[:15], 16)):
        raise DataError(
            "the processes see different files; images, labels, ids and the checkpoint beside "
            f"{plan.out} must be the same for all, on a file system that they share"
        )
    workers = plan.workers
    if workers is None:
        workers = 1 if world.device == "cpu" else min(_GPU_WORKERS, joblib.cpu_count())

    def on_checkpoint(checkpoint: dict[str, Any]) -> None:
        marked = {**checkpoint, "run": {**checkpoint["run"], "record": run_id}}
        write_atomic(plan.checkpoint, dump_checkpoint(marked))

    with _Journal(plan, done, is_first=world.is_first) as journal:
        cached, pixels = _read(plan.cache, pairs, n_classes, workers, world, interruption)
        balance = plan.schedule.class_balance
        weights = train(
            cached,
            arch=plan.arch,
            n_classes=n_classes,
            schedule=plan.schedule,
            seed=plan.seed,
            initial_state=initial_state,
            world=world,
            precision=plan.precision,
            class_weights=class_weights(pixels, balance) if balance else None,
            workers=workers,
            resume=state,
            validate=_validation(plan, cached.left, n_classes, workers, world, interruption),
            validate_every=plan.val_every,
            on_iteration=journal.add,
            on_checkpoint=on_checkpoint,
            checkpoint_every=plan.checkpoint_every,
            should_stop=lambda: interruption.is_asked_for,
        )
    bfloat16 = uses_bfloat16(plan.precision, torch.device(world.device))
    result = {
        "device": world.device.partition(":")[0],
        "precision": "bfloat16" if bfloat16 else "float32",
        "processes": world.size,
    }
    return result, weights


class _Journal(contextlib.ExitStack):
    """What a run tells of its iterations: log, curves and bar, of the first process only.

    None of them is begun before the first iteration is done, so that a run that is refused
    changes nothing.
    """

    def __init__(self, plan: Plan, done: int, *, is_first: bool) -> None:
        super().__init__()
        self._plan, self._done, self._is_first = plan, done, is_first
        self._listeners: list[Callable[[Any], None]] = []
        if is_first and plan.tensorboard:
            self._listeners.append(self._board())

    def add(self, progress: Any) -> None:
        """One iteration is done; a `wsstools.nn.training.loop.Progress`."""
        if not self._is_first:
            return
        if progress.iteration == self._done + 1:
            self._listeners += [self._log(), self._bar()]
        for listener in self._listeners:
            listener(progress)

    def _board(self) -> Callable[[Any], None]:
        from wsstools.nn.training.tensorboard import Board

        board = Board(str(self._plan.tensorboard), self._done)
        self.callback(board.close)
        return board.add

    def _log(self) -> Callable[[Any], None]:
        log = TrainLog(self._plan.log, self._done)
        self.callback(log.close)
        return lambda step: log.add(step.iteration, step.loss, step.learning_rate, step.val_miou)

    def _bar(self) -> Callable[[Any], None]:
        bar = self.enter_context(TrainingProgress(self._plan.schedule.iterations, self._done))
        return lambda step: bar.show(step.iteration, step.loss, step.val_miou)


def _validation(
    plan: Plan,
    budget: int,
    n_classes: int,
    workers: int,
    world: Any,
    interruption: Interruption,
) -> Callable[[Any], float] | None:
    """The mean IoU on the images to validate on, where there are some."""
    from wsstools.nn.training.validation import mean_iou

    if plan.val_images is None or plan.val_labels is None:
        return None
    pairs = _pairs(plan.val_images, plan.val_labels, plan.val_ids)
    held_out, _ = _read(budget, pairs, n_classes, workers, world, interruption)
    return partial(mean_iou, pairs=held_out, n_classes=n_classes, world=world)


def _read(
    budget: int,
    pairs: LabelledImages,
    n_classes: int,
    threads: int,
    world: Any,
    interruption: Interruption,
) -> tuple[CachedPairs, NDArray]:
    """The pairs, each read and checked once, and how many pixels each class has.

    An interruption acts at once: nothing is lost.
    """
    cached = CachedPairs(pairs, budget)
    with Bar("wss train: reading", len(pairs)) as bar:

        def advance() -> None:
            bar.advance()
            interruption.act()

        pixels, empty = cached.check(n_classes, threads=max(threads, 2), advance=advance)
    if empty and world.is_first:
        print(
            f"wss train: {len(empty)} of {len(pairs)} images have no labelled pixel, "
            f"such as {empty[0]!r}",
            file=sys.stderr,
        )
    return cached, pixels


def _resumed(plan: Plan, run_id: str) -> dict[str, Any] | None:
    """The state of an interrupted run of the same options and inputs, or None to start anew."""
    from wsstools.nn.models.model_files import load_checkpoint

    if not plan.checkpoint.exists() or not plan.resume:
        return None
    with naming(plan.checkpoint):
        state = load_checkpoint(plan.checkpoint.read_bytes())
    run = dict(state["run"])
    if run.pop("record", None) != run_id:
        if plan.overwrite:
            return None
        raise UsageError(
            f"{plan.checkpoint} is of a run with other options or inputs; "
            "give --no-resume to start anew"
        )
    return {**state, "run": run}


def _initial(plan: Plan) -> Any:
    from wsstools.nn.models import initial

    if plan.init == "random":
        return None
    if plan.init == "imagenet":
        return initial.imagenet_state(plan.arch, plan.weights_dir)
    with naming(plan.init):
        return initial.read_state(Path(plan.init).read_bytes())
