"""`wss curate`: scribbles put right by ground truth."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from wsstools.cli.options import FOLDER_HELP, Out, StepOptions

_LIST = "complete.txt"


def curate(
    scribbles: Annotated[
        str, typer.Argument(metavar="SCRIBBLES", help=f"Scribbles: {FOLDER_HELP}.")
    ],
    gt: Annotated[str, typer.Argument(metavar="GT", help="Ground truth: folder or file.")],
    out: Out,
    run: StepOptions,
) -> None:
    """Give every scribbled pixel its ground-truth class, and list the completely annotated images.

    A scribbled pixel whose ground truth is 255 becomes unlabelled. OUT/complete.txt lists the
    images in OUT that have a scribble of every class in their ground truth, one name a line, as
    --ids takes them. The record of each file tells how many pixels were moved to another class or
    dropped, and which classes are missing.

    \b
    Example:
      wss curate scribbles/ gt/ -o curated/
    """
    from pathlib import Path

    from wsstools.formats import label_files
    from wsstools.running.join import Input
    from wsstools.running.step import Step, run_step

    inputs = [
        Input(role, run.source(place, label_files.SUFFIXES, what), label_files.decode_labels)
        for role, place, what in (("scribbles", scribbles, "scribbles"), ("gt", gt, "ground truth"))
    ]
    names = label_files.find_class_names(scribbles, gt)

    def finish() -> None:
        if names is not None:
            label_files.carry_class_names(names, Path(out))
        _write_list(Path(out), names)

    step = Step("curate", "scribbles", _compute, options={})
    run_step(step, inputs, out, run.settings(), afterwards=finish)


def _compute(scribbles: Any, gt: Any) -> Any:
    from wsstools.core.labels import IGNORE_LABEL
    from wsstools.core.scribbles.curation import curate_scribbles
    from wsstools.running.step import Computed

    curated = curate_scribbles(scribbles, gt)
    return Computed(
        curated.scribbles,
        {
            "scribbled": int((scribbles != IGNORE_LABEL).sum()),
            "moved": curated.moved,
            "dropped": curated.dropped,
            "missing": list(curated.missing),
        },
    )


def _write_list(folder: Any, names: list[str] | None) -> None:
    """Write the list of the images in the folder that lack no class, and tell the counts.

    It follows from the records of what stands there, so that a resumed run, or the last of several
    shards, lists all.
    """
    from collections import Counter

    from wsstools.core.labels import class_name
    from wsstools.files.atomic import write_atomic
    from wsstools.formats import label_files

    records = {
        path.stem: label_files.read_meta(path)
        for path in sorted(folder.glob(f"*{label_files.SUFFIX}"))
        if not path.name.startswith(".")
    }
    results = {
        stem: record["result"]
        for stem, record in records.items()
        if record is not None and record["step"] == "curate"
    }
    if not results:
        return
    complete = [stem for stem, result in results.items() if not result["missing"]]
    content = "".join(f"{stem}\n" for stem in complete).encode()
    if not (folder / _LIST).is_file() or (folder / _LIST).read_bytes() != content:
        write_atomic(folder / _LIST, content)
    missing = Counter(c for result in results.values() for c in result["missing"])
    told = ", ".join(f"{class_name(names, c)} {number}" for c, number in sorted(missing.items()))
    drawn, moved, dropped = (
        sum(result[key] for result in results.values()) for key in ("scribbled", "moved", "dropped")
    )
    lines = [
        f"{len(complete)} of {len(results)} images have every class annotated: {folder / _LIST}",
        *([f"images that lack a class: {told}"] if told else []),
        f"of {drawn} scribbled pixels, {moved} had another class and {dropped} no ground truth",
    ]
    for line in lines:
        print(f"wss curate: {line}", file=sys.stderr)
