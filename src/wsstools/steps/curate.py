"""Scribbles and labels corrected by ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.labels import IGNORE_LABEL, class_name
from wsstools.core.scribbles.class_names import resolve_names
from wsstools.core.scribbles.curation import Respects, curate_scribbles
from wsstools.errors import UsageError
from wsstools.files.atomic import write_all
from wsstools.files.names import listed_name, named_examples
from wsstools.files.provenance import Json
from wsstools.files.targets import output_file
from wsstools.files.text import encode_list
from wsstools.formats import label_files
from wsstools.running.messages import say
from wsstools.running.settings import RunSettings
from wsstools.running.step import Computed, Step, run_step
from wsstools.steps.inputs import label_input

_LIST = "complete.txt"


def curate(
    scribbles: str,
    gt: str,
    out: str | Path,
    *,
    classes: str | None = None,
    within: int | None = None,
    beyond: int | None = None,
    run: RunSettings = RunSettings(),
) -> None:
    """Write the scribbles with the true class at each pixel, and the complete images.

    Of several respects, those pixels are corrected for which all are true.

    Parameters
    ----------
    scribbles, gt : str
        Folders of index PNGs, files, or one of them `-`.
    out : str or Path
        Folder to write to, made if missing; its complete.txt lists the images that have a
        scribble of every class in their ground truth.
    classes : str or None
        Correct only pixels whose given or true class is one of these: names or ids, with commas.
    within, beyond : int or None
        Correct only pixels at most, or more than, so many pixels from a border of the ground truth.
    run : RunSettings
        Which images, and how they are computed.

    Raises
    ------
    UsageError
        If `out` holds outputs of another run, `classes` lists none, or what is no class,
        or no pixel can be at such distances.
    SomeFailed
        If an image failed; the others are done.
    """
    inputs = [label_input(scribbles, run, role="scribbles"), label_input(gt, run, role="gt")]
    names = label_files.find_class_names(scribbles, gt)
    listed = [] if classes is None else [*filter(None, map(str.strip, classes.split(",")))]
    if classes is not None and not listed:
        raise UsageError(f"--classes: {classes!r} lists no class")
    try:
        chosen = sorted(set(resolve_names(listed, names).values()))
    except ValueError as error:
        raise UsageError(f"--classes: {error}") from error
    for name, distance in (("--within", within), ("--beyond", beyond)):
        if distance is not None and distance < 1:
            raise UsageError(f"{name} {distance}: expected at least 1")
    if within is not None and beyond is not None and beyond >= within:
        raise UsageError(
            f"no pixel is at most {within} and more than {beyond} pixels from a border"
        )
    given = {"classes": chosen or None, "within": within, "beyond": beyond}
    step = Step(
        "curate",
        {key: value for key, value in given.items() if value is not None},
        kind="scribbles",
        compute=partial(_compute, respects=Respects(chosen, within, beyond)),
    )
    folder = Path(out)
    is_list_ours = bool(_results(folder)) if (folder / _LIST).exists() else None
    ids = [run.ids] if isinstance(run.ids, str) else []
    output_file(folder / _LIST, ids, is_ours=is_list_ours, overwrite=run.overwrite)
    carry = label_files.class_names_carrier(names, folder, overwrite=run.overwrite)
    run_step(step, inputs, out, run, afterwards=partial(_finish, folder, names, carry))


def _compute(
    scribbles: NDArray[np.uint8], gt: NDArray[np.uint8], *, respects: Respects
) -> Computed:
    curated = curate_scribbles(scribbles, gt, respects)
    return Computed(
        curated.scribbles,
        {
            "scribbled": int((scribbles != IGNORE_LABEL).sum()),
            "moved": curated.moved,
            "dropped": curated.dropped,
            "missing": list(curated.missing),
        },
    )


def _finish(folder: Path, names: list[str] | None, carry: Callable[[], None] | None) -> None:
    """Write the names of the classes and the list of complete images, and report the counts.

    The list follows from the records of all outputs in the folder, so that a resumed run, or the
    last of several shards, lists all.
    """
    if carry is not None:
        carry()
    results = _results(folder)
    if not results:
        return
    missing = Counter(c for result in results.values() for c in cast(list[int], result["missing"]))
    complete = [stem for stem, result in results.items() if not result["missing"]]
    listed = [stem for stem in complete if len(stem.splitlines()) == 1]
    write_all(folder, {_LIST: encode_list(map(listed_name, listed))})
    if len(listed) < len(complete):
        odd = named_examples([stem for stem in complete if stem not in listed])
        say(f"left out of {_LIST}, which cannot hold names with line ends: {odd}", "curate")
    shown = ", ".join(f"{class_name(names, c)} {number}" for c, number in sorted(missing.items()))
    drawn, moved, dropped = (
        sum(cast(int, result[key]) for result in results.values())
        for key in ("scribbled", "moved", "dropped")
    )
    say(
        f"{len(complete)} of {len(results)} images have every class annotated: {folder / _LIST}",
        "curate",
    )
    if shown:
        say(f"images that lack a class: {shown}", "curate")
    say(
        f"of {drawn} scribbled pixels, {moved} had another class and {dropped} no ground truth",
        "curate",
    )


def _results(folder: Path) -> dict[str, Mapping[str, Json]]:
    """What the records of the outputs in a folder and its subfolders say, by image."""
    paths = sorted(folder.rglob(f"*{label_files.SUFFIX}"))
    records = [label_files.read_meta(path) for path in paths if not path.name.startswith(".")]
    return {
        record["stem"]: record["result"]
        for record in records
        if record is not None and record["step"] == "curate"
    }
