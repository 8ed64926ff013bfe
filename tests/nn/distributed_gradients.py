"""Run by torchrun in test_nn_distributed.py: gradients of one process and of several."""

import sys

import torch

from wsstools.nn.models.networks import build
from wsstools.nn.training.distributed import joined_process_group
from wsstools.nn.training.losses import loss_sum, target_mass


def network(arch: str) -> torch.nn.Module:
    torch.manual_seed(1)
    made = build(arch, 4).double().train()
    for layer in made.modules():
        if isinstance(layer, torch.nn.Dropout2d):
            layer.p = 0.0
    return made


def gradient(made: torch.nn.Module) -> torch.Tensor:
    parts = [p.grad.flatten() for p in made.parameters() if p.grad is not None]
    return torch.cat(parts)


with joined_process_group("cpu") as world:
    torch.manual_seed(0)
    images = 255 * torch.rand(4, 3, 33, 33, dtype=torch.double)
    labels = torch.randint(0, 4, (4, 33, 33), dtype=torch.uint8)
    labels[:3, ::2] = 255  # the processes have unequal numbers of labelled pixels
    for arch in sys.argv[1:]:
        alone = network(arch)
        loss = sum(loss_sum(logits, labels) for logits in alone(images)) / target_mass(labels)
        loss.backward()
        together = world.with_common_statistics(network(arch))
        mine = slice(world.rank, None, world.size)
        mass = world.total(target_mass(labels[mine]))
        shared = world.shared(together)
        part = sum(loss_sum(logits, labels[mine]) for logits in shared(images[mine])) / mass
        (part * world.size).backward()
        total = world.total(part.detach().clone())
        expected, found = gradient(alone), gradient(together)
        worst = max(
            (a.double() - b.double()).abs().max().item()
            for a, b in zip(alone.buffers(), together.buffers(), strict=True)
        )
        if world.is_first:
            error = (expected - found).norm() / expected.norm()
            print(arch, world.size, loss.item(), total.item(), error.item(), worst, flush=True)
