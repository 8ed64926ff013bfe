"""Tables of what is labelled: for the terminal, CSV and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from wsstools.core.evaluation.label_statistics import ClassCount, LabelStats
from wsstools.core.labels import class_name
from wsstools.files.provenance import Json
from wsstools.view.tables import csv_text, text_table

Names: TypeAlias = "Sequence[str] | None"


def classes_text(total: LabelStats, images: Mapping[str, LabelStats], names: Names) -> str:
    """The set and its classes as text; classes that have a name but never occur are listed."""
    count = len(images)
    mean = sum(len(image.classes) for image in images.values()) / count
    cells = [
        (
            class_name(names, c),
            f"{found.pixels / total.size:.3%}",
            f"{found.pixels / total.labelled:.2%}",
            str(found.images),
            str(found.strokes),
        )
        for c, found in total.classes.items()
    ]
    lines = [
        f"labelled           {total.share:.3%} of the pixels of {count} images",
        f"classes per image  {mean:.2f}",
        f"strokes per image  {total.strokes / count:.2f}",
        "",
        *text_table(("class", "of all", "of labelled", "images", "strokes"), cells),
    ]
    if absent := _absent(total, names):
        lines += ["", f"never labelled: {', '.join(absent)}"]
    return "\n".join(lines)


def images_text(images: Mapping[str, LabelStats]) -> str:
    """The images as text."""
    cells = [
        (stem, f"{image.share:.3%}", str(len(image.classes)), str(image.strokes))
        for stem, image in images.items()
    ]
    return "\n".join(text_table(("image", "labelled", "classes", "strokes"), cells))


def classes_csv(total: LabelStats, names: Names) -> str:
    """The classes as CSV; shares are fractions."""
    header = ("class", "name", "pixels", "share", "share_of_labelled", "images", "strokes")
    lines = [
        (c, class_name(names, c), *_shares(found, total).values(), found.images, found.strokes)
        for c, found in total.classes.items()
    ]
    return csv_text([header, *lines]).rstrip("\n")


def images_csv(images: Mapping[str, LabelStats], names: Names) -> str:
    """Each class of each image as CSV; shares are fractions. An empty image has no line."""
    header = ("image", "class", "name", "pixels", "share", "share_of_labelled", "strokes")
    lines = [
        (stem, c, class_name(names, c), *_shares(found, image).values(), found.strokes)
        for stem, image in images.items()
        for c, found in image.classes.items()
    ]
    return csv_text([header, *lines]).rstrip("\n")


def stats_answer(
    total: LabelStats, images: Mapping[str, LabelStats], names: Names
) -> dict[str, Json]:
    """The set, its classes and its images for JSON; shares are fractions."""
    return {
        "images": len(images),
        "share": total.share,
        "classes": {
            class_name(names, c): {
                "id": c,
                **_shares(found, total),
                "images": found.images,
                "strokes": found.strokes,
            }
            for c, found in total.classes.items()
        },
        "absent": _absent(total, names),
        "per_image": {
            stem: {
                "share": image.share,
                "strokes": image.strokes,
                "classes": {
                    class_name(names, c): found.pixels / image.size
                    for c, found in image.classes.items()
                },
            }
            for stem, image in images.items()
        },
    }


def _absent(total: LabelStats, names: Names) -> list[str]:
    return [name for c, name in enumerate(names or ()) if c not in total.classes]


def _shares(found: ClassCount, of: LabelStats) -> dict[str, float]:
    share, share_of_labelled = found.pixels / of.size, found.pixels / of.labelled
    return {"pixels": found.pixels, "share": share, "share_of_labelled": share_of_labelled}
