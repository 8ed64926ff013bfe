"""Parameters of the Potts model. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass

from wsstools.core.parameter import documented, parameter

FLOOR = 1e-3
"""Least probability in a data term, of both regularizers: maps on disk hold them to 5e-4."""

DEVICES = ("auto", "cpu", "cuda")


@documented
@dataclass(frozen=True)
class PottsSettings:
    """The paper's parameters; its tolerance, floor and numbers of iterations are ours."""

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
    device: str = parameter(
        "cpu", "Potts: cpu (compiled), cuda or auto.", metavar="NAME", choices=DEVICES
    )
