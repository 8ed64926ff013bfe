"""How volumes are cut into slices. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from wsstools.core.parameter import documented, parameter

KINDS = ("image", "labels", "scribbles", "maps")
AXES = ("z", "y", "x")
"""The axes of an array (Z, Y, X); x is the first axis of a voxel in NIfTI."""


@documented
@dataclass(frozen=True)
class SliceSettings:
    """What is cut, along which axis, and what its values mean."""

    kind: str = parameter("image", "image, labels, scribbles or maps.", metavar="KIND")
    axis: str = parameter("z", "Axis to cut along: x, y or z, the last.", metavar="AXIS")
    window: Optional[str] = parameter(
        None,
        "Images: the values that are black and white, the same for all volumes, such as -160,240.",
        metavar="LOW,HIGH",
    )
    percentiles: str = parameter(
        "0.5,99.5",
        "Images without --window: the percentiles of each volume that are black and white.",
        metavar="LOW,HIGH",
    )
    channels: Optional[str] = parameter(
        None,
        "Images: the channels (files _0000, _0001, ... or the fourth axis) that are grey, or red, "
        "green and blue; needed where a volume has several.",
        metavar="C[,C,C]",
    )
    unlabelled: Optional[int] = parameter(
        None,
        "Labels and scribbles: value of voxels without a class; 255 is one too. Default: the "
        "ignore label of nnU-Net's dataset.json, if there is one in or beside VOLUMES.",
        metavar="VALUE",
    )
    first_class: int = parameter(
        0, "Labels and scribbles: value of class 0.", "--first-class", metavar="VALUE", min=0
    )
