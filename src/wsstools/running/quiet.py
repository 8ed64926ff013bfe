"""Libraries that read pictures, kept from writing to the terminal of a process of ours."""

from __future__ import annotations

import logging
import warnings


def quiet_readers() -> None:
    """Drop what readers say of a file beside their error, for the whole process.

    It is of no use, or of no harm: our limit of the size of a picture is where Pillow's is an
    error. A program of ours calls this; a process that imports wsstools keeps its own settings.
    """
    warnings.filterwarnings("ignore", module=r"(PIL|nibabel)\.")
    for name in ("PIL", "tifffile"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL + 1)
