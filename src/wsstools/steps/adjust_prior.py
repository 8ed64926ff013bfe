"""Maps for the class shares of whole images instead of those of strokes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wsstools.core.map_operations import adjust_prior as adjust_map_prior
from wsstools.core.stored_maps import StoredMap, by_rows
from wsstools.running.settings import RunSettings
from wsstools.running.step import Step, run_step
from wsstools.steps.class_shares import GivenShares, read_shares
from wsstools.steps.inputs import stored_map_input


def adjust_prior(
    maps: str,
    out: str | Path,
    *,
    learned: str,
    wanted: str,
    power: float = 1.0,
    run: RunSettings = RunSettings(),
) -> None:
    """Write maps whose classes have other shares than those that their model learned from.

    Parameters
    ----------
    maps : str
        A folder, a file, or `-` for paths on standard input.
    out : str or Path
        Folder to write to; made if missing.
    learned : str
        Folder of the scribbles or labels that the maps' model learned from, or its shares of the
        classes, numbers with commas.
    wanted : str
        Folder of labels whose class shares are taken for the true ones, or shares.
    power : float
        How much of the change is made: 0 none, 1 all of it.
    run : RunSettings
        Which images, and how they are computed. All files of the two folders count.

    Raises
    ------
    DataError
        If no pixel of a folder carries a class.
    UsageError
        If numbers are no shares, or `out` holds outputs of another run.
    SomeFailed
        If an image failed; the others are done.
    """
    from_shares = read_shares("adjust-prior", "--from", learned, run)
    to_shares = read_shares("adjust-prior", "--to", wanted, run)
    step = Step(
        "adjust-prior",
        {"power": power, "from": from_shares.numbers, "to": to_shares.numbers},
        compute=partial(_compute, learned=from_shares, wanted=to_shares, power=power),
    )
    run_step(step, [stored_map_input(maps, run)], out, run)


def _compute(
    stored: StoredMap, *, learned: GivenShares, wanted: GivenShares, power: float
) -> StoredMap:
    from_shares, to_shares = (shares.of(stored.n_classes) for shares in (learned, wanted))
    return by_rows(lambda maps: adjust_map_prior(maps[0], from_shares, to_shares, power), [stored])
