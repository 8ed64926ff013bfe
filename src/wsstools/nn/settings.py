"""Parameters of prediction with a network. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from wsstools.core.parameter import documented, parameter

GPU_BATCH = 8
"""Images that go through a network at once on a GPU, where nothing else is said."""


DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@documented
@dataclass(frozen=True)
class PredictionSettings:
    """How a network looks at images, and what is kept of its maps."""

    scales: Optional[str] = parameter(
        None,
        "Show the image at these sizes and average the probabilities. Default: 1.",
        metavar="X,X,...",
        shows_default=False,
    )
    flip: bool = parameter(False, "Show it mirrored too, at each size.")
    msc: bool = parameter(
        False,
        "--flip with the sizes published for the architecture: 0.5,0.75,1 for DeepLabV2, "
        "0.5,0.75,1,1.25,1.5,1.75 for PSPNet and DeepLabV3+, 1 for U-Net.",
    )
    floor: float = parameter(
        1e-4,
        "Leave out the classes that are below P at every pixel of an image and the most probable "
        "at none. With k of them no probability changes by more than k P; a file cannot show less "
        "than 0.0005.",
        "--drop-below",
        metavar="P",
        min=0.0,
        max=0.5,
    )
    device: str = parameter("auto", "cpu, cuda, cuda:1 or auto.", metavar="NAME", choices=DEVICES)
    precision: str = parameter(
        "auto",
        "Of the convolutions: float32, bfloat16, float16 (GPU only), or auto: float32 on a CPU, "
        "float16 on a GPU.",
        metavar="NAME",
        choices=PRECISIONS,
    )
    batch: Optional[int] = parameter(
        None,
        "Most images of one size that go through the network at once; above 1 the last bits of a "
        f"map may depend on it. Default: 1, on a GPU {GPU_BATCH}.",
        metavar="N",
        min=1,
        shows_default=False,
    )
