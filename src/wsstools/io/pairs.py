"""Images with their labels, as a network is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsstools.errors import DataError
from wsstools.io.imagefile import decode_image
from wsstools.io.labelfile import decode_labels, read_meta
from wsstools.io.provenance import Meta, digest, set_record
from wsstools.io.sources import Source


@dataclass(frozen=True)
class LabelledImages:
    """A sequence of (image, labels): (H, W, 3) and (H, W) uint8, read when asked for."""

    images: tuple[Path, ...]
    labels: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[NDArray, NDArray[np.uint8]]:
        image_path, label_path = self.images[position], self.labels[position]
        image = decode_image(image_path.read_bytes(), str(image_path)).value
        labels = decode_labels(label_path.read_bytes(), str(label_path)).value
        if image.shape[:2] != labels.shape:
            raise DataError(
                f"{label_path}: labels have shape {labels.shape}, "
                f"the image {image.shape[:2]} (H, W)"
            )
        return image, labels

    def records(self) -> list[Meta]:
        """Two input records for the whole set: digests over all files, and how the first of the
        labels was made."""
        first = self.labels[0]
        return [
            _record("images", self.images),
            _record("labels", self.labels, read_meta(first)),
        ]


def labelled_images(images: Source, labels: Source, ids: Sequence[str] | None) -> LabelledImages:
    """The images that have labels, or those named by `ids`, which must have them.

    Raises
    ------
    DataError
        If there is none, or a named one lacks its image or labels.
    """
    stems = [stem for stem in images.stems if stem in labels] if ids is None else list(ids)
    if not stems:
        raise DataError(f"no image of {images.argument} has labels in {labels.argument}")
    return LabelledImages(
        tuple(images.find(stem) for stem in stems), tuple(labels.find(stem) for stem in stems)
    )


def _record(role: str, paths: Sequence[Path], meta: Meta | None = None) -> Meta:
    digests = [digest(path.read_bytes()) for path in paths]
    return set_record(role, [path.name for path in paths], digests, meta)
