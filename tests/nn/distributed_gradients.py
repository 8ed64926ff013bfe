"""Run by torchrun in test_distributed.py: gradients of one process and of several.

Of batches as a whole, with common statistics of batch normalization, and in parts, by a run of
training; all in double precision.
"""

import sys

import torch
from shallow import shallow_resnets

from wsstools.nn.data.crops import Batch
from wsstools.nn.models.networks import build, freeze_batch_norm
from wsstools.nn.models.torchvision_compat import import_torchvision
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training.distributed import ProcessGroup, joined_process_group
from wsstools.nn.training.loop import _Run
from wsstools.nn.training.losses import loss_sum, target_mass
from wsstools.nn.training.schedules import SCHEDULES

IN_PARTS = "deeplabv2-mobilenetv2"
SIDE = 17  # of the crops


def network(arch: str) -> torch.nn.Module:
    """A network of random weights without dropout; its ResNets have a block a stage."""
    models = import_torchvision().models
    vars(models).update(shallow_resnets(models))
    torch.manual_seed(1)
    made = build(arch, 4).double().train()
    for layer in made.modules():
        if isinstance(layer, torch.nn.Dropout2d):
            layer.p = 0.0
    return made


def gradient(made: torch.nn.Module) -> torch.Tensor:
    """The gradients of all weights that have one."""
    parts = [p.grad.flatten() for p in made.parameters() if p.grad is not None]
    return torch.cat(parts)


def compare_whole(world: ProcessGroup, arch: str) -> None:
    """Print network, processes, both losses, and how far gradient and statistics are apart."""
    torch.manual_seed(0)
    images = 255 * torch.rand(4, 3, SIDE, SIDE, dtype=torch.double)
    labels = torch.randint(0, 4, (4, SIDE, SIDE), dtype=torch.uint8)
    labels[:3, ::2] = 255  # the processes have unequal numbers of labelled pixels
    together = world.with_common_statistics(network(arch))
    mine = slice(world.rank, None, world.size)
    mass = world.total(target_mass(labels[mine]))
    shared = world.shared(together)
    part = sum(loss_sum(logits, labels[mine]) for logits in shared(images[mine])) / mass
    (part * world.size).backward()
    total = world.total(part.detach().clone())
    if not world.is_first:
        return
    alone = network(arch)
    loss = sum(loss_sum(logits, labels) for logits in alone(images)) / target_mass(labels)
    loss.backward()
    expected, found = gradient(alone), gradient(together)
    worst = max(
        (a.double() - b.double()).abs().max().item()
        for a, b in zip(alone.buffers(), together.buffers(), strict=True)
    )
    error = (expected - found).norm() / expected.norm()
    values = loss.item(), total.item(), error.item(), worst
    print("whole", arch, world.size, *values, flush=True)


def found(world: ProcessGroup, batch: Batch, accumulate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient, and objective and loss, of a step without batch normalization's statistics."""
    regularizer = Regularizer("potts", CONSTANTS["potts"], 1.0)
    run = _Run(
        IN_PARTS, 3, 8, SCHEDULES[IN_PARTS], 0, None, world, False, None, regularizer, True,
        accumulate,
    )  # fmt: skip
    freeze_batch_norm(run.network)
    run.network.double()
    run.shared = world.shared(run.network)
    for _ in range(2):  # the second one takes the place of the first
        losses = world.total(run._gradients(batch))
    return gradient(run.network), losses


def compare_parts(world: ProcessGroup) -> None:
    """Print processes, parts, and how far gradient and losses are from those of one process."""
    torch.manual_seed(0)
    images = 255 * torch.rand(6, 3, SIDE, SIDE, dtype=torch.double)
    labels = torch.randint(0, 3, (6, SIDE, SIDE), dtype=torch.uint8)
    labels[:4, ::2] = 255  # processes and parts have unequal numbers of labelled pixels
    labels[4] = 255
    batch = Batch(images, labels, torch.ones(6, SIDE, SIDE, dtype=torch.bool), torch.ones(6))
    mine = Batch(*(part[world.rank :: world.size] for part in batch))
    together = {accumulate: found(world, mine, accumulate) for accumulate in (1, 2, 3)}
    if not world.is_first:
        return
    expected, losses = found(ProcessGroup(), batch, 1)
    for accumulate, (own, values) in together.items():
        error = (own - expected).norm() / expected.norm()
        difference = ((values - losses) / losses).abs().max()
        print("parts", world.size, accumulate, error.item(), difference.item(), flush=True)


with joined_process_group("cpu") as world:
    torch.set_num_threads(1)
    for arch in sys.argv[1:]:
        compare_whole(world, arch)
    compare_parts(world)
