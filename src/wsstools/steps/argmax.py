"""From maps to labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wsstools.core.map_operations import stored_labels
from wsstools.running.settings import RunSettings
from wsstools.running.step import Step, run_step
from wsstools.steps.inputs import label_input, stored_map_input


def argmax(
    maps: str,
    out: str | Path,
    *,
    min_prob: float = 0.0,
    scribbles: str | None = None,
    run: RunSettings = RunSettings(),
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
    scribbles : str or None
        Folder of scribbles: scribbled pixels get their class. Images without scribbles are skipped.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    inputs = [stored_map_input(maps, run)]
    if scribbles is not None:
        inputs.append(label_input(scribbles, run, role="scribbles", is_optional=True))
    step = Step(
        "argmax",
        {"min_prob": min_prob, "scribbles": scribbles is not None},
        unrecorded={"scribbles": False},
        kind="labels",
        compute=partial(stored_labels, min_prob=min_prob),
    )
    run_step(step, inputs, out, run)
