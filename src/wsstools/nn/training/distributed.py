"""Several processes that train one network together, as `torchrun` starts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from wsstools.errors import UsageError, WssError

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a run."""

    rank: int = 0  # number of this process, 0 .. size - 1
    size: int = 1  # how many there are
    device: str = "cpu"  # what this one computes on

    @property
    def is_first(self) -> bool:
        """Whether this process writes what the run leaves."""
        return self.rank == 0

    def total(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all processes; changed in place."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in some process."""
        if self.size == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=self.device)).item())

    def agrees(self, number: int) -> bool:
        """Whether all processes have the same number, below 2^62."""
        if self.size == 1:
            return True
        found = torch.tensor([number, -number], device=self.device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return bool((found[0] == -found[1]).item())

    def shared(self, network: nn.Module) -> nn.Module:
        """The network with gradients that are means over the processes, whatever trains it."""
        if self.size == 1:
            return network
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return nn.parallel.DistributedDataParallel(
            network, device_ids=devices, gradient_as_bucket_view=True
        )

    def unshared(self, shared: nn.Module) -> AbstractContextManager[None]:
        """While this lasts, passes through a `shared` network add to this process's gradients.

        They are averaged, all of them, with those of the first pass after it.
        """
        if isinstance(shared, nn.parallel.DistributedDataParallel):
            return cast(AbstractContextManager[None], shared.no_sync())
        return contextlib.nullcontext()

    def with_common_statistics(self, network: nn.Module) -> nn.Module:
        """The network with batch normalization over the batches of all processes."""
        if self.size == 1:
            return network
        if self.device.startswith("cuda"):
            return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(network))
        for module in list(network.modules()):
            for name, layer in module.named_children():
                if isinstance(layer, nn.BatchNorm2d):
                    setattr(module, name, CommonBatchNorm.like(layer, self.size))
        return network


@contextlib.contextmanager
def joined_process_group(device: str) -> Iterator[ProcessGroup]:
    """The processes that `torchrun` started with this one; without it, this one alone.

    With `cuda` each process takes the GPU of its number on its machine.

    Raises
    ------
    UsageError
        A single GPU is named for several processes, or there are fewer GPUs than processes.
    WssError
        Another process ended, or cannot be reached.
    """
    if any(name not in os.environ for name in _VARIABLES) or os.environ["WORLD_SIZE"] == "1":
        yield ProcessGroup(device=device)
        return
    rank, size, local = (int(os.environ[name]) for name in _VARIABLES)
    if device.startswith("cuda"):
        if device != "cuda":
            raise UsageError(f"--device {device}: several processes take a GPU each; give cuda")
        if local >= torch.cuda.device_count():
            raise UsageError(f"{local + 1} processes, but {torch.cuda.device_count()} GPUs")
        device = f"cuda:{local}"
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        yield ProcessGroup(rank, size, device)
    except RuntimeError as error:
        if not _tells_of_a_loss(error):
            raise
        raise WssError(
            f"process {rank} of {size} lost another one; "
            "the same command goes on from the last checkpoint"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _tells_of_a_loss(error: RuntimeError) -> bool:
    """Whether an error is of the talk between processes; gloo's has no class of its own."""
    message = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        words in message for words in ("gloo", "closed by peer", "reset by peer")
    )


class CommonBatchNorm(nn.BatchNorm2d):
    """Batch normalization with the statistics of all processes; torch has it for GPUs only."""

    n_processes = 1

    @classmethod
    def like(cls, layer: nn.BatchNorm2d, n_processes: int) -> CommonBatchNorm:
        """A layer with the parameters and the statistics of another, which it shares."""
        common = cls(layer.num_features, layer.eps, layer.momentum)
        common.n_processes = n_processes
        for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
            setattr(common, name, value)
        return common.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W); all processes have batches of one size."""
        if not self.training:
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        count = values.numel() // values.shape[1] * self.n_processes
        mean = _total(values.sum(dim=(0, 2, 3))) / count
        centred = values - mean.view(1, -1, 1, 1)
        variance = _total(centred.square().sum(dim=(0, 2, 3))) / count
        self._follow(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight / (variance + self.eps).sqrt()
        normalized = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return normalized.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        momentum = 0.1 if self.momentum is None else self.momentum
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class _Total(torch.autograd.Function):
    """The sum over the processes; each gets the gradients of all."""

    @staticmethod
    def forward(_: FunctionCtx, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: FunctionCtx, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _total(value: Tensor) -> Tensor:
    apply: Callable[[Tensor], Tensor] = _Total.apply
    return apply(value)
