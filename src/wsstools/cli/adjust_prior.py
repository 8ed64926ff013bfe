"""`wss adjust-prior`: maps for the class shares of whole images instead of those of strokes."""

from __future__ import annotations

from dataclasses import MISSING

from wsstools.cli.options import Maps, Out
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def adjust_prior(
    maps: Maps,
    out: Out,
    run: RunSettings,
    learned: str = parameter(
        MISSING,
        "The scribbles or labels that the maps' model learned from: a folder, or the share of each "
        "class, with commas.",
        "--from",
        metavar="SHARES",
    ),
    wanted: str = parameter(
        MISSING,
        "Labels whose class shares are taken for the true ones, such as those of local models, or "
        "the ground truth of a few images: a folder, or the share of each class, with commas.",
        "--to",
        metavar="SHARES",
    ),
    power: float = parameter(1.0, "How much of the change is made.", metavar="X", min=0.0, max=1.0),
) -> None:
    """Adjust maps to the share that each class has in whole images.

    People scribble a pole nearly as long as a road, and a model that learns from strokes finds
    poles everywhere. Each probability P of class c is multiplied by (to_c / from_c)^power, and
    the sum of a pixel brought back to 1; from_c and to_c are the shares of c among the labelled
    pixels of all files in the two folders, whatever --ids and --shard choose. The maps of a network
    that was trained with --class-balance are adjusted by wss global-predict --to, which knows its
    class weights.

    \b
    Example:
      wss argmax local/ -o local-labels/
      wss adjust-prior combined/ --from scribbles/ --to local-labels/ -o adjusted/

    Reference: M. Saerens, P. Latinne, C. Decaestecker, Adjusting the Outputs of a Classifier to
    New a Priori Probabilities, 2002.
    """
    from wsstools.steps.adjust_prior import adjust_prior

    adjust_prior(maps, out, learned=learned, wanted=wanted, power=power, run=run)
