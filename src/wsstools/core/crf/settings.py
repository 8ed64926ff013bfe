"""Parameters of the fully connected CRF. Standard library only, so that help is instant."""

from __future__ import annotations

from dataclasses import dataclass

from wsstools.core.parameter import documented, parameter
from wsstools.core.potts.settings import FLOOR

ENGINES = ("compiled", "pydensecrf")


@documented
@dataclass(frozen=True)
class CrfSettings:
    """The paper's parameters; its floor and number of iterations are ours."""

    w1: float = parameter(
        3.0, "CRF: weight of the bilateral kernel; larger follows colour.", metavar="X"
    )
    sigma_alpha: float = parameter(30.0, "CRF: its reach in pixels.", metavar="X")
    sigma_beta: float = parameter(5.0, "CRF: its reach in grey levels, 0..255.", metavar="X")
    w2: float = parameter(
        5.0, "CRF: weight of the spatial kernel; larger is smoother.", metavar="X"
    )
    sigma_gamma: float = parameter(2.0, "CRF: its reach in pixels.", metavar="X")
    iterations: int = parameter(
        10, "CRF: iterations of the mean field.", "--crf-iterations", metavar="N"
    )
    floor: float = parameter(FLOOR, "Least probability; smaller ones count as it.", metavar="X")
    prune: float = parameter(
        0.05,
        "CRF: probability that classes solved as one may hold together at a pixel.",
        metavar="X",
    )
    engine: str = parameter(
        "compiled",
        "CRF: compiled (our own) or pydensecrf (the reference, slower).",
        metavar="|".join(ENGINES),
        choices=ENGINES,
    )
