"""Reading what the contact sheets of a report show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsstools.running.sources import Source
    from wsstools.view.report.sheets import Pictures, SheetPlan


def read_pictures(
    plans: Sequence[SheetPlan], names: Sequence[str] | None, images: str | None, gt: str | None
) -> Pictures:
    """Small pictures of all images and labels of the sheets; what is not there is told."""
    from wsstools.core.labels import IGNORE_LABEL, class_name
    from wsstools.core.palette import voc_palette
    from wsstools.formats import image_files, label_files
    from wsstools.view.overlay import colour_labels, overlay_labels
    from wsstools.view.report.sheets import IMAGE, TRUTH, Pictures, thumbnail

    palette = voc_palette()
    pictures = Pictures()
    seen: set[int] = set()
    pages = _Folders(pictures)
    image_source = pages.opened(images, image_files.SUFFIXES, "image", "--images")
    truth_source = pages.opened(gt, label_files.SUFFIXES, "ground truth", "--gt")
    pictures.columns += [IMAGE] * (image_source is not None) + [TRUTH] * (truth_source is not None)
    for plan in plans:
        sources = {
            column: pages.opened(folder, label_files.SUFFIXES, "labels", str(plan.key))
            for column, folder in plan.folders.items()
        }
        sources[TRUTH] = truth_source
        for stem in plan.stems:
            image = pages.read(image_source, stem, _image)
            if image is not None:
                pictures.found[plan.key.group, stem, IMAGE] = image_files.encode_jpeg(
                    thumbnail(image)
                )
            for column, source in sources.items():
                labels = pages.read(source, stem, _labels)
                if labels is None:
                    continue
                seen |= set(labels.ravel().tolist()) - {IGNORE_LABEL}
                fits = image is not None and labels.shape == image.shape[:2]
                drawn = (
                    overlay_labels(image, labels, palette)
                    if fits
                    else colour_labels(labels, palette)
                )
                pictures.found[plan.key.group, stem, column] = image_files.encode_jpeg(
                    thumbnail(drawn)
                )
    pictures.legend += [(class_name(names, c), palette[c]) for c in sorted(seen)]
    return pictures


class _Folders:
    """Opens folders and reads files; what fails is told once among what the sheets leave out."""

    def __init__(self, pictures: Pictures) -> None:
        self._missing = pictures.missing

    def opened(
        self, place: str | None, suffixes: tuple[str, ...], what: str, role: str
    ) -> Source | None:
        """The files of a folder, or None if it is not given or not there."""
        from wsstools.errors import WssError
        from wsstools.running.sources import STANDARD_INPUT, Source

        if place is None:
            self._tell(f"{what}, which {role} would give")
            return None
        if place == STANDARD_INPUT:
            self._tell(f"{what} of {role}, which came from standard input")
            return None
        try:
            return Source(place, suffixes, what)
        except (WssError, OSError) as error:
            self._tell(f"{what} of {role}: {error}")
            return None

    def read(self, source: Source | None, stem: str, decode: Callable[[Any], Any]) -> Any:
        """What a file holds, or None if it cannot be read."""
        from wsstools.errors import WssError

        if source is None:
            return None
        try:
            return decode(source.find(stem))
        except (WssError, OSError) as error:
            self._tell(f"{stem}: {error}")
            return None

    def _tell(self, why: str) -> None:
        if why not in self._missing:
            self._missing.append(why)


def _image(path: Any) -> Any:
    from wsstools.formats.image_files import decode_image

    return decode_image(path.read_bytes(), str(path)).value.round().astype("uint8")


def _labels(path: Any) -> Any:
    from wsstools.formats.label_files import decode_labels

    return decode_labels(path.read_bytes(), str(path)).value
