"""Options of strokes that are drawn by chance over ground truth."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from wsstools.cli.options import Seed

if TYPE_CHECKING:
    from wsstools.running.step import Step


@dataclasses.dataclass(frozen=True)
class SimulateOptions:
    """What the simulated strokes are like."""

    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate", help="SOURCE is ground truth: draw strokes over it as a person would."
        ),
    ] = False
    share: Annotated[
        float,
        typer.Option(
            "--share",
            metavar="S",
            min=0.0,
            max=1.0,
            help="Simulated: share of the pixels to cover, about; larger means longer strokes.",
        ),
    ] = 0.02
    strokes: Annotated[
        int,
        typer.Option(
            "--strokes", metavar="N", min=1, help="Simulated: most strokes in a connected region."
        ),
    ] = 3
    min_area: Annotated[
        Optional[int],
        typer.Option(
            "--min-area",
            metavar="PIXELS",
            min=0,
            help="Simulated: smaller regions get no stroke. Default: (4 x width) squared, but the "
            "largest region of each class gets one in any case.",
        ),
    ] = None
    seed: Seed = 0

    def step(self, name: str, width: float) -> Step:
        """Ground truth -> scribbles."""
        from wsstools.running.step import Step

        drawing: dict[str, Any] = {
            "width": width,
            "share": self.share,
            "max_strokes": self.strokes,
            "min_area": self.min_area,
        }
        return Step(
            name,
            "scribbles",
            partial(_compute, **drawing),
            options={"simulate": True, "seed": self.seed, **drawing},
            seed=self.seed,
        )


def _compute(gt: Any, *, rng: Any, min_area: int | None, **drawing: Any) -> Any:
    from wsstools.core.scribbles.strokes import simulate_scribbles
    from wsstools.running.step import Computed

    every_class = min_area is None
    return Computed(
        simulate_scribbles(gt, rng=rng, min_area=min_area, every_class=every_class, **drawing)
    )
