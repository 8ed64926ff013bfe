"""`wss suspects`: strokes that may be wrong."""

from __future__ import annotations

from typing import Optional

from wsstools.cli.options import FORM, AsJson, Maps, ScribblesOrPipe, WeightsDir
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def suspects(
    maps: Maps,
    scribbles: ScribblesOrPipe,
    run: RunSettings,
    images: Optional[str] = parameter(
        None, "The images: strokes are compared by their colours too.", metavar="DIR"
    ),
    features_of: Optional[str] = parameter(
        None,
        "Compare strokes by the features of this network too: imagenet (MobileNetV2), or a file of "
        "weights as wss train --init takes it. A network that was trained on these strokes has "
        "learned the wrong ones.",
        metavar="WEIGHTS",
        choices=("imagenet",),
    ),
    weights_dir: WeightsDir = None,
    top: int = parameter(20, "List so many strokes, worst first; 0: all.", metavar="N", min=0),
    out: Optional[str] = parameter(
        None,
        "Write the scribbles without the listed strokes into DIR, instead of a list.",
        "--out",
        "-o",
        metavar="DIR",
    ),
    only: bool = parameter(
        False, "With --out: write the listed strokes alone, of the images that have some."
    ),
    form: str = FORM,
    as_json: AsJson = False,
) -> None:
    """List the strokes whose class is contradicted, worst first.

    A stroke is an 8-connected region of one class. Two judges look at each: the maps, by the mean
    probability of its class over its pixels; and the strokes of other images, by a classifier that
    knows their place and size, with --images their colours, and with --features-of what a network
    sees there. The score, 0 to 1, is high where neither supports the class. The class that both
    together prefer is beside it. Maps must not have learned from the strokes they judge:
    make them with --folds.

    \b
    Examples:
      wss rf-predict --position --folds 4 images/ scribbles/ -o held-out/
      wss suspects held-out/ scribbles/ --images images/ --features-of imagenet --top 50
      wss suspects held-out/ scribbles/ --images images/ --top 20 --only -o suspects/
      wss show images/ drawn=scribbles/ suspects=suspects/ -o sheet.png
      wss suspects held-out/ scribbles/ --images images/ --top 12 -o cleaned/

    Reference: C. Northcutt et al., Confident Learning, 2021.
    """
    from wsstools.steps.suspects import suspects

    suspects(
        maps,
        scribbles,
        images=images,
        features_of=features_of,
        weights_dir=weights_dir,
        top=top,
        out=out,
        only=only,
        form="json" if as_json else form,
        run=run,
    )
