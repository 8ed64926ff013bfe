"""Parameters of labels from boxes. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass

from wsstools.core.parameter import documented, parameter

RULES = ("box", "inner", "grabcut")


@documented
@dataclass(frozen=True)
class BoxSettings:
    """How boxes become labels."""

    inner_share: float = parameter(
        0.2,
        "Boxes: share of a box's area, about its centre, that is its class by the rule inner.",
        metavar="S",
        min=0.0,
        max=1.0,
    )
    runs: int = parameter(
        5,
        "Boxes: runs of GrabCut for each box, moved by chance; more is surer and slower.",
        metavar="N",
        min=1,
    )
