"""Run by torchrun in test_accumulate.py: a batch in parts by several processes, and whole by one.

Prints processes, parts, and how far gradient and losses are from those of the whole batch.
"""

import torch

from wsstools.nn.data.crops import Batch
from wsstools.nn.models.networks import freeze_batch_norm
from wsstools.nn.regularizing.losses import Regularizer
from wsstools.nn.regularizing.settings import CONSTANTS
from wsstools.nn.training.distributed import ProcessGroup, joined_process_group
from wsstools.nn.training.loop import _Run
from wsstools.nn.training.schedules import SCHEDULES

ARCH = "deeplabv2-mobilenetv2"


def found(world: ProcessGroup, batch: Batch, accumulate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient, and objective and loss, of a step without batch normalization's statistics."""
    regularizer = Regularizer("potts", CONSTANTS["potts"], 1.0)
    run = _Run(
        ARCH, 3, 8, SCHEDULES[ARCH], 0, None, world, False, None, regularizer, True, accumulate
    )
    freeze_batch_norm(run.network)
    run.network.double()
    run.shared = world.shared(run.network)
    for _ in range(2):  # the second one takes the place of the first
        losses = world.total(run._gradients(batch))
    parts = [p.grad.flatten() for p in run.network.parameters() if p.grad is not None]
    return torch.cat(parts), losses


with joined_process_group("cpu") as world:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = 255 * torch.rand(6, 3, 33, 33, dtype=torch.double)
    labels = torch.randint(0, 3, (6, 33, 33), dtype=torch.uint8)
    labels[:4, ::2] = 255  # processes and parts have unequal numbers of labelled pixels
    labels[4] = 255
    batch = Batch(images, labels, torch.ones(6, 33, 33, dtype=torch.bool), torch.ones(6))
    mine = Batch(*(part[world.rank :: world.size] for part in batch))
    expected, losses = found(ProcessGroup(), batch, 1)
    for accumulate in (1, 2, 3):
        gradient, values = found(world, mine, accumulate)
        error = (gradient - expected).norm() / expected.norm()
        difference = ((values - losses) / losses).abs().max()
        if world.is_first:
            print(world.size, accumulate, error.item(), difference.item(), flush=True)
