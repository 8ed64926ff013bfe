"""`wss volumes`: slices become volumes again."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from wsstools.cli.options import FOLDER_HELP, NClasses, Out
from wsstools.core.parameter import parameter
from wsstools.running.settings import RunSettings


def volumes(
    slices: Annotated[
        str,
        typer.Argument(metavar="DIR", help=f"Labels or maps of slices: {FOLDER_HELP}."),
    ],
    like: Annotated[
        str,
        typer.Option("--like", metavar="VOLUMES", help="The volumes that were cut, NIfTI files."),
    ],
    out: Out,
    run: RunSettings,
    n_classes: NClasses = None,
    missing: int = parameter(
        255,
        "Class of slices that are missing, 255 for none.",
        metavar="CLASS",
        min=0,
        max=255,
    ),
    first_class: int = parameter(
        0, "Labels: value of class 0, as in wss slices.", metavar="VALUE", min=0, max=254
    ),
    nnunet: bool = parameter(
        False, "Write a data set of nnU-Net: imagesTr, labelsTr and dataset.json in OUT."
    ),
    channel_names: Optional[str] = parameter(
        None,
        "With --nnunet: what the channels are called; CT chooses its normalization. Default: "
        "image.",
        metavar="NAME[,NAME]",
    ),
) -> None:
    """Put slices together again as the volumes that wss slices cut.

    Files called CASE_z0012 (or x, y) become CASE.nii.gz, labels of 8 bits with the affine and the
    header of the volume CASE, or of its channel CASE_0000, in VOLUMES; 255 where there is no class.
    --first-class gives labels the values back that they had before wss slices --first-class.
    Maps become CASE.npz with probabilities (C, Z, Y, X), as nnU-Net saves them. Slices that are
    missing are reported; they get the label --missing, or equal probabilities. The record of how
    a volume was made is a comment in its header, or the array meta.

    With --nnunet, OUT is the folder of a data set, such as nnUNet_raw/Dataset001_Name. Voxels
    without a class get the value after the last class, which dataset.json declares as the ignore
    label, so that nnU-Net trains on scribbles and on labels with gaps alike.

    \b
    Examples:
      wss volumes labels/ --like volumes/ -o segmented/
      wss volumes labels/ --like volumes/ --first-class 1 -o segmented/
      wss volumes labels/ --like volumes/ --nnunet -o nnUNet_raw/Dataset001_Liver/
    """
    from wsstools.steps.volumes import volumes

    volumes(
        slices,
        out,
        like=like,
        missing=missing,
        first_class=first_class,
        nnunet=nnunet,
        channel_names=channel_names.split(",") if channel_names else None,
        n_classes=n_classes,
        run=run,
    )
