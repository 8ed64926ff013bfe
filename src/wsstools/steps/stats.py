"""How much of a folder is labelled, and with what."""

from __future__ import annotations

import json
from dataclasses import dataclass

from wsstools.core.evaluation.label_statistics import LabelStats, label_stats, summed_stats
from wsstools.errors import DataError
from wsstools.formats.label_files import find_class_names
from wsstools.running.settings import JobSettings
from wsstools.running.tasks import map_images
from wsstools.steps.inputs import check_format, label_input
from wsstools.view import stats as view


@dataclass(frozen=True)
class LabelledFolder:
    """What is labelled in a folder: in all images, and in each by stem.

    The names of the classes come from the classes.txt that travels with the labels.
    """

    total: LabelStats
    images: dict[str, LabelStats]
    class_names: list[str] | None

    def formatted(self, form: str, *, per_image: bool = False) -> str:
        """The figures as `table`, `csv` or `json`: per class, or per image."""
        check_format(form)
        total, images, names = self.total, self.images, self.class_names
        if form == "json":
            return json.dumps(view.stats_answer(total, images, names), indent=2)
        if form == "csv":
            return view.images_csv(images, names) if per_image else view.classes_csv(total, names)
        return view.images_text(images) if per_image else view.classes_text(total, images, names)


def stats(labels: str, *, run: JobSettings = JobSettings()) -> LabelledFolder:
    """The labelled share of a folder of scribbles or labels, per class and image.

    Parameters
    ----------
    labels : str
        A folder of index PNGs, a file, or `-`.
    run : JobSettings

    Raises
    ------
    DataError
        If there is no image to count.
    SomeFailed
        If an image failed.
    """
    images = dict(map_images("stats", label_stats, [label_input(labels, run)], run))
    if not images:
        raise DataError("no image to count")
    return LabelledFolder(summed_stats(images.values()), images, find_class_names(labels))


def print_stats(
    labels: str, *, form: str = "table", per_image: bool = False, run: JobSettings = JobSettings()
) -> None:
    """Print the figures of `stats`."""
    check_format(form)
    print(stats(labels, run=run).formatted(form, per_image=per_image))
