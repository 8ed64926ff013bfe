"""What `wss compare` compares, and the pixels it counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsstools.cli.options import RunOptions

if TYPE_CHECKING:
    from wsstools.core.evaluation.comparison import Comparison
    from wsstools.files.provenance import Meta
    from wsstools.running.sources import Source


@dataclass(frozen=True)
class Contest:
    """What is compared, and how.

    Attributes
    ----------
    names, folders : (str, str)
        Of the first and the second set of labels.
    gt, images : str, str or None
        Folders of the ground truth and the images.
    metric : str
        What ranks the images.
    top : int
        Images in the sheet, either way.
    n_resamples, seed : int
        Of the bootstrap.
    """

    names: tuple[str, str]
    folders: tuple[str, str]
    gt: str
    images: str | None
    metric: str
    top: int
    n_resamples: int
    seed: int

    def options(self) -> dict[str, Any]:
        """What changes the outputs, as JSON values."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            "metric": self.metric,
            "top": self.top,
            "bootstrap": self.n_resamples,
            "seed": self.seed,
            "images": self.images is not None,
        }


@dataclass(frozen=True)
class Compared:
    """What came of it.

    Attributes
    ----------
    comparison : Comparison
        The scores.
    sources : tuple of Source
        First and second labels, ground truth.
    records : list of records
        One for each of them.
    """

    comparison: Comparison
    sources: tuple[Source, ...]
    records: list[Meta]


def named_folders(first: str, second: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """The names and the folders of two arguments, DIR or NAME=DIR."""
    from wsstools.errors import UsageError

    parts = [_named(text) for text in (first, second)]
    names, folders = (tuple(column) for column in zip(*parts, strict=True))
    if names[0] == names[1]:
        names = (first, second)
    if names[0] == names[1]:
        raise UsageError(f"{first} and {second}: expected two sets of labels (NAME=DIR names them)")
    return (names[0], names[1]), (folders[0], folders[1])


def _named(text: str) -> tuple[str, str]:
    from wsstools.errors import UsageError

    name, equals, folder = text.partition("=")
    if not equals or Path(text).exists():
        return Path(text).name or Path(text).resolve().name or text, text
    if not (name and folder):
        raise UsageError(f"{text}: expected DIR or NAME=DIR")
    return name, folder


def compare_folders(contest: Contest, run: RunOptions, folder: Path) -> Compared:
    """The comparison of two folders; every image is in both and has ground truth.

    Raises
    ------
    DataError
        If the folders hold different images, or none has ground truth.
    SomeFailed
        If an image failed.
    """
    import numpy as np

    from wsstools.core.evaluation.comparison import compared
    from wsstools.errors import DataError
    from wsstools.files.provenance import set_record
    from wsstools.formats.label_files import read_meta
    from wsstools.running.join import Input
    from wsstools.running.sources import Selection
    from wsstools.running.step import collect

    sources, stems = _joined(contest, run, folder)
    roles = ("first", "second", "gt")
    inputs = [
        Input(role, source, _decode_with_digest)
        for role, source in zip(roles, sources, strict=True)
    ]
    found = dict(collect("compare", _count, inputs, Selection(ids=stems), run.pool()))
    if not found:
        raise DataError("no image to compare")
    classes = np.unique(np.concatenate([ids for ids, _, _ in found.values()]))
    counts = np.zeros((2, len(found), 3, len(classes)), np.int64)
    for position, (ids, of_image, _) in enumerate(found.values()):
        counts[:, position, :, np.searchsorted(classes, ids)] = np.moveaxis(of_image, -1, 0)
    try:
        comparison = compared(
            contest.names,
            list(found),
            counts,
            rng=np.random.default_rng(contest.seed),
            n_resamples=contest.n_resamples,
            metric=contest.metric,
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    records = []
    for k, (role, source) in enumerate(zip(roles, sources, strict=True)):
        paths = [source.find(stem) for stem in found]
        digests = [of_files[k] for _, _, of_files in found.values()]
        records.append(
            set_record(role, [path.name for path in paths], digests, read_meta(paths[0]))
        )
    return Compared(comparison, sources, records)


def _joined(
    contest: Contest, run: RunOptions, folder: Path
) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """First and second labels and ground truth, and the images to compare.

    Paths on standard input choose the images; otherwise both folders hold the same.
    """
    from wsstools.errors import DataError, UsageError
    from wsstools.formats import label_files
    from wsstools.formats.image_files import SUFFIXES

    labels = [run.source(place, label_files.SUFFIXES, "labels") for place in contest.folders]
    gt = run.source(contest.gt, label_files.SUFFIXES, "ground truth")
    sources = (*labels, gt)
    streams = [source for source in sources if source.is_stream]
    if len(streams) > 1:
        raise UsageError("only one input can be - (standard input)")
    images = [] if contest.images is None else [run.source(contest.images, SUFFIXES, "image")]
    if any(source.is_same_folder(folder) for source in (*sources, *images)):
        raise UsageError(f"{folder} holds the inputs; write to another folder")
    for source in streams:
        source.read_whole()
    first, second = labels
    if run.ids is None and not streams and first.stems != second.stems:
        odd = sorted(set(first.stems) ^ set(second.stems))
        raise DataError(
            f"{first.argument} and {second.argument} hold different images: {len(odd)} are "
            f"in one only, such as {odd[0]!r} (--ids chooses the images)"
        )
    chooser = streams[0] if streams else first
    return sources, tuple(run.selection().choose(chooser.stems))


def _decode_with_digest(data: bytes, name: str) -> Any:
    """The digest of a label file and its labels."""
    from wsstools.files.provenance import Decoded, digest
    from wsstools.formats.label_files import decode_labels

    return Decoded((digest(data), decode_labels(data, name).value))


def _count(*decoded: Any) -> Any:
    """The class ids of one image, (U,), their pixels in both sets, (2, 3, U), and the digests."""
    import numpy as np

    from wsstools.core.evaluation.metrics import class_counts
    from wsstools.core.labels import IGNORE_LABEL

    digests = [of_file for of_file, _ in decoded]
    *labels, gt = (values for _, values in decoded)
    counts = np.stack([class_counts(one, gt) for one in labels])[..., :IGNORE_LABEL]
    present = np.flatnonzero(counts.any(axis=(0, 1)))
    return present, counts[..., present], digests
