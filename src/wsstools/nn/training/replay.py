"""A step of training that a GPU repeats by itself: recorded once as a CUDA graph, then replayed.

A network of many small layers keeps a GPU waiting for its next orders: each of a step's thousand
kernels is sent by Python, which takes longer than most of them do. A graph is sent at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from wsstools.nn.data.crops import Batch

_BY_HAND = 3
"""Calls before the recording: libraries choose their kernels and take their memory in these."""


class Replayed:
    """A function of a batch that computes on a GPU; after some calls it is replayed.

    It must wait for nothing, draw from torch's generator alone, and do the same with any batch of
    these shapes; what it writes beside its result (gradients) is written in the same places then.
    Replayed or not, it gives the same bits. Where a GPU cannot record it, or has no room for the
    recording, which keeps its memory, it is called as before.
    """

    def __init__(self, function: Callable[[Batch], Tensor]) -> None:
        self._function = function
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Batch | None = None  # what the graph reads
        self._result: Tensor | None = None  # and what it writes

    def __call__(self, batch: Batch) -> Tensor:
        """The result for a batch, which the next call may overwrite."""
        self._calls += 1
        if self._calls == _BY_HAND + 1:
            self._record(batch)
        if self._graph is None or self._batch is None or self._result is None:
            return self._function(batch)
        for place, part in zip(self._batch, batch, strict=True):
            place.copy_(part)
        self._graph.replay()
        return self._result

    def _record(self, batch: Batch) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            # Threads that prepare batches take pinned memory meanwhile, which is theirs to do.
            with torch.cuda.graph(
                graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"
            ):
                self._result = self._function(batch)
        except RuntimeError:  # what is wrong with the step itself shows when it is called
            return
        self._graph, self._batch = graph, batch


@contextlib.contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Let a GPU work in a stream of its own while this lasts; the default one is not recorded."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    stream.synchronize()
