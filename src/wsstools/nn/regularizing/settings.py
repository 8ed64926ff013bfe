"""Regularizing losses by name, and their constants. Standard library only, so help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from wsstools.core.parameter import documented, parameter
from wsstools.errors import UsageError

SCALES = (1.0, 0.5, 0.25, 0.125)


@dataclass(frozen=True)
class Constants:
    """What a loss compares pixels by, and how many of them."""

    scale: float = 0.5  # places per pixel of the crop, along a side; one of SCALES
    sigma_rgb: float | None = None  # grey levels; None: colours do not count
    sigma_xy: float | None = None  # pixels of the image; None: places do not count


# Of ours, the colours and distances are those that pull ground truth least away from itself.
CONSTANTS: dict[str, Constants] = {
    "densecrf": Constants(0.5, 5.0, 10.0),
    "ncut": Constants(0.5, 5.0, 10.0),
    "kernelcut": Constants(0.5, 5.0, 10.0),
    "gated": Constants(0.5, 5.7, 12.0),
    "potts": Constants(0.5, 5.0),
    "potts-collision": Constants(0.5, 5.0),
    "potts-soft": Constants(0.5, 5.0),
    "tree": Constants(0.5, 5.0),
    "entropy": Constants(0.5),
    "tv": Constants(0.5),
}
PAPER: dict[str, Constants] = {
    **CONSTANTS,
    "densecrf": Constants(0.5, 15.0, 100.0),
    "ncut": Constants(0.5, 15.0, 100.0),
    "kernelcut": Constants(0.5, 15.0, 100.0),
    "gated": Constants(0.25, 5.7, 24.0),
    "tree": Constants(0.25, 25.5),
}
_SETS = {"ours": CONSTANTS, "paper": PAPER}


@documented
@dataclass(frozen=True)
class LossSettings:
    """A loss on the network's own probabilities beside the cross entropy."""

    loss: Optional[str] = parameter(
        None,
        f"Add a loss on the network's own probabilities: {', '.join(CONSTANTS)}. gated, tree and "
        "potts-soft reach unlabelled pixels only.",
        metavar="NAME",
        choices=tuple(CONSTANTS),
    )
    loss_weight: Optional[float] = parameter(
        None,
        "What it is multiplied by. It does not depend on crop, resolution or batch.",
        metavar="X",
        min=0.0,
    )
    loss_sigma_rgb: Optional[float] = parameter(
        None, "Grey levels by which pixels that belong together may differ.", metavar="X", min=0.1
    )
    loss_sigma_xy: Optional[float] = parameter(
        None, "How far apart they may be, in pixels of the image.", metavar="X", min=0.1
    )
    loss_scale: Optional[float] = parameter(
        None, "Size at which it looks at crops: 1, 0.5, 0.25 or 0.125.", metavar="X"
    )
    loss_from: int = parameter(
        0,
        "Iterations before it counts; over as many again it grows to its weight.",
        metavar="N",
        min=0,
    )
    loss_constants: str = parameter(
        "ours",
        "Where colours, distance and scale are from if they are not given: ours, or paper, the "
        "authors' for photographs.",
        metavar="NAME",
        choices=tuple(_SETS),
    )
    dice: bool = parameter(
        False,
        "Add the Dice loss, over the labelled pixels of a batch, to the cross entropy.",
        "--dice/--no-dice",
    )

    def constants(self) -> Constants:
        """Those of the loss that is chosen, with what is given.

        UsageError if what is given belongs to no loss, to another one, or has no weight.
        """
        given = {
            "scale": self.loss_scale,
            "sigma_rgb": self.loss_sigma_rgb,
            "sigma_xy": self.loss_sigma_xy,
        }
        if self.loss is None:
            others = {
                **given,
                "weight": self.loss_weight,
                "from": self.loss_from or None,
                "constants": None if self.loss_constants == "ours" else self.loss_constants,
            }
            for name, value in others.items():
                if value is not None:
                    raise UsageError(f"--loss-{name.replace('_', '-')} needs --loss")
            return Constants()
        if self.loss not in CONSTANTS:
            raise UsageError(f"--loss {self.loss}: expected one of {', '.join(CONSTANTS)}")
        if self.loss_constants not in _SETS:
            raise UsageError(f"--loss-constants {self.loss_constants}: expected ours or paper")
        if self.loss_weight is None:
            raise UsageError(f"--loss {self.loss} needs --loss-weight X")
        if self.loss_scale not in (None, *SCALES):
            raise UsageError(f"--loss-scale {self.loss_scale:g}: expected 1, 0.5, 0.25 or 0.125")
        found = _SETS[self.loss_constants][self.loss]
        for name in ("sigma_rgb", "sigma_xy"):
            if given[name] is not None and getattr(found, name) is None:
                raise UsageError(f"--loss {self.loss} has no --loss-{name.replace('_', '-')}")
        return Constants(
            given["scale"] or found.scale,
            given["sigma_rgb"] or found.sigma_rgb,
            given["sigma_xy"] or found.sigma_xy,
        )
