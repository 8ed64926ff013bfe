"""Images with what is known about their pixels, as a network is trained on them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.maps import ProbabilityMap
from wsstools.errors import DataError
from wsstools.files.limits import read_file
from wsstools.files.provenance import InputRecord, files_record
from wsstools.formats import label_files, map_files
from wsstools.formats.image_files import decode_image

Pair: TypeAlias = "tuple[AnyArray, NDArray[np.uint8] | ProbabilityMap]"

Counted: TypeAlias = "NDArray[np.int64] | NDArray[np.float64]"


@dataclass(frozen=True)
class LabelledImages:
    """A sequence of (image, target), read when asked for.

    An image is (H, W, 3); a target is labels, (H, W) uint8, or a ProbabilityMap where its file is
    a map. `classes_file` is what names the classes, for messages.
    """

    images: tuple[Path, ...]
    labels: tuple[Path, ...]
    classes_file: Path | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> Pair:
        image_path, label_path = self.images[position], self.labels[position]
        image = decode_image(read_file(image_path), str(image_path)).value
        is_map = label_path.suffix.lower() in map_files.SUFFIXES
        decode = map_files.decode_map if is_map else label_files.decode_labels
        target = decode(read_file(label_path), str(label_path)).value
        if image.shape[:2] != target.shape:
            raise DataError(
                f"{label_path}: {'the map has' if is_map else 'labels have'} shape "
                f"{target.shape}, the image {image.shape[:2]} (H, W)"
            )
        return image, target

    def records(self) -> list[InputRecord]:
        """Two input records for the whole set: digests over all files, and how the first of the
        labels was made."""
        first = self.labels[0]
        form = map_files if first.suffix.lower() in map_files.SUFFIXES else label_files
        return [
            files_record("images", self.images),
            files_record("labels", self.labels, form.read_meta(first)),
        ]

    def count(self, position: int, pair: Pair, n_classes: int) -> Counted:
        """Labelled pixels of each class in a pair that was read, (C,); of a map probabilities.

        DataError if it has other classes than 0..n_classes-1.
        """
        target, path = pair[1], self.labels[position]
        if isinstance(target, ProbabilityMap):
            if target.n_classes != n_classes:
                raise DataError(
                    f"{path}: the map is of {target.n_classes} classes, expected {n_classes}"
                )
            mass = np.zeros(n_classes)
            mass[target.classes] = target.probs.sum(axis=(1, 2), dtype=np.float64)
            return mass
        pixels = np.bincount(target.ravel(), minlength=IGNORE_LABEL + 1)
        strange = n_classes + np.flatnonzero(pixels[n_classes:IGNORE_LABEL])
        if len(strange):
            where = "there are" if self.classes_file is None else f"{self.classes_file} names the"
            raise DataError(
                f"{path}: labels hold the value {strange[0]}; {where} classes "
                f"0..{n_classes - 1}, and 255 for unlabelled pixels"
            )
        return pixels[:n_classes]


class CachedPairs:
    """Pairs that stay in memory once they are read, as many as a budget of bytes holds."""

    def __init__(self, pairs: LabelledImages, budget: int) -> None:
        self._pairs = pairs
        self.left = budget  # what is left of it
        self._kept: dict[int, Pair] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, position: int) -> Pair:
        if position in self._kept:
            return self._kept[position]
        image, target = self._pairs[position]
        values = target.probs if isinstance(target, ProbabilityMap) else target
        size = image.nbytes + values.nbytes
        with self._lock:
            if position not in self._kept and size <= self.left:
                self.left -= size
                self._kept[position] = image, target
        return image, target

    def check(
        self, n_classes: int, *, threads: int, advance: Callable[[], None]
    ) -> tuple[NDArray[np.float64], list[str]]:
        """Read all pairs once, some threads at a time; `advance` is called after each pair.

        Returns
        -------
        pixels : (n_classes,)
            Labelled pixels of each class; of maps the sums of the probabilities.
        empty : list of str
            Names of the images without a labelled pixel.

        Raises
        ------
        DataError, OSError
            Of the first pair that cannot be read, whose sizes differ or that has other classes; or
            if there is no labelled pixel in all of them.
        """

        def count(position: int) -> Counted:
            return self._pairs.count(position, self[position], n_classes)

        pixels, empty = np.zeros(n_classes), []
        pool = ThreadPoolExecutor(threads)
        try:
            for path, found in zip(
                self._pairs.images, pool.map(count, range(len(self))), strict=True
            ):
                pixels += found
                if not found.any():
                    empty.append(path.stem)
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
        if len(empty) == len(self):
            raise DataError("no pixel of the images is labelled")
        return pixels, empty
