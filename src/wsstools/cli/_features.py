"""Options that say which features of a pixel a local model learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, List, Optional

import typer

from wsstools.cli.options import WeightsDir
from wsstools.steps.filter_banks import GABOR, joined_bank

FilterInput = Annotated[
    Optional[List[str]],
    typer.Option(
        "--filter-input",
        metavar="INPUT",
        help="What the network of a file takes: rgb (0..255, the default), bgr (0..255), caffe "
        "(bgr less ImageNet's mean) or torchvision (rgb/255, less its mean, by its deviation). "
        "Once for all files, or once for each.",
    ),
]

_LARGEST_SCALE = 64


@dataclass(frozen=True)
class FeatureOptions:
    """The filters whose responses are a pixel's features."""

    filters: Annotated[
        Optional[List[str]],
        typer.Option(
            "--filters",
            metavar="BANK",
            help="gabor (built in, the default), vgg16, alexnet-original, paper (the two), "
            "alexnet (torchvision's), or a file of a network's weights: .npz, .npy, .pth, .onnx, "
            ".caffemodel, .h5. Give it again to join banks. wss weights tells where the named "
            "ones come from.",
        ),
    ] = None
    filter_input: FilterInput = None
    rectify: Annotated[
        bool,
        typer.Option(
            "--rectify", help="Set negative responses of a network's filters to 0, as it does."
        ),
    ] = False
    position: Annotated[
        bool,
        typer.Option("--position", help="Row and column of a pixel are features too."),
    ] = False
    scales: Annotated[
        str,
        typer.Option(
            "--scales",
            metavar="N,N...",
            help="Filter the image reduced by each of these factors; 1 is the image itself.",
        ),
    ] = "1"
    smooth: Annotated[
        float,
        typer.Option(
            "--smooth",
            metavar="SIGMA",
            min=0,
            help="Add a copy of the responses, averaged by a Gaussian of SIGMA pixels; 0: none.",
        ),
    ] = 0
    weights_dir: WeightsDir = None

    def bank(self) -> tuple[Any, list[Any]]:
        """The filter bank, and the records of the files that it came from."""
        from wsstools.core.local.filter_bank import extended

        bank, records = joined_bank(
            self.filters or [GABOR],
            self.filter_input or [],
            self.weights_dir,
            is_rectified=self.rectify,
        )
        bank = extended(bank, scales=self._scales(), smoothing=self.smooth, position=self.position)
        return bank, records

    def record(self) -> dict[str, Any]:
        """What an output's record says of the features, beside the name of the bank."""
        return {
            "position": self.position,
            "scales": list(self._scales()),
            "smooth": self.smooth,
        }

    def _scales(self) -> tuple[int, ...]:
        from wsstools.errors import UsageError

        parts = self.scales.split(",")
        if not all(part.strip().isdecimal() and 0 < int(part) <= _LARGEST_SCALE for part in parts):
            raise UsageError(
                f"--scales {self.scales}: expected numbers in 1..{_LARGEST_SCALE} with commas "
                "between them"
            )
        return tuple(sorted({int(part) for part in parts}))
