"""`wss global-predict`: the global annotator model."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Optional

from wsstools.cli.options import Images, Out
from wsstools.core.parameter import parameter
from wsstools.core.tiles import TileSettings
from wsstools.nn.settings import PredictionSettings
from wsstools.running.settings import RunSettings


def global_predict(
    images: Images,
    out: Out,
    run: RunSettings,
    settings: PredictionSettings,
    tiles: TileSettings,
    model: str = parameter(MISSING, "Model file that wss train wrote.", metavar="MODEL"),
    restrict_to: Optional[str] = parameter(
        None,
        "Scribbles of the images: classes that are not scribbled in an image get probability 0 "
        "there; the others are brought back to sum 1.",
        "--scribbles",
        metavar="DIR",
    ),
    wanted: Optional[str] = parameter(
        None,
        "Adjust the maps to these shares of the classes, as wss adjust-prior does: training, those "
        "of the labels that the network was trained on (the weights of train --class-balance are "
        "divided out); a folder of labels; or the share of each class, with commas.",
        "--to",
        metavar="SHARES",
    ),
    learned: Optional[str] = parameter(
        None,
        "With --to: the labels that the network was trained on, a folder or the share of each "
        "class; not for --to training.",
        "--from",
        metavar="SHARES",
    ),
    power: Optional[float] = parameter(
        None,
        "With --to: how much of the change is made. Default: 1.",
        metavar="X",
        min=0.0,
        max=1.0,
        shows_default=False,
    ),
) -> None:
    """Predict the class probabilities of images with a trained network.

    The maps are of the size of the images and hold the classes that can occur in them. On a CPU
    each worker computes on one core, so that the result does not depend on --jobs. On a GPU the
    workers are threads that take turns at one network: while it computes for one, the others read
    images and compress maps. There the last bits of a map may depend on the images that went
    through the network with it.

    With --to, each probability of class c is multiplied by (to_c / (from_c w_c))^power, and the sum
    of a pixel brought back to 1; w_c is the weight that --class-balance gave to pixels of c in
    training, 1 without it. Towards the shares of the training labels only the weights count.

    \b
    Examples:
      wss global-predict images/ --model baseline.pt -o global/
      wss global-predict images/ --model final.pt --msc -o maps/ |
        wss regularize --crf --images images/ - -o refined/ | wss argmax - -o labels/
      wss global-predict images/ --model balanced.pt --to training -o maps/

    Reference: A. K. Menon et al., Long-tail Learning via Logit Adjustment, 2021.
    """
    from wsstools.steps.global_predict import global_predict

    global_predict(
        images,
        out,
        model=model,
        restrict_to=restrict_to,
        wanted=wanted,
        learned=learned,
        power=power,
        settings=settings,
        tile_settings=tiles,
        run=run,
    )
