"""`wss slices`: volumes become pictures, labels, scribbles or maps, one a slice."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, Out
from wsstools.core.parameter import parameter
from wsstools.core.volumes.settings import SliceSettings
from wsstools.running.settings import RunSettings


def slices(
    volumes: Annotated[str, typer.Argument(metavar="VOLUMES", help=f"Volumes: {FOLDER_HELP}.")],
    out: Out,
    run: RunSettings,
    settings: SliceSettings,
    like: Optional[str] = parameter(
        None,
        "Volumes of the same names, such as the images of labels: shapes and affines must agree.",
        metavar="DIR",
    ),
    skip_empty: bool = parameter(
        False, "Labels and scribbles: leave out slices in which no pixel has a class."
    ),
) -> None:
    """Cut volumes into slices, one file each, for the steps that read pictures.

    Volumes are NIfTI files (.nii, .nii.gz; pip install 'wsstools[volumes]'), stacks of pictures in
    a TIFF, or, as --kind maps, the probabilities (C, Z, Y, X) that nnU-Net saves in .npz files.
    The slices of CASE.nii.gz are CASE_z0000.png, CASE_z0001.png and so on; so are those of
    CASE_0000.nii.gz, which is channel 0 of CASE in nnU-Net's folders. A single picture stays
    CASE.png: with --window photographs of 12 bits and of floats are read.

    Images become 8 bits: of each volume the lower percentile is black, the upper white, or what
    --window states. Labels and scribbles keep their values as class ids; voxels of the value
    --unlabelled and 255 become 255. In scribbles of ITK-SNAP and 3D Slicer 0 is unlabelled and 1
    the first class: --unlabelled 0 --first-class 1. The names of classes in nnU-Net's dataset.json
    are written to classes.txt. No voxel is moved, so that wss volumes puts slices back in place.

    \b
    Examples:
      wss slices volumes/ --window=-160,240 -o images/
      wss slices strokes/ --kind scribbles --unlabelled 0 --first-class 1 --skip-empty -o scribbles/
      wss slices predicted/ --kind maps -o maps/
    """
    from wsstools.steps.slices import slices

    slices(volumes, out, settings=settings, like=like, skip_empty=skip_empty, run=run)
