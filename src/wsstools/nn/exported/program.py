"""A network as a graph of torch's own operators, from images to probabilities."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from wsstools.errors import DataError, one_line
from wsstools.nn.models.networks import SegmentationNetwork, upsample

Compute: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""What a file does: probabilities (N, C, H, W) of images (N, H, W, 3)."""
INPUT, OUTPUT = "images", "probs"
AXES = ("batch", "height", "width")
"""Of the input, those that may be free; the colours follow."""
LEAST_SIDE, MOST_SIDE = 17, 1 << 15
"""Pixels of a free side: with fewer, the U-Net has a single feature at its deepest level."""
_EXAMPLE = (2, 97, 131)
"""Of free sizes any would do that are not 1 at any level, and differ."""


class Probabilities(nn.Module):
    """A network between the pixels of images and class probabilities."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities (N, C, H, W) float32 of images (N, H, W, 3) uint8, RGB."""
        size = (images.shape[1], images.shape[2])
        planes = images.permute(0, 3, 1, 2)
        # Of strides with the colours next to each other torch would ask what holds of few sizes.
        pixels = planes.to(torch.float32, memory_format=torch.contiguous_format)
        logits = self.network(pixels)[0]
        return upsample(logits, size, self.network.logit_stride).softmax(dim=1)


def exported_program(
    network: SegmentationNetwork, arch: str, size: tuple[int, int] | None = None
) -> ExportedProgram:
    """The graph of `Probabilities` of a network, which stays as it is.

    Parameters
    ----------
    network : SegmentationNetwork
        In eval mode, on the CPU.
    arch : str
        Its name, for the error.
    size : (int, int) or None
        Height and width of the one image that it takes; None: any number of images of any size
        from LEAST_SIDE on.

    Returns
    -------
    ExportedProgram
        Takes (N, H, W, 3) uint8 and gives (N, C, H, W) float32. The same network gives the same
        graph: neither places in the code nor paths of this machine are left in it.

    Raises
    ------
    DataError
        If torch cannot record the network.
    """
    shape = _EXAMPLE if size is None else (1, *size)
    free = {axis: Dim(name, min=_least(axis), max=MOST_SIDE) for axis, name in enumerate(AXES)}
    module = Probabilities(copy.deepcopy(network)).eval().requires_grad_(False)
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for layer in module.modules():
        if hasattr(layer, "inplace"):  # where sizes are free, torch takes a second for each
            layer.inplace = False  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():  # of torch about itself
            warnings.simplefilter("ignore")
            program = torch.export.export(
                module,
                (torch.zeros(*shape, 3, dtype=torch.uint8),),
                dynamic_shapes=(free,) if size is None else None,
            )
    except Exception as error:  # torch raises whatever it stumbles over
        raise DataError(f"{arch} cannot be exported: {one_line(str(error))}") from error
    for node in program.graph.nodes:
        for key in ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn"):
            node.meta.pop(key, None)
    return program


def _least(axis: int) -> int:
    return 1 if AXES[axis] == "batch" else LEAST_SIDE
