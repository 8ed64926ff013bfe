"""How `wss train` joins files, network and messages."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from wsstools.commands._options import class_count
from wsstools.errors import DataError, UsageError
from wsstools.io import imagefile, labelfile
from wsstools.io.atomic import remove_leftovers, write_whole
from wsstools.io.pairs import LabelledImages, labelled_images
from wsstools.io.progress import TrainingProgress
from wsstools.io.provenance import (
    Meta,
    digest,
    input_record,
    is_current,
    output_record,
    parse_record,
    refuse_other_run,
)
from wsstools.io.sources import Source, read_ids
from wsstools.io.trainlog import TrainLog
from wsstools.nn.schedules import Schedule


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
    workers: int
    checkpoint_every: int
    log: Path
    resume: bool
    overwrite: bool

    @property
    def checkpoint(self) -> Path:
        """Where an interrupted run goes on from."""
        return self.out.with_name(self.out.name + ".checkpoint")


def run_training(plan: Plan) -> None:
    """Train a model, or find that it stands already."""
    pairs = labelled_images(
        Source(plan.images, imagefile.SUFFIXES, "image"),
        Source(plan.labels, labelfile.SUFFIXES, "labels"),
        None if plan.ids is None else read_ids(plan.ids),
    )
    n_classes = class_count(plan.n_classes, plan.labels, plan.images)
    names = labelfile.find_class_names(plan.labels, plan.images)
    if names is None or len(names) != n_classes:
        names = [str(c) for c in range(n_classes)]
    record = _record(plan, pairs, n_classes)
    remove_leftovers(plan.out.parent)
    if _stands(plan, record):
        print(f"wss train: {plan.out} stands already", file=sys.stderr)
    else:
        _train(plan, pairs, n_classes, names, record)
    if not sys.stdout.isatty():
        print(plan.out, flush=True)


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
    from wsstools.nn.modelfile import read_model_header

    if not plan.out.exists():
        return False
    try:
        meta = parse_record(read_model_header(plan.out.read_bytes())["meta"])
    except DataError:
        meta = None
    if not plan.overwrite:
        refuse_other_run(plan.out, meta, "train", record["options"])
    return is_current(meta, "train", record["options"], record["inputs"])


def _train(
    plan: Plan, pairs: LabelledImages, n_classes: int, names: list[str], record: Meta
) -> None:
    from wsstools.nn.device import chosen_device
    from wsstools.nn.modelfile import dump_checkpoint, dump_model
    from wsstools.nn.training import Progress, train

    run_id = digest(json.dumps(record, sort_keys=True).encode())
    state = _resumed(plan, run_id)
    done = int(state["iteration"]) if state else 0
    device, initial_state = chosen_device(plan.device), _initial(plan)
    log = TrainLog(plan.log, done)  # all that can refuse to start has had its say

    def on_iteration(progress: Progress) -> None:
        log.add(progress.iteration, progress.loss, progress.learning_rate)
        bar.show(progress.iteration, progress.loss)

    def on_checkpoint(checkpoint: dict[str, Any]) -> None:
        marked = {**checkpoint, "run": {**checkpoint["run"], "record": run_id}}
        write_whole(plan.checkpoint, dump_checkpoint(marked))

    with TrainingProgress(plan.schedule.iterations, done) as bar:
        weights = train(
            pairs,
            arch=plan.arch,
            n_classes=n_classes,
            schedule=plan.schedule,
            seed=plan.seed,
            initial_state=initial_state,
            device=device,
            precision=plan.precision,
            workers=plan.workers,
            resume=state,
            on_iteration=on_iteration,
            on_checkpoint=on_checkpoint,
            checkpoint_every=plan.checkpoint_every,
        )
    log.close()
    write_whole(
        plan.out,
        dump_model(plan.arch, n_classes, names, weights, json.dumps(record, sort_keys=True)),
    )
    plan.checkpoint.unlink(missing_ok=True)
    print(f"wss train: {len(pairs)} images, written to {plan.out}", file=sys.stderr)


def _resumed(plan: Plan, run_id: str) -> dict[str, Any] | None:
    """The state of an interrupted run of the same options and inputs, or None to start anew."""
    from wsstools.nn.modelfile import load_checkpoint

    if not plan.checkpoint.exists() or not plan.resume:
        return None
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
    from wsstools.nn import initial

    if plan.init == "random":
        return None
    if plan.init == "imagenet":
        return initial.imagenet_state(plan.arch, plan.weights_dir)
    return initial.read_state(Path(plan.init).read_bytes())
