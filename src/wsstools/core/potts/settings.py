"""Parameters of the Potts model. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass

from wsstools.core.parameter import parameter

FLOOR = 1e-3
"""Least probability that a data term is made from, of both regularisers."""


@dataclass(frozen=True)
class PottsSettings:
    """The paper's parameters; its tolerance, floor and numbers of iterations are ours.

    Attributes
    ----------
    lambda_ : float
        Weight of the borders' length; larger is smoother.
    eta : float
        How much cheaper a border is on an edge of the image.
    floor : float
        Least probability; smaller ones count as it.
    tol : float
        Relative duality gap at which the solver stops.
    max_iterations : int
        Bound on the iterations of each level.
    device : str
        `cpu` (compiled), `cuda` or `auto`.
    """

    lambda_: float = parameter(
        10.0, "Potts: weight of the borders' length; larger is smoother.", metavar="X"
    )
    eta: float = parameter(
        0.01, "Potts: how much cheaper a border is on an edge of the image.", metavar="X"
    )
    floor: float = parameter(FLOOR, "Least probability; smaller ones count as it.", metavar="X")
    tol: float = parameter(
        1e-3, "Potts: relative duality gap at which the solver stops.", metavar="X"
    )
    max_iterations: int = parameter(
        5000, "Potts: bound on the iterations of each level.", metavar="N"
    )
    device: str = parameter("cpu", "Potts: cpu (compiled), cuda or auto.", metavar="NAME")
