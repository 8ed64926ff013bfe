"""`wss export`: a network for programs that have no wsstools."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Annotated, Optional

import typer

from wsstools.core.parameter import parameter


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model file that wss train wrote.")],
    out: str = parameter(
        MISSING,
        "File to write: .onnx, for ONNX Runtime and others, or .pt2, for torch.export.",
        "--out",
        "-o",
        metavar="FILE",
    ),
    size: Optional[str] = parameter(
        None,
        "The file takes one image of this height and width. Default: any number of images of any "
        "size from 17 pixels on.",
        metavar="HxW",
        shows_default=False,
    ),
    classes: Optional[str] = parameter(
        None,
        "Names of the classes, one per line. Default: those that the model knows; where it knows "
        "none, the classes.txt beside it.",
        metavar="FILE",
        shows_default=False,
    ),
    overwrite: bool = parameter(False, "Replace a file that another step or other options made."),
) -> None:
    """Write a trained network for programs that have no wsstools.

    The file takes images (N, H, W, 3) uint8, RGB, under the name images, and gives probabilities
    (N, C, H, W) float32, probs, at their size: the normalization, the up-sampling and the softmax
    are inside, as are the weights. It names the classes and their colours, the architecture and how
    the model was made.

    Before the file gets its name, it is run on images of several sizes. A difference to what
    wss global-predict computes of more than 0.001 is an error; the largest is printed.

    Needs pip install 'wsstools[onnx]', but for .pt2.

    \b
    Examples:
      wss export net.pt -o net.onnx
      wss export net.pt -o camera.onnx --size 360x480 --classes classes.txt
    """
    from wsstools.steps.export import export

    export(model, out, size=size, classes=classes, overwrite=overwrite)
