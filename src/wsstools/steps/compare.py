"""Two sets of labels against each other, image by image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.comparison import Comparison, PairCounts, compared, pair_counts
from wsstools.core.evaluation.settings import METRICS, ComparisonSettings
from wsstools.errors import DataError, UsageError
from wsstools.files.atomic import write_all
from wsstools.files.limits import read_file
from wsstools.files.provenance import InputRecord, Origin, digest, input_record
from wsstools.files.targets import check_writable, is_taken
from wsstools.files.text import encode_text
from wsstools.formats import parameter_files
from wsstools.formats.image_files import encode_image
from wsstools.formats.label_files import find_class_names, read_meta
from wsstools.running.claim import claimed
from wsstools.running.join import Input, check_predictions, output_folder, stream_among
from wsstools.running.messages import print_result, say
from wsstools.running.settings import RunSettings
from wsstools.running.tasks import map_images
from wsstools.steps.columns import DIFF, PLAIN, Column
from wsstools.steps.image_clusters import cluster_numbers, cluster_rule
from wsstools.steps.inputs import (
    Digested,
    check_format,
    check_same_images,
    check_truth,
    digested,
    image_input,
    label_input,
    of_known_classes,
    source_record,
)
from wsstools.steps.pictures import Look, Picture, draw_pictures, swatches
from wsstools.view.comparison import (
    METRIC_NAMES,
    comparison_csv,
    comparison_scatter,
    comparison_text,
    comparison_values,
)
from wsstools.view.settings import SheetSettings
from wsstools.view.sheet import contact_sheet

RECORD_FILE, TABLE_FILE = "compare.json", "compare.csv"
PLOT_FILE, PICTURE_FILE = "scatter.svg", "sheet.png"
_FILES = (RECORD_FILE, TABLE_FILE, PLOT_FILE, PICTURE_FILE)
_CELL_WIDTH = 240
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class ComparedFolders:
    """What a comparison of two folders gave, with `top` images named either way.

    `is_new` says whether files were written; they were up to date if not.
    """

    comparison: Comparison
    top: int
    is_new: bool

    def as_text(self) -> str:
        """Tables for the terminal."""
        return comparison_text(self.comparison, self.top)

    def as_csv(self) -> str:
        """A line for each image: the table that is written, too."""
        return comparison_csv(self.comparison).rstrip("\n")

    def as_json(self) -> str:
        """All of it as JSON, fractions."""
        return json.dumps(comparison_values(self.comparison, self.top), indent=2)


def compare(
    first: str,
    second: str,
    gt: str,
    out: str | Path,
    *,
    images: str | None = None,
    settings: ComparisonSettings = ComparisonSettings(),
    run: RunSettings = RunSettings(),
) -> ComparedFolders:
    """Compare two folders of labels, and write a table, a scatter plot, a sheet and a record.

    Parameters
    ----------
    first, second : str
        Folders of labels, `NAME=DIR` or DIR; both hold the same images, unless `run` chooses.
    gt : str
        Ground truth.
    out : str or Path
        Folder to write to.
    images : str or None
        The images, for the sheet.
    settings : ComparisonSettings
    run : RunSettings

    Raises
    ------
    UsageError
        If `out` is of another run or holds inputs, or a setting is not known.
    DataError
        If the folders hold different images, or none has ground truth.
    SomeFailed
        If an image failed.
    """
    if settings.metric not in METRICS:
        raise UsageError(f"--metric {settings.metric}: expected one of {', '.join(METRICS)}")
    names, places = _named_folders(first, second)
    options = {"first": names[0], "second": names[1], **asdict(settings)}
    if settings.clusters is not None:
        if not settings.bootstrap:
            raise UsageError("--clusters needs --bootstrap N")
        cluster_rule(settings.clusters, run.rule)  # refused before the work
        if Path(settings.clusters).is_file():
            options["clusters"] = Path(settings.clusters).name
    origin = Origin(
        "compare",
        {**options, "images": images is not None},
        revision=2,
        unrecorded={"clusters": None},
    )
    folder = Path(out)
    roles = ("first", "second", "gt")
    inputs = [
        label_input(place, run, role=role) for place, role in zip((*places, gt), roles, strict=True)
    ]
    image_files = None if images is None else image_input(images, run)
    stems = _stems(inputs, run, [*inputs, *([image_files] if image_files else [])], folder)
    class_names = find_class_names(gt, *places)
    with claimed(folder, origin, run):
        if not run.overwrite:
            _refuse_other_outputs(folder, origin)
        known = [of_known_classes(entry, gt, *places) for entry in inputs]
        return _compared(
            folder, origin, names, known, image_files, stems, class_names, settings, run
        )


def _compared(
    folder: Path,
    origin: Origin,
    names: tuple[str, str],
    inputs: Sequence[Input],
    image_files: Input | None,
    stems: Sequence[str],
    class_names: Sequence[str] | None,
    settings: ComparisonSettings,
    run: RunSettings,
) -> ComparedFolders:
    """The same for a folder that is ours."""
    counted = _counted(inputs, settings, run.of(stems))
    in_truth = {c for counts in counted.images.values() for c in counts.truth_classes}
    check_truth(sorted(in_truth), inputs[-1].source.argument, "compare")
    try:
        comparison = compared(
            names,
            counted.images,
            rng=np.random.default_rng(settings.seed),
            n_resamples=settings.bootstrap,
            metric=settings.metric,
            clusters=_clusters(list(counted.images), settings, run),
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    shown = _shown(comparison, settings.top)
    pictures = _read_images(image_files, [comparison.stems[k] for k in shown], run)
    sheet = _sheet(comparison, counted.labels, pictures, settings, class_names)
    records = [
        _record(entry, list(counted.images), [digests[k] for digests in counted.digests.values()])
        for k, entry in enumerate(inputs)
    ]
    if image_files is not None:
        records.append(_record(image_files, list(pictures), [p.digest for p in pictures.values()]))
    if settings.clusters is not None and Path(settings.clusters).is_file():
        data = read_file(Path(settings.clusters))
        records.append(input_record("clusters", Path(settings.clusters).name, digest(data)))
    differences = {
        f"{name}_difference": paired.mean_difference for name, paired in comparison.scores.items()
    }
    meta = origin.record(
        kind=parameter_files.COMPARISON,
        stem=Path(RECORD_FILE).stem,
        inputs=records,
        result={"images": len(comparison.stems), **differences},
    )
    values = {**comparison_values(comparison, settings.top), "made_by": meta}
    contents = {  # the record comes first: it says whose folder it is
        RECORD_FILE: (json.dumps(values, indent=2) + "\n").encode(),
        TABLE_FILE: encode_text(comparison_csv(comparison)),
        PLOT_FILE: comparison_scatter(comparison, settings.top).encoded(Path(PLOT_FILE).suffix),
        PICTURE_FILE: encode_image(sheet),
    }
    return ComparedFolders(comparison, settings.top, write_all(folder, contents))


def _clusters(
    stems: Sequence[str], settings: ComparisonSettings, run: RunSettings
) -> dict[str, int] | None:
    """The number of each image's cluster; None where single images are resampled."""
    if settings.clusters is None:
        return None
    cluster_of = cluster_rule(settings.clusters, run.rule)
    numbers = cluster_numbers(stems, cluster_of, settings.clusters)
    return dict(zip(stems, numbers.tolist(), strict=True))


def print_comparison(
    first: str,
    second: str,
    gt: str,
    out: str | Path,
    *,
    images: str | None = None,
    form: str = "table",
    settings: ComparisonSettings = ComparisonSettings(),
    run: RunSettings = RunSettings(),
) -> None:
    """Compare two folders as `compare` does, and print what it gave."""
    check_format(form)
    found = compare(first, second, gt, out, images=images, settings=settings, run=run)
    say(f"{'written to' if found.is_new else 'up to date in'} {out}", "compare")
    if form == "json":
        print(found.as_json())
    elif form == "csv":
        print(found.as_csv())
    else:
        print_result(found.as_text(), Path(out) / RECORD_FILE, run)


def _named_folders(first: str, second: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """The names and the folders of two arguments, DIR or NAME=DIR."""
    (first_name, first_folder), (second_name, second_folder) = map(_named, (first, second))
    if first == second:
        raise UsageError(f"{first} and {second}: expected two sets of labels (NAME=DIR names them)")
    has_names = first_name != second_name
    names = (first_name, second_name) if has_names else (first, second)
    return names, (first_folder, second_folder)


def _named(text: str) -> tuple[str, str]:
    name, equals, folder = text.partition("=")
    if not equals or Path(text).exists():
        return Path(text).name or Path(text).resolve().name or text, text
    if not (name and folder):
        raise UsageError(f"{text}: expected DIR or NAME=DIR")
    return name, folder


def _refuse_other_outputs(folder: Path, origin: Origin) -> None:
    """Raise UsageError if the folder holds what another run made."""
    existing = [name for name in _FILES if is_taken(folder / name, overwrite=False)]
    if existing:
        meta = parameter_files.read_meta(folder / RECORD_FILE)
        origin.refuse_other_run(folder / existing[0], meta)


def _stems(
    labels: Sequence[Input], run: RunSettings, inputs: Sequence[Input], folder: Path
) -> tuple[str, ...]:
    """The images to compare.

    Paths on standard input choose the images; otherwise both folders hold the same.
    """
    stream = stream_among(inputs)
    output_folder(folder, inputs)
    if not (folder / RECORD_FILE).exists():
        check_writable(folder)
    chooser = labels[0].source if stream is None else stream
    if stream is not None:
        stream.read_whole()
    elif run.ids is None:
        check_same_images([entry.source for entry in labels[:2]])
        check_predictions(labels[2].source, labels[0].source, run)
    return tuple(run.choose(chooser.stems))


@dataclass(frozen=True)
class _Counted:
    """All images by stem: counts, digests of the three files, labels that can be in the sheet."""

    images: dict[str, PairCounts]
    digests: dict[str, tuple[str, ...]]
    labels: dict[str, tuple[Labels, ...]]


def _counted(inputs: Sequence[Input], settings: ComparisonSettings, run: RunSettings) -> _Counted:
    """The pixels of all images, and the labels of those with the largest differences so far."""
    found = _Counted({}, {}, {})
    differences: dict[str, float] = {}
    read = [digested(entry) for entry in inputs]
    for stem, (counts, digests, labels) in map_images("compare", _count, read, run):
        found.images[stem], found.digests[stem] = counts, digests
        if not counts.has_ground_truth:
            continue
        first, second = counts.scores()[settings.metric].tolist()
        differences[stem], found.labels[stem] = second - first, labels
        order = sorted(found.labels, key=lambda stem: (-differences[stem], stem))
        for passed in order[settings.top : -settings.top]:
            del found.labels[passed]
    if not found.images:
        raise DataError("no image to compare")
    return found


def _count(
    *files: Digested[Labels],
) -> tuple[PairCounts, tuple[str, ...], tuple[Labels, ...]]:
    first, second, gt = (file.value for file in files)
    digests = tuple(file.digest for file in files)
    return pair_counts(first, second, gt), digests, (first, second, gt)


def _read_images(
    entry: Input | None, stems: Sequence[str], run: RunSettings
) -> dict[str, Digested[Labels]]:
    """The images of the sheet by stem; none where they are not given."""
    if entry is None:
        return {}
    return dict(map_images("compare", _same, [digested(entry)], run.of(stems)))


def _same(file: Digested[Labels]) -> Digested[Labels]:
    return file


def _record(entry: Input, stems: Sequence[str], digests: Sequence[str]) -> InputRecord:
    return source_record(entry, stems, digests, None if entry.role == "image" else read_meta)


def _shown(comparison: Comparison, top: int) -> list[int]:
    """Positions of the images in the sheet; the first ones where no two labels differ."""
    gains, losses = comparison.largest(top)
    return gains + losses or comparison.ranked()[:top]


def _sheet(
    comparison: Comparison,
    labels: Mapping[str, tuple[Labels, ...]],
    images: Mapping[str, Digested[Labels]],
    settings: ComparisonSettings,
    class_names: Sequence[str] | None,
) -> NDArray[np.uint8]:
    """The images with the largest differences either way."""
    first, second = comparison.names
    columns = (
        Column(first, PLAIN, (first,)),
        Column(second, PLAIN, (second,)),
        Column("ground truth", PLAIN, ("",)),
        Column("difference", DIFF, (first, second)),
    )
    opacity = SheetSettings().opacity if images else 1.0
    look = Look(columns, bool(images), True, opacity, _CELL_WIDTH)
    shown = _shown(comparison, settings.top)
    stems = [comparison.stems[k] for k in shown]
    rows: list[list[Picture]] = []
    for stem in stems:
        image = [images[stem].value] if images else []
        rows.append(draw_pictures(*image, *labels[stem], *labels[stem], look=look))
    offset = [""] if images else []
    return contact_sheet(
        [[one.pixels for one in row] for row in rows],
        titles=[*(["image"] if images else []), *(column.name for column in columns)],
        captions=stems,
        notes=[[*offset, *_notes(comparison, k)] for k in shown],
        headings=_headings(comparison, shown, settings.top),
        legend=list(swatches((one for row in rows for one in row), columns, class_names)),
        cell_width=_CELL_WIDTH,
    )


def _headings(comparison: Comparison, shown: Sequence[int], top: int) -> list[str]:
    """What is above the first gain, and above the first loss."""
    first, second = comparison.names
    metric = METRIC_NAMES[comparison.metric]
    gains, losses = comparison.largest(top)
    texts = {
        **dict.fromkeys(gains[:1], f"{metric}: {second} is better than {first}"),
        **dict.fromkeys(losses[:1], f"{metric}: {first} is better than {second}"),
    }
    if not texts:
        texts = {shown[0]: f"{metric}: {first} and {second} are equal on all images"}
    return [texts.get(k, "") for k in shown]


def _notes(comparison: Comparison, position: int) -> list[str]:
    """What is above the pictures of an image: both scores and their difference."""
    first, second = 100 * comparison.ranking.values[:, position]
    return [f"{first:.1f} %", f"{second:.1f} %", "", f"{second - first:+.1f}"]
