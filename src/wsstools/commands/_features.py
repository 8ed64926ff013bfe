"""Options that say which features of a pixel a local model learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, List, Optional

import typer

from wsstools.commands._banks import joined_bank
from wsstools.commands._options import WeightsDir


@dataclass(frozen=True)
class FeatureOptions:
    """The filters whose responses are a pixel's features."""

    filters: Annotated[
        Optional[List[str]],
        typer.Option(
            "--filters",
            metavar="BANK",
            help="gabor (built in, the default), vgg16, alexnet (torchvision's weights), or a "
            ".npz/.pth file of first-layer weights; give it twice to join two banks.",
        ),
    ] = None
    filter_order: Annotated[
        str,
        typer.Option(
            "--filter-order", metavar="RGB|BGR", help="Order of the planes in filter files."
        ),
    ] = "RGB"
    weights_dir: WeightsDir = None

    def bank(self) -> tuple[Any, list[Any]]:
        """The filter bank, and the records of the files that it came from."""
        return joined_bank(self.filters or ["gabor"], self.filter_order, self.weights_dir)
