"""`wss global-predict`: the global annotator model."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Optional

from wsstools.cli.options import Images, Out
from wsstools.core.parameter import parameter
from wsstools.nn.settings import PredictionSettings
from wsstools.running.settings import RunSettings


def global_predict(
    images: Images,
    out: Out,
    run: RunSettings,
    settings: PredictionSettings,
    model: str = parameter(MISSING, "Model file that wss train wrote.", metavar="MODEL"),
    restrict_to: Optional[str] = parameter(
        None,
        "Scribbles of the images: classes that are not scribbled in an image get probability 0 "
        "there; the others are brought back to sum 1.",
        "--scribbles",
        metavar="DIR",
    ),
) -> None:
    """Predict the class probabilities of images with a trained network.

    The maps are of the size of the images and hold the classes that can occur in them. On a CPU
    each worker computes on one core, so that the result does not depend on --jobs. On a GPU the
    workers are threads that take turns at one network: while it computes for one, the others read
    images and compress maps. There the last bits of a map may depend on the images that went
    through the network with it.

    \b
    Examples:
      wss global-predict images/ --model baseline.pt -o global/
      wss global-predict images/ --model final.pt --msc -o maps/ |
        wss regularize --crf --images images/ - -o refined/ | wss argmax - -o labels/
    """
    from wsstools.steps.global_predict import global_predict

    global_predict(images, out, model=model, restrict_to=restrict_to, settings=settings, run=run)
