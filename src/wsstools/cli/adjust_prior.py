"""`wss adjust-prior`: maps for the class shares of whole images instead of those of strokes."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from wsstools.cli.options import Maps, Out, StepOptions


def adjust_prior(
    maps: Maps,
    out: Out,
    run: StepOptions,
    learned: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="SCRIBBLES",
            help="Folder of the scribbles or labels that the maps' model learned from.",
        ),
    ],
    wanted: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="LABELS",
            help="Folder of labels whose class shares are taken for the true ones, such as those "
            "of local models, or the ground truth of a few images.",
        ),
    ],
    power: Annotated[
        float,
        typer.Option(
            "--power", metavar="X", min=0.0, max=1.0, help="How much of the change is made."
        ),
    ] = 1.0,
) -> None:
    """Adjust maps to the share that each class has in whole images.

    People scribble a pole nearly as long as a road, and a model that learns from strokes finds
    poles everywhere. Each probability P of class c is multiplied by (to_c / from_c)^power, and
    the sum of a pixel brought back to 1; from_c and to_c are the shares of c among the labelled
    pixels of all files in the two folders, whatever --ids and --shard choose.

    \b
    Example:
      wss argmax local/ -o local-labels/
      wss adjust-prior combined/ --from scribbles/ --to local-labels/ -o adjusted/

    Reference: M. Saerens, P. Latinne, C. Decaestecker, Adjusting the Outputs of a Classifier to
    New a Priori Probabilities, 2002.
    """
    from wsstools.formats import map_files
    from wsstools.running.join import Input
    from wsstools.running.step import Step, run_step

    pixels = {
        role: _pixels(role, place, run) for role, place in (("from", learned), ("to", wanted))
    }
    n_classes = max(len(counted) for counted in pixels.values())
    filled = {role: counted + [0] * (n_classes - len(counted)) for role, counted in pixels.items()}
    step = Step(
        "adjust-prior",
        "prob",
        partial(_compute, learned=filled["from"], wanted=filled["to"], power=power),
        options={"power": power, **pixels},
    )
    inputs = [Input("map", run.source(maps, map_files.SUFFIXES, "map"), map_files.decode_map)]
    run_step(step, inputs, out, run.settings())


def _pixels(role: str, place: str, run: StepOptions) -> list[int]:
    """Pixels of each class in all files of a folder, up to the largest class that occurs."""
    import numpy as np

    from wsstools.core.labels import IGNORE_LABEL
    from wsstools.errors import DataError, UsageError
    from wsstools.formats import label_files
    from wsstools.running.join import Input
    from wsstools.running.sources import Selection
    from wsstools.running.step import collect

    if place == "-":
        raise UsageError(f"--{role} -: expected a folder; standard input is for the maps")
    inputs = [
        Input(
            "labels", run.source(place, label_files.SUFFIXES, "labels"), label_files.decode_labels
        )
    ]
    total = np.zeros(IGNORE_LABEL, np.int64)
    for _, counted in collect("adjust-prior", _count, inputs, Selection(), run.pool()):
        total += counted
    if not total.any():
        raise DataError(f"{place}: no pixel carries a class")
    return [int(count) for count in np.trim_zeros(total, "b")]


def _count(labels: Any) -> Any:
    import numpy as np

    from wsstools.core.labels import IGNORE_LABEL

    return np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)[:IGNORE_LABEL]


def _compute(probability_map: Any, *, learned: list[int], wanted: list[int], power: float) -> Any:
    import numpy as np

    from wsstools.core.map_operations import adjust_prior, class_shares
    from wsstools.running.step import Computed

    n_classes = probability_map.n_classes
    if len(learned) > n_classes:
        raise ValueError(
            f"the map has {n_classes} classes, the labels hold class {len(learned) - 1}"
        )
    absent = [0] * (n_classes - len(learned))
    shares_learned, shares_wanted = (
        class_shares(np.array(pixels + absent)) for pixels in (learned, wanted)
    )
    return Computed(adjust_prior(probability_map, shares_learned, shares_wanted, power))
