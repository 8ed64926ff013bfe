"""From scribbles to labels by a graph of superpixels."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.local.scribbled import scribbled_pixels
from wsstools.core.maps import ProbabilityMap
from wsstools.core.superpixels.labelling import superpixel_labels
from wsstools.core.superpixels.settings import SuperpixelSettings
from wsstools.errors import UsageError
from wsstools.formats.label_files import class_count
from wsstools.running.settings import RunSettings
from wsstools.running.step import Step, run_step
from wsstools.steps.inputs import local_inputs, map_input


def superpixels(
    images: str,
    scribbles: str,
    out: str | Path,
    *,
    maps: str | None = None,
    settings: SuperpixelSettings = SuperpixelSettings(),
    n_classes: int | None = None,
    run: RunSettings = RunSettings(),
) -> None:
    """Write labels that spread scribbles over superpixels.

    Parameters
    ----------
    images, scribbles : str
        Folders, files, or one of them `-`. Images without scribbles are skipped.
    out : str or Path
        Folder of the labels; made if missing.
    maps : str or None
        What a network says of the images: a folder, a file, or `-`.
    settings : SuperpixelSettings
        The superpixels, and the weights of their graph.
    n_classes : int or None
        Number of classes; None: the lines of classes.txt in or beside `scribbles`.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If `pairwise` is given without maps, or `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    if maps is None and settings.pairwise != SuperpixelSettings.pairwise:
        raise UsageError("--pairwise needs --maps: without them it changes nothing")
    inputs = local_inputs(images, scribbles, run, "superpixels", n_classes)
    count = class_count(n_classes, scribbles)
    options = {**dataclasses.asdict(settings), "n_classes": count, "maps": maps is not None}
    if maps is None:
        del options["pairwise"]
    else:
        inputs.append(map_input(maps, run))
    step = Step(
        "superpixels",
        options,
        kind="labels",
        compute=partial(_label, n_classes=count, settings=settings),
        check=partial(_check, n_classes=count),
        depends_on_processor=True,
    )
    run_step(step, inputs, out, run)


def _check(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    probability_map: ProbabilityMap | None = None,
    *,
    n_classes: int,
) -> None:
    scribbled_pixels(image, scribbles, n_classes)
    if probability_map is None:
        return
    if probability_map.shape != scribbles.shape:
        raise ValueError(
            f"the map has shape {probability_map.shape}, the image {scribbles.shape} (H, W)"
        )
    if probability_map.n_classes != n_classes:
        raise ValueError(
            f"the map is of {probability_map.n_classes} classes, the scribbles of {n_classes}"
        )


def _label(
    image: NDArray[np.uint8],
    scribbles: NDArray[np.uint8],
    probability_map: ProbabilityMap | None = None,
    *,
    n_classes: int,
    settings: SuperpixelSettings,
) -> NDArray[np.uint8]:
    _check(image, scribbles, probability_map, n_classes=n_classes)
    return superpixel_labels(image, scribbles, probability_map, settings=settings)
