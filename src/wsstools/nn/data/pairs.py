"""Images with what is known about their pixels, as a network is trained on them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

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
    a map. `classes_file` is what names the `n_classes` classes, for messages. With `scribbles`, a
    target has the class of those where they name one, and otherwise that of the labels plus
    `n_classes`: it is less certain.
    """

    images: tuple[Path, ...]
    labels: tuple[Path, ...]
    n_classes: int
    classes_file: Path | None = None
    scribbles: tuple[Path, ...] = ()

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
        if self.scribbles:
            target = self._with_scribbles(position, cast(NDArray[np.uint8], target))
        return image, target

    def _with_scribbles(self, position: int, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        path = self.scribbles[position]
        scribbles = label_files.decode_labels(read_file(path), str(path)).value
        if scribbles.shape != labels.shape:
            raise DataError(
                f"{path}: scribbles have shape {scribbles.shape}, labels {labels.shape} (H, W)"
            )
        for name, values in ((path, scribbles), (self.labels[position], labels)):
            self._check_classes(name, np.bincount(values.ravel(), minlength=IGNORE_LABEL + 1))
        less_certain = np.where(labels == IGNORE_LABEL, labels, labels + np.uint8(self.n_classes))
        return np.where(scribbles == IGNORE_LABEL, less_certain, scribbles)

    def records(self) -> list[InputRecord]:
        """Two input records for the whole set: digests over all files, and how the first of the
        labels was made."""
        first = self.labels[0]
        form = map_files if first.suffix.lower() in map_files.SUFFIXES else label_files
        records = [
            files_record("images", self.images),
            files_record("labels", self.labels, form.read_meta(first)),
        ]
        if self.scribbles:
            meta = label_files.read_meta(self.scribbles[0])
            records.append(files_record("scribbles", self.scribbles, meta))
        return records

    def count(self, position: int, pair: Pair) -> Counted:
        """Labelled pixels of each class in a pair that was read, (C,); of a map probabilities.

        With scribbles (2, C): theirs, and those of the labels. DataError if it has other classes
        than 0..n_classes-1.
        """
        target, path, n_classes = pair[1], self.labels[position], self.n_classes
        if isinstance(target, ProbabilityMap):
            if target.n_classes != n_classes:
                raise DataError(
                    f"{path}: the map is of {target.n_classes} classes, expected {n_classes}"
                )
            mass = np.zeros(n_classes)
            mass[target.classes] = target.probs.sum(axis=(1, 2), dtype=np.float64)
            return mass
        pixels = np.bincount(target.ravel(), minlength=IGNORE_LABEL + 1)
        if self.scribbles:
            return pixels[: 2 * n_classes].reshape(2, n_classes)
        self._check_classes(path, pixels)
        return pixels[:n_classes]

    def _check_classes(self, path: Path, pixels: NDArray[np.int64]) -> None:
        """Refuse labels of which pixels, (256,), have other classes."""
        strange = self.n_classes + np.flatnonzero(pixels[self.n_classes : IGNORE_LABEL])
        if len(strange):
            where = "there are" if self.classes_file is None else f"{self.classes_file} names the"
            raise DataError(
                f"{path}: labels hold the value {strange[0]}; {where} classes "
                f"0..{self.n_classes - 1}, and 255 for unlabelled pixels"
            )


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
        self, *, threads: int, advance: Callable[[], None]
    ) -> tuple[NDArray[np.float64], list[str]]:
        """Read all pairs once, some threads at a time; `advance` is called after each pair.

        Returns
        -------
        pixels : (n_classes,)
            Labelled pixels of each class; of maps the sums of the probabilities. With scribbles
            (2, n_classes), as `LabelledImages.count` has them.
        empty : list of str
            Names of the images without a labelled pixel.

        Raises
        ------
        DataError, OSError
            Of the first pair that cannot be read, whose sizes differ or that has other classes; or
            if there is no labelled pixel in all of them.
        """

        def count(position: int) -> Counted:
            return self._pairs.count(position, self[position])

        n_classes = self._pairs.n_classes
        pixels = np.zeros((2, n_classes) if self._pairs.scribbles else n_classes)
        empty: list[str] = []
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
