"""From maps to labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wsstools.core.map_operations import argmax_labels
from wsstools.running.settings import RunSettings
from wsstools.running.step import Step, run_step
from wsstools.steps.inputs import map_input


def argmax(
    maps: str, out: str | Path, *, min_prob: float = 0.0, run: RunSettings = RunSettings()
) -> None:
    """Write the most probable class of every pixel of a folder of maps.

    Parameters
    ----------
    maps : str
        A folder, a file, or `-` for paths on standard input.
    out : str or Path
        Folder of the labels; made if missing.
    min_prob : float
        Pixels whose best class is less probable get 255; larger ignores more.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    compute = partial(argmax_labels, min_prob=min_prob)
    step = Step("argmax", {"min_prob": min_prob}, kind="labels", compute=compute)
    run_step(step, [map_input(maps, run)], out, run)
