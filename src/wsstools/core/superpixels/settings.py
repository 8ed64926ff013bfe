"""Parameters of superpixels and their graph. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass

from wsstools.core.parameter import documented, parameter


@documented
@dataclass(frozen=True)
class SuperpixelSettings:
    """How an image is divided, and what neighbouring parts have to do with each other."""

    scale: float = parameter(
        100.0, "Larger makes fewer and larger superpixels.", metavar="X", min=1.0
    )
    min_size: int = parameter(20, "Pixels of the smallest superpixel.", metavar="N", min=1)
    sigma_colour: float = parameter(
        0.1, "Distance of colour histograms at which neighbours part.", metavar="X", min=1e-3
    )
    sigma_texture: float = parameter(
        1.0, "Distance of histograms of differences at which neighbours part.",
        metavar="X", min=1e-3,
    )  # fmt: skip
    pairwise: float = parameter(
        100.0, "With --maps: weight of the neighbours beside that of the maps.",
        metavar="X", min=0.0, max=1e6,
    )  # fmt: skip
