"""`wss superpixels`: labels by a graph of superpixels."""

from __future__ import annotations

from typing import Optional

from wsstools.cli.options import Images, NClasses, Out, Scribbles
from wsstools.core.parameter import parameter
from wsstools.core.superpixels.settings import SuperpixelSettings
from wsstools.running.settings import RunSettings


def superpixels(
    images: Images,
    scribbles: Scribbles,
    out: Out,
    run: RunSettings,
    settings: SuperpixelSettings,
    maps: Optional[str] = parameter(
        None, "Maps of the images that a network predicted.", metavar="DIR"
    ),
    n_classes: NClasses = None,
) -> None:
    """Spread scribbles over superpixels, to labels of whole images, as ScribbleSup does.

    An image is divided into superpixels, parts of one colour. Those with a stroke have its class;
    the others get the classes that cut the graph of neighbouring superpixels where they are least
    alike in colour and texture. --maps adds what a network that was trained on such labels says:
    ScribbleSup alternates the two. Only classes that are scribbled in an image occur in its labels.

    \b
    Example, with one round of alternation:
      wss superpixels images/ scribbles/ -o first/
      wss train --images images/ --labels first/ -o first.pt
      wss global-predict images/ --model first.pt -o maps/ |
        wss superpixels images/ scribbles/ --maps - -o second/
      wss train --images images/ --labels second/ -o final.pt

    Reference: D. Lin et al., ScribbleSup, 2016.
    """
    from wsstools.steps.superpixels import superpixels

    superpixels(images, scribbles, out, maps=maps, settings=settings, n_classes=n_classes, run=run)
