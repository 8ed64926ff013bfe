"""How settings did that were tried on images, and which did best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GRIDS = {
    "potts": {"lambda_": "1,2,5,10,20,50", "eta": "0,0.005,0.01,0.02,0.05"},
    "crf": {
        "w1": "1,3,6,10",
        "sigma_alpha": "30,60",
        "sigma_beta": "3,5,10,20",
        "w2": "2,5",
        "sigma_gamma": "2",
        "iterations": "10",
    },
}
"""Values to try where none are given, around the paper's."""


@dataclass(frozen=True)
class Standing:
    """How one setting did."""

    parameters: Mapping[str, float | str]
    mean_iou: float  # from the confusion matrix summed over the images
    is_paper: bool = False  # whether it is the paper's setting
    is_contender: bool = True  # whether it can win; the paper's cannot where the grid leaves it out


def ranked(standings: Iterable[Standing]) -> list[Standing]:
    """The settings by mean IoU, the best first; among equals the order stays."""
    return sorted(standings, key=lambda one: -one.mean_iou)


def winner(standings: Iterable[Standing]) -> Standing:
    """The best of those that can win."""
    return next(one for one in ranked(standings) if one.is_contender)
