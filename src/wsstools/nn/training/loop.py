"""The training loop. A run can stop at a checkpoint and go on as if it had not."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.parameter import LARGEST
from wsstools.errors import DataError, UsageError
from wsstools.files.provenance import Json
from wsstools.nn.data.crops import Batch, Pairs, Samples, batches
from wsstools.nn.device import reproducible
from wsstools.nn.models.initial import load_initial
from wsstools.nn.models.model_files import Checkpoint
from wsstools.nn.models.networks import (
    SegmentationNetwork,
    build,
    freeze_batch_norm,
    parameter_groups,
)
from wsstools.nn.regularizing.affinities import Crops
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.training.distributed import ProcessGroup
from wsstools.nn.training.losses import dice_part, dice_sums, loss_sum, target_mass
from wsstools.nn.training.replay import Replayed, own_stream
from wsstools.nn.training.schedules import OUTPUT_STRIDE, Schedule, output_strides


class TrainingStopped(Exception):
    """The run was asked to stop and has made its checkpoint."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    iteration: int  # iterations done, 1 .. schedule.iterations
    loss: float  # of the last one, over its labelled pixels
    learning_rate: float  # of the backbone, in the last one
    val_miou: float | None = None  # fraction, where the network was validated after the last one


def train(
    pairs: Pairs,
    *,
    arch: str,
    n_classes: int,
    output_stride: int | None = None,
    schedule: Schedule,
    seed: int = 0,
    initial_state: Mapping[str, Tensor] | None = None,
    world: ProcessGroup = ProcessGroup(),
    precision: str = "auto",
    class_weights: AnyArray | None = None,
    regularizer: Regularizer | None = None,
    dice: bool = False,
    accumulate: int = 1,
    workers: int = 0,
    resume: Checkpoint | None = None,
    validate: Callable[[SegmentationNetwork], float] | None = None,
    validate_every: int | None = None,
    on_iteration: Callable[[Progress], None] | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
    checkpoint_every: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Tensor]:
    """Weights of a network trained on images and their (partial) labels, or on soft maps.

    Parameters
    ----------
    pairs : Pairs
        Images, with labels 0..n_classes-1 or 255, which is ignored, or with probabilities.
    output_stride : int or None
        One of `output_strides`; larger is faster and coarser. None: the first of them.
    seed : int
        Of all that is drawn: order, crops, new layers, dropout. Not negative.
    initial_state : mapping of str to Tensor, or None
        See `load_initial`; None starts from random weights.
    world : ProcessGroup
        The processes that train together, each on its share of a batch, and where to compute.
    precision : {"auto", "float32", "bfloat16"}
        Of the convolutions; auto is bfloat16 on a GPU and on a CPU that has it in silicon, and
        float32 on others. Losses and weights are float32 always.
    class_weights : (n_classes,) or (2 n_classes,) or None
        As how many pixels one of each class counts in the loss; None: as one. Of twice as many,
        the second half is for labels n_classes + c of `pairs`, which are of class c too.
    regularizer : Regularizer or None
        A loss on the probabilities of all pixels that is added, in mean over the crops of a batch.
    dice : bool
        Add the Dice loss of the labelled pixels.
    accumulate : int
        Parts of a batch that go through the network one after the other, 1 .. crops of a batch:
        more need less memory. Batch normalization that is trained sees a part at a time.
    workers : int
        Threads that prepare batches ahead. They do not change the result.
    resume : Checkpoint or None
        What `on_checkpoint` got in a run with the same arguments.
    validate : callable or None
        Gives the mean IoU of a network in eval mode. It is called in all processes, after the last
        iteration and every `validate_every`.
    on_checkpoint : callable or None
        Called with all that `resume` needs, every `checkpoint_every` iterations and when the run
        is stopped. In the first process only.
    should_stop : callable
        Asked before each iteration.

    Returns
    -------
    dict of str to Tensor
        ``state_dict()`` of the network, on the CPU.

    Raises
    ------
    DataError
        Labels are outside the classes, the loss is not finite, the initial weights do not fit
        the network, or `resume` comes from a run with other arguments.
    UsageError
        A batch that cannot be shared evenly or split into so many parts, or parts of one crop for
        PSPNet and DeepLabV3+.
    TrainingStopped
        `should_stop` said so.

    Notes
    -----
    The loss is the cross entropy, in (weighted) mean over the labelled pixels of a batch; 0 where
    there are none. On the CPU, two runs on as many threads give the same bits, resumed or not.
    Several processes do what one does at the same total batch, up to rounding and dropout, and so
    do parts but for batch normalization: each adds its share of the whole batch's loss.
    """
    if len(pairs) == 0:
        raise DataError("there are no images to train on")
    if schedule.batch % world.size:
        raise UsageError(f"a batch of {schedule.batch} cannot be shared by {world.size} processes")
    check_parts(arch, schedule.batch // world.size, accumulate, processes=world.size)
    if output_stride is None:
        output_stride = output_strides(arch)[0]
    device = torch.device(world.device)
    bfloat16 = uses_bfloat16(precision, device)
    n_labels = n_classes if class_weights is None else len(class_weights)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        reproducible(device),
        own_stream(device) if world.size == 1 else contextlib.nullcontext(),
    ):
        run = _Run(
            arch, n_classes, output_stride, schedule, seed, initial_state, world, bfloat16,
            class_weights, regularizer, dice, accumulate,
        )  # fmt: skip
        made_of = run.signature | {"images": len(pairs), "bfloat16": bfloat16}
        if resume is not None:
            _check_resumable(resume, made_of)
            run.load(resume)

        def is_due(every: int | None) -> bool:
            return every is not None and run.iteration % every == 0

        def report(step: _Step | None, *, val_miou: float | None = None) -> None:
            if step is not None:
                progress = step.checked(val_miou)
                if on_iteration is not None:
                    on_iteration(progress)

        def checkpoint() -> None:
            run.check_finite()
            if on_checkpoint is not None and world.is_first:
                on_checkpoint(run.state(made_of))

        last: _Step | None = None  # reported while a GPU works on the next one
        for batch in batches(
            Samples(pairs, schedule, seed),
            first=run.iteration,
            workers=workers,
            share=(world.rank, world.size),
            pinned=device.type == "cuda",
        ):
            if world.any(should_stop()):
                report(last)
                checkpoint()
                raise TrainingStopped
            check_target(batch.targets, n_classes, n_labels)
            step = run.step(batch)
            report(last)
            last = step
            is_over = run.iteration == schedule.iterations
            if validate is not None and (is_due(validate_every) or is_over):
                last.checked()
                report(last, val_miou=run.validated(validate))
                last = None
            if is_due(checkpoint_every):
                report(last)
                last = None
                checkpoint()
        report(last)
        run.check_finite()
    return _on_cpu(run.network.state_dict())


def check_parts(arch: str, crops: int, accumulate: int, *, processes: int = 1) -> None:
    """Refuse more parts than a process has crops, and parts that a network cannot normalize over.

    UsageError.
    """
    if not 1 <= accumulate <= crops:
        of_each = f" ({crops} for each of {processes} processes)" if processes > 1 else ""
        raise UsageError(
            f"a batch of {crops * processes}{of_each} cannot be split into {accumulate} parts "
            "(--accumulate)"
        )
    if arch.startswith(("pspnet", "deeplabv3plus")) and crops // accumulate * processes < 2:
        where = "in each part (--batch, --accumulate)" if accumulate > 1 else "(--batch)"
        raise UsageError(f"{arch} normalizes over the batch: give at least 2 crops {where}")


def poly_learning_rate(schedule: Schedule, iteration: int) -> float:
    """Learning rate of the backbone at an iteration, counted from 0."""
    left = 1 - iteration / schedule.iterations
    return schedule.learning_rate * math.pow(left, schedule.power)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether convolutions are done in bfloat16; `precision` as for `train`."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision is {precision!r}, expected auto, float32 or bfloat16")
    if precision != "auto":
        return precision == "bfloat16"
    # A CPU that only emulates bfloat16 is slower for it. Torch before 2.6 does not report it.
    in_silicon = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device.type == "cuda" or (device.type == "cpu" and in_silicon())


class _Step:
    """The result of an iteration; objective and loss (2,) are fetched while the device works on."""

    def __init__(self, iteration: int, learning_rate: float, losses: Tensor) -> None:
        self.iteration, self.learning_rate = iteration, learning_rate
        self._losses, self._arrival = losses, None
        if losses.device.type == "cuda":
            self._losses = torch.empty(2, pin_memory=True).copy_(losses, non_blocking=True)
            self._arrival = torch.cuda.Event()
            self._arrival.record()

    def checked(self, val_miou: float | None = None) -> Progress:
        """It as numbers; waits for the device. DataError if the loss is not finite."""
        if self._arrival is not None:
            self._arrival.synchronize()
        objective, loss = self._losses.tolist()
        if not math.isfinite(objective):
            raise DataError(
                f"the loss is {objective} at iteration {self.iteration}: the learning rate is "
                "too large, or an image is not finite; the last checkpoint is kept, and can be "
                "started from with --init"
            )
        return Progress(self.iteration, loss, self.learning_rate, val_miou)


class _Run:
    """The state of a run: network, momentum, and the number of iterations done."""

    def __init__(
        self,
        arch: str,
        n_classes: int,
        output_stride: int,
        schedule: Schedule,
        seed: int,
        initial_state: Mapping[str, Tensor] | None,
        world: ProcessGroup,
        bfloat16: bool,
        class_weights: AnyArray | None,
        regularizer: Regularizer | None,
        dice: bool,
        accumulate: int = 1,
    ) -> None:
        self.schedule, self.seed, self.world, self.bfloat16 = schedule, seed, world, bfloat16
        self.regularizer, self.dice, self.accumulate = regularizer, dice, accumulate
        self.weights = (
            None
            if class_weights is None
            else torch.as_tensor(class_weights, dtype=torch.float32, device=world.device)
        )
        self.iteration = 0
        self.signature = {
            "arch": arch,
            "n_classes": n_classes,
            "seed": seed,
            "initial": initial_state is not None,
            **asdict(schedule),
        }
        if output_stride != OUTPUT_STRIDE:  # else the checkpoints of earlier versions go on
            self.signature["output_stride"] = output_stride
        if regularizer is not None:
            self.signature["regulariser"] = asdict(regularizer)
        if dice:
            self.signature["dice"] = True
        if accumulate != 1:
            self.signature["accumulate"] = accumulate
        torch.manual_seed(seed)
        self.network = build(arch, n_classes, output_stride=output_stride)
        self.frozen = initial_state is not None and schedule.frozen_batch_norm
        if initial_state is not None:
            load_initial(self.network, initial_state)
        world.with_common_statistics(self.network)
        self.network.to(world.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._training()
        l2sp = initial_state is not None and schedule.l2sp_alpha is not None
        groups = parameter_groups(self.network, schedule, l2sp=l2sp)
        self.optimizer = torch.optim.SGD(groups, lr=0.0, momentum=schedule.momentum)
        self.anchors = _anchors(self.network) if l2sp else []
        self.pull = schedule.l2sp_alpha or 0.0
        self.shared = world.shared(self.network)
        self.gradients: Callable[[Batch], Tensor] = self._gradients
        waits = regularizer is not None or dice or world.size > 1
        if torch.device(world.device).type == "cuda" and not waits:
            self.gradients = Replayed(self._gradients)

    def step(self, batch: Batch) -> _Step:
        """One iteration, on this process's share of a batch."""
        self._seed()
        losses = self.gradients(
            Batch(*(part.to(self.world.device, non_blocking=True) for part in batch))
        )
        rate = self._descend()
        self.iteration += 1
        return _Step(self.iteration, rate, self.world.total(losses))

    def _seed(self) -> None:
        # Dropout depends on the iteration alone, so that a resumed run draws the same.
        torch.manual_seed(
            ((self.seed * 1_000_003 + self.iteration) * self.world.size + self.world.rank) % 2**63
        )

    def _gradients(self, batch: Batch) -> Tensor:
        """Put the gradients in their places; returns this process's objective and loss, (2,)."""
        parts = batch.parts(self.accumulate)
        mass = self.world.total(target_mass(batch.targets, self.weights)).float()
        mass = torch.where(mass > 0, mass, 1)
        overlaps = self._overlaps(parts) if self.dice and len(parts) > 1 else None
        self.optimizer.zero_grad()
        losses = []
        for number, part in enumerate(parts):
            share = len(part.images) / len(batch.images)
            is_last = number == len(parts) - 1
            with contextlib.nullcontext() if is_last else self.world.unshared(self.shared):
                losses.append(self._add_gradients(part, share, mass, overlaps))
        return torch.stack(losses).sum(0)

    def _add_gradients(
        self, part: Batch, share: float, mass: Tensor, overlaps: Tensor | None
    ) -> Tensor:
        """Add the gradients of a part, a `share` of this process's crops; its objective and loss.

        Each sum is divided by that of the whole batch, in all parts and all processes: `mass` is
        `target_mass` of it, and `overlaps` its `dice_sums`, None where a process has one part.
        """
        world, targets = self.world, part.targets
        outputs = self._outputs(self.shared, part)
        stride = self.network.logit_stride
        losses = [
            loss_sum(logits, targets, self.weights, stride=stride) / mass for logits in outputs
        ]
        objective = losses[0]
        for auxiliary in losses[1:]:
            objective = objective + self.schedule.aux_weight * auxiliary
        if self.dice:
            sums = dice_sums(outputs[0], targets, self.weights, stride=stride)
            total = world.total(sums.detach().clone()) if overlaps is None else overlaps
            objective = objective + dice_part(sums, total, share / world.size)
        objective = objective + self._regularizing(outputs[0], part, share)
        (objective * world.size).backward()  # the processes' gradients are averaged
        return torch.stack([objective.detach(), losses[0].detach()])

    def _outputs(self, network: torch.nn.Module, batch: Batch) -> tuple[Tensor, ...]:
        device = torch.device(self.world.device).type
        with torch.autocast(device, torch.bfloat16) if self.bfloat16 else contextlib.nullcontext():
            outputs: tuple[Tensor, ...] = network(batch.images)
        return outputs

    @torch.no_grad()
    def _overlaps(self, parts: Sequence[Batch]) -> Tensor:
        """The `dice_sums` of the whole batch, of all processes: of a pass that leaves no trace."""
        before = [buffer.clone() for buffer in self.network.buffers()]
        stride, sums = self.network.logit_stride, []
        for part in parts:
            logits = self._outputs(self.network, part)[0]
            sums.append(dice_sums(logits, part.targets, self.weights, stride=stride))
        for buffer, value in zip(self.network.buffers(), before, strict=True):
            buffer.copy_(value)
        self._seed()
        return self.world.total(torch.stack(sums).sum(0))

    def _regularizing(self, logits: Tensor, batch: Batch, share: float) -> Tensor | float:
        """The loss that is added, of crops that are a share of this process's."""
        if self.regularizer is None:
            return 0.0
        weight = self.regularizer.weight_at(self.iteration)
        if not weight:
            return 0.0
        if batch.targets.ndim == 4:  # what a map says is not certain
            labels = torch.full_like(batch.is_real, IGNORE_LABEL, dtype=torch.uint8)
        else:  # nor are labels n_classes + c, those beside scribbles
            is_certain = batch.targets < logits.shape[1]
            labels = torch.where(is_certain, batch.targets, IGNORE_LABEL)
        crops = Crops(batch.images, batch.is_real, labels, batch.scale)
        loss = self.regularizer(logits, crops, self.network.logit_stride)
        return weight * share * loss / self.world.size

    def validated(self, validate: Callable[[SegmentationNetwork], float]) -> float:
        """The mean IoU of the network as it is."""
        miou = validate(self.network.eval())
        self._training()
        return miou

    def check_finite(self) -> None:
        """Refuse weights that are not finite; a loss shows them one iteration late."""
        if not all(tensor.isfinite().all() for tensor in self.network.state_dict().values()):
            raise DataError(
                f"a weight is not finite after iteration {self.iteration}: the learning rate is "
                "too large; the last checkpoint is kept"
            )

    def state(self, made_of: Mapping[str, Json]) -> Checkpoint:
        """All that changes during a run, on the CPU, and what the run is made of."""
        momentum = {
            str(number): entry["momentum_buffer"]
            for number, entry in self.optimizer.state_dict()["state"].items()
        }
        return {
            "iteration": self.iteration,
            "network": _on_cpu(self.network.state_dict()),
            "momentum": _on_cpu(momentum),
            "run": dict(made_of),
        }

    def load(self, state: Checkpoint) -> None:
        """Go on from what `state` returned."""
        self.iteration = state["iteration"]
        self.network.load_state_dict(state["network"])
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            int(number): {"momentum_buffer": buffer.clone()}
            for number, buffer in state["momentum"].items()
        }
        self.optimizer.load_state_dict(optimizer)

    def _training(self) -> None:
        self.network.train()
        if self.frozen:
            freeze_batch_norm(self.network.backbone)

    def _descend(self) -> float:
        """Move the weights along the gradient; returns the backbone's learning rate."""
        rate = poly_learning_rate(self.schedule, self.iteration)
        for group in self.optimizer.param_groups:
            # Beyond that torch raises an error; the loss is not finite then, which is reported.
            group["lr"] = min(rate * group["lr_factor"], LARGEST)
        for parameter, initial in self.anchors:
            # Gradient of L2-SP, alpha / 2 |w - w0|^2.
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach() - initial, alpha=self.pull)
        self.optimizer.step()
        return rate


def _anchors(network: SegmentationNetwork) -> list[tuple[Tensor, Tensor]]:
    """The backbone's convolution weights, each with a copy of what it is now."""
    return [
        (parameter, parameter.detach().clone())
        for parameter in network.backbone.parameters()
        if parameter.requires_grad and parameter.ndim > 1
    ]


def check_target(target: Tensor, n_classes: int, n_labels: int) -> None:
    """Refuse labels outside 0..n_labels-1 that are not 255, and maps of other classes."""
    if target.is_floating_point():
        if target.shape[1] != n_classes:
            raise DataError(f"the maps are of {target.shape[1]} classes, expected {n_classes}")
        return
    strange = target[(target >= n_labels) & (target != IGNORE_LABEL)]
    if strange.numel():
        raise DataError(
            f"the labels hold the value {strange[0].item()}; "
            f"there are classes 0..{n_classes - 1}, and 255 for unlabelled pixels"
        )


def _check_resumable(checkpoint: Checkpoint, made_of: Mapping[str, Json]) -> None:
    for name in {**checkpoint["run"], **made_of}:
        found, value = checkpoint["run"].get(name), made_of.get(name)
        if found != value:
            raise DataError(f"the checkpoint is of a run with {name} {found}, not {value}")


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}
