"""The training loop. A run can stop at a checkpoint and go on as if it had not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from wsstools.errors import DataError, UsageError
from wsstools.nn.augment import IGNORE_LABEL
from wsstools.nn.initial import load_initial
from wsstools.nn.networks import (
    SegmentationNetwork,
    build,
    freeze_batch_norm,
    parameter_groups,
    upsample,
)
from wsstools.nn.samples import Pairs, Samples, batches
from wsstools.nn.schedules import Schedule


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    iteration : int
        Iterations done, 1 .. schedule.iterations.
    loss : float
        Of the last one, over its labelled pixels.
    learning_rate : float
        Of the backbone, in the last one.
    """

    iteration: int
    loss: float
    learning_rate: float


def train(
    pairs: Pairs,
    *,
    arch: str,
    n_classes: int,
    schedule: Schedule,
    seed: int = 0,
    initial_state: Mapping[str, Tensor] | None = None,
    device: str | torch.device = "cpu",
    precision: str = "auto",
    workers: int = 0,
    resume: Mapping[str, Any] | None = None,
    on_iteration: Callable[[Progress], None] | None = None,
    on_checkpoint: Callable[[dict[str, Any]], None] | None = None,
    checkpoint_every: int | None = None,
) -> dict[str, Tensor]:
    """Weights of a network trained on images and their (partial) labels.

    Parameters
    ----------
    pairs : Pairs
        Images and labels.
    arch : str
        A key of `SCHEDULES`.
    n_classes : int
        Labels are 0..n_classes-1, or 255, which is ignored.
    schedule : Schedule
        The numbers of the run.
    seed : int
        Of all that is drawn: order, crops, new layers, dropout. Not negative.
    initial_state : mapping of str to Tensor, or None
        See `load_initial`; None starts from random weights.
    device : str or torch.device
        Where to compute.
    precision : {"auto", "float32", "bfloat16"}
        Of the convolutions; auto is bfloat16 on a GPU and on a CPU that has it in silicon, and
        float32 elsewhere. Losses and weights are float32 always.
    workers : int
        Processes that prepare crops ahead. They do not change the result.
    resume : mapping or None
        What `on_checkpoint` got in a run with the same arguments.
    on_iteration : callable or None
        Called after each iteration.
    on_checkpoint : callable or None
        Called with all that `resume` needs, every `checkpoint_every` iterations.
    checkpoint_every : int or None
        None makes no checkpoints.

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
        A batch of one crop for PSPNet.

    Notes
    -----
    The loss is the cross entropy, in mean over the labelled pixels of a batch; 0 where there are
    none. On the CPU, two runs on as many threads give the same bits, resumed or not.
    """
    if len(pairs) == 0:
        raise DataError("there are no images to train on")
    if arch.startswith("pspnet") and schedule.batch < 2:
        raise UsageError("PSPNet normalises over the batch, which needs at least 2 crops (--batch)")
    device = torch.device(device)
    bfloat16 = _uses_bfloat16(precision, device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        run = _Run(arch, n_classes, schedule, seed, initial_state, device)
        made_of = run.signature | {"images": len(pairs), "bfloat16": bfloat16}
        if resume is not None:
            _check_resumable(resume, made_of)
            run.load(resume)
        samples = Samples(pairs, schedule, seed)
        for images, labels in batches(samples, first=run.iteration, workers=workers):
            _check_labels(labels, n_classes)
            progress = run.step(images, labels, bfloat16=bfloat16)
            if on_iteration is not None:
                on_iteration(progress)
            if on_checkpoint and checkpoint_every and run.iteration % checkpoint_every == 0:
                on_checkpoint(run.state() | {"run": made_of})
    return _on_cpu(run.network.state_dict())


def poly_learning_rate(schedule: Schedule, iteration: int) -> float:
    """Learning rate of the backbone at an iteration, counted from 0."""
    return schedule.learning_rate * (1 - iteration / schedule.iterations) ** schedule.power


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy, in mean over the labelled pixels; 0 where there are none.

    Parameters
    ----------
    logits : (N, C, h, w)
        As a network gives them; they are brought to the size of the labels.
    labels : (N, H, W) int64
        255 is ignored.
    """
    total = F.cross_entropy(
        upsample(logits.float(), (labels.shape[1], labels.shape[2])),
        labels,
        ignore_index=IGNORE_LABEL,
        reduction="sum",
    )
    return total / (labels != IGNORE_LABEL).sum().clamp(min=1)


class _Run:
    """The state of a run: network, momentum, and the number of iterations done."""

    def __init__(
        self,
        arch: str,
        n_classes: int,
        schedule: Schedule,
        seed: int,
        initial_state: Mapping[str, Tensor] | None,
        device: torch.device,
    ) -> None:
        self.schedule, self.seed, self.device = schedule, seed, device
        self.iteration = 0
        self.signature = {
            "arch": arch,
            "n_classes": n_classes,
            "seed": seed,
            "initial": initial_state is not None,
            **asdict(schedule),
        }
        torch.manual_seed(seed)
        self.network = build(arch, n_classes)
        self.frozen = initial_state is not None and schedule.frozen_batch_norm
        if initial_state is not None:
            load_initial(self.network, initial_state)
        self.network.to(device).train()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.frozen:
            freeze_batch_norm(self.network.backbone)
        l2sp = initial_state is not None and schedule.l2sp_alpha is not None
        groups = parameter_groups(self.network, schedule, l2sp=l2sp)
        self.optimizer = torch.optim.SGD(groups, lr=0.0, momentum=schedule.momentum)
        self.anchors = _anchors(self.network) if l2sp else []
        self.pull = schedule.l2sp_alpha or 0.0

    def step(self, images: Tensor, labels: Tensor, *, bfloat16: bool) -> Progress:
        """One iteration."""
        # Dropout depends on the iteration alone, so that a resumed run draws the same.
        torch.manual_seed((self.seed * 1_000_003 + self.iteration) % 2**63)
        images = images.to(self.device, memory_format=torch.channels_last)
        labels = labels.to(self.device).long()
        autocast = torch.autocast(self.device.type, torch.bfloat16)
        with autocast if bfloat16 else contextlib.nullcontext():
            outputs = self.network(images)
        loss = segmentation_loss(outputs[0], labels)
        objective = loss
        for auxiliary in outputs[1:]:
            objective = objective + self.schedule.aux_weight * segmentation_loss(auxiliary, labels)
        if not torch.isfinite(objective):
            raise DataError(
                f"the loss is {objective.item()} at iteration {self.iteration + 1}: "
                "the learning rate is too large, or an image is not finite"
            )
        self.optimizer.zero_grad()
        objective.backward()
        rate = self._descend()
        self.iteration += 1
        return Progress(self.iteration, loss.item(), rate)

    def state(self) -> dict[str, Any]:
        """All that changes during a run, on the CPU."""
        momentum = {
            str(number): entry["momentum_buffer"]
            for number, entry in self.optimizer.state_dict()["state"].items()
        }
        return {
            "iteration": self.iteration,
            "network": _on_cpu(self.network.state_dict()),
            "momentum": _on_cpu(momentum),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.iteration = state["iteration"]
        self.network.load_state_dict(state["network"])
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            int(number): {"momentum_buffer": buffer.clone()}
            for number, buffer in state["momentum"].items()
        }
        self.optimizer.load_state_dict(optimizer)

    def _descend(self) -> float:
        """Move the weights along the gradient; returns the backbone's learning rate."""
        rate = poly_learning_rate(self.schedule, self.iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_factor"]
        for parameter, initial in self.anchors:
            # Gradient of L2-SP, alpha / 2 |w - w0|^2.
            pull = self.pull * (parameter.detach() - initial)
            parameter.grad = pull if parameter.grad is None else parameter.grad + pull
        self.optimizer.step()
        return rate


def _anchors(network: SegmentationNetwork) -> list[tuple[Tensor, Tensor]]:
    """The backbone's convolution weights, each with a copy of what it is now."""
    return [
        (parameter, parameter.detach().clone())
        for parameter in network.backbone.parameters()
        if parameter.requires_grad and parameter.ndim > 1
    ]


def _uses_bfloat16(precision: str, device: torch.device) -> bool:
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision is {precision!r}, expected auto, float32 or bfloat16")
    if precision != "auto":
        return precision == "bfloat16"
    # A CPU that only emulates bfloat16 is slower for it. Torch before 2.6 cannot tell.
    in_silicon = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device.type == "cuda" or (device.type == "cpu" and in_silicon())


def _check_labels(labels: Tensor, n_classes: int) -> None:
    strange = labels[(labels >= n_classes) & (labels != IGNORE_LABEL)]
    if strange.numel():
        raise DataError(
            f"the labels hold the value {strange[0].item()}; "
            f"there are classes 0..{n_classes - 1}, and 255 for unlabelled pixels"
        )


def _check_resumable(checkpoint: Mapping[str, Any], made_of: Mapping[str, Any]) -> None:
    for name, value in made_of.items():
        found = checkpoint["run"].get(name)
        if found != value:
            raise DataError(f"the checkpoint is of a run with {name} {found}, not {value}")


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}
