"""`wss compare`: two strategies image by image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from wsstools.commands._options import AsJson, RunOptions, Seed

TABLE, SCATTER, SHEET = "compare.csv", "scatter.svg", "sheet.png"
N_RESAMPLES = 2000


def compare(
    first: Annotated[
        str, typer.Argument(metavar="A", help="Labels of a strategy: DIR, or NAME=DIR.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="Labels of another one.")],
    gt: Annotated[str, typer.Option("--gt", metavar="DIR", help="Ground truth.")],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to; made if missing.")
    ],
    run: RunOptions,
    images: Annotated[
        Optional[str],
        typer.Option("--images", metavar="DIR", help="The images, for the contact sheet."),
    ] = None,
    measure: Annotated[
        str,
        typer.Option(
            "--measure", metavar="NAME", help="accuracy (of the pixels) or miou, of each image."
        ),
    ] = "accuracy",
    largest: Annotated[
        int,
        typer.Option(
            "--largest", metavar="N", min=1, help="Images in the contact sheet, either way."
        ),
    ] = 4,
    seed: Seed = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what compares other strategies.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two strategies image by image.

    OUT gets compare.csv, with the scores of every image, the largest differences in favour of B
    first; scatter.svg, a dot for each image, above the diagonal where B is better; and, with
    --images, sheet.png, the images on which they differ most, first those where B is ahead, then
    those where A is. The summary tells how many images each wins, and the mean difference with
    a 95 % interval under resampling of the images.

    \b
    Example:
      wss compare base=base/labels combined=combined/labels --gt gt/ --images images/ -o compared/
    """
    import json

    from wsstools.core.compare import MEASURES
    from wsstools.errors import UsageError
    from wsstools.io.atomic import write_whole
    from wsstools.view import comparing

    if measure not in MEASURES:
        raise UsageError(f"--measure {measure}: expected {' or '.join(MEASURES)}")
    names, places = _named(first, second)
    folder = Path(out)
    if not overwrite:
        _refuse_others(folder / TABLE, names)
    found, records = _compared(names, places, gt, run, measure, seed)
    extremes = found.extremes(largest)
    write_whole(folder / TABLE, comparing.comparison_csv(found).encode())
    written = [folder / TABLE, folder / SCATTER]
    write_whole(folder / SCATTER, f"{comparing.comparison_scatter(found, extremes)}\n".encode())
    if images is not None and extremes:
        write_whole(folder / SHEET, _sheet(found, extremes, places, gt, images, run))
        written.append(folder / SHEET)
    if as_json:
        print(json.dumps({**comparing.comparison_values(found), "labels": records}, indent=2))
    else:
        print(comparing.comparison_text(found))
    for path in written:
        print(f"wss compare: written {path}", file=sys.stderr)


def _named(first: str, second: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Names and folders; folders without a name are called by the last part that differs."""
    from itertools import zip_longest

    from wsstools.errors import UsageError

    (name, place), (other_name, other_place) = (_split(text) for text in (first, second))
    pairs = zip_longest(reversed(Path(place).parts), reversed(Path(other_place).parts))
    last, other_last = next((pair for pair in pairs if pair[0] != pair[1]), (place, other_place))
    names = name or last or place, other_name or other_last or other_place
    if names[0] == names[1]:
        raise UsageError(f"both are called {names[0]!r}; give names, as in before={place}")
    return names, (place, other_place)


def _split(text: str) -> tuple[str, str]:
    """Name, which may be empty, and folder."""
    name, equals, place = text.partition("=")
    return (name, place) if equals and name and place else ("", text)


def _refuse_others(table: Path, names: tuple[str, ...]) -> None:
    import csv

    from wsstools.core.compare import MEASURES
    from wsstools.errors import UsageError

    if not table.is_file():
        return
    with table.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    if header[1:-1] != [f"{name} {measure}" for measure in MEASURES for name in names]:
        raise UsageError(f"{table} compares others; --overwrite replaces it, or give another -o")


def _compared(
    names: tuple[str, ...], places: tuple[str, ...], gt: str, run: RunOptions, measure: str,
    seed: int,
) -> tuple[Any, Any]:  # fmt: skip
    """The comparison, and what JSON tells of the folders."""
    import numpy as np

    from wsstools.commands._study import counted
    from wsstools.core.compare import ACCURACY, MIOU, compare_images
    from wsstools.core.measuring import WHOLE, image_scores
    from wsstools.core.study import Key
    from wsstools.errors import DataError

    keys = [Key("", name) for name in names]
    folders: dict[Key, tuple[str, ...]] = {
        key: (place,) for key, place in zip(keys, places, strict=True)
    }
    counts = counted(folders, gt, run, run.selection(), command="compare")
    mious, accuracies = zip(
        *(image_scores(counts.counts.of[key][0, WHOLE]) for key in keys), strict=True
    )
    scores = {ACCURACY: np.array(accuracies), MIOU: np.array(mious)}
    rng = np.random.default_rng(seed)
    try:
        found = compare_images(
            (names[0], names[1]), counts.stems, scores, measure, rng, N_RESAMPLES
        )
    except ValueError as error:
        raise DataError(f"{gt}: {error}") from None
    return found, {key.name: counts.folders[key] for key in keys}


def _sheet(
    found: Any, chosen: list[int], places: tuple[str, ...], gt: str, images: str, run: RunOptions
) -> bytes:
    """The images that differ most, a row each."""
    from wsstools.commands._columns import Column, Scene, draw_column, read_image, read_labels
    from wsstools.core.labels import class_name
    from wsstools.core.palette import voc_palette
    from wsstools.io import imagefile, labelfile
    from wsstools.view.mistakes import agreement_legend, agreement_picture
    from wsstools.view.sheet import contact_sheet

    source = run.source(images, imagefile.SUFFIXES, "image")
    columns = [
        Column(name, None, (run.source(place, labelfile.SUFFIXES, "labels"),))
        for name, place in zip(("ground truth", *found.names), (gt, *places), strict=True)
    ]
    palette = voc_palette()
    rows, captions = [], []
    seen: set[int] = set()
    first, second = found.scores[found.measure]
    for k in chosen:
        stem = found.stems[k]
        image = read_image(source.find(stem))
        scene = Scene(stem, image, None, palette, 0.6)
        drawn = [draw_column(column, scene) for column in columns]
        truth, one, other = (read_labels(c.sources[0].find(stem), image) for c in columns)
        which = agreement_picture(image, one, other, truth)
        rows.append([image, *(entry.picture for entry in drawn), which])
        seen.update(*(entry.classes for entry in drawn))
        captions.append(
            f"{stem}   {found.names[0]} {first[k]:.1%}   {found.names[1]} {second[k]:.1%}   "
            f"{100 * (second[k] - first[k]):+.1f} points"
        )
    names = labelfile.find_class_names(gt, *places, images)
    return imagefile.encode_image(
        contact_sheet(
            rows,
            titles=["image", *(column.name for column in columns), "who is right"],
            captions=captions,
            legend=[
                *((class_name(names, c), palette[c]) for c in sorted(seen)),
                *agreement_legend(*found.names).items(),
            ],
        )
    )
