"""How the maps of several annotators are best pooled, learned on a few images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.evaluation.metrics import N_VALUES, confusion_matrix, scores
from wsstools.core.evaluation.pool_fitting import KINDS, MEAN, Sample, fitted_pool
from wsstools.core.labels import IGNORE_LABEL
from wsstools.core.map_operations import stored_labels
from wsstools.core.maps import ProbabilityMap, common_classes
from wsstools.core.pools import Pool, pixels_of, pool_maps
from wsstools.errors import DataError, UsageError
from wsstools.files.atomic import write_all
from wsstools.files.provenance import InputRecord, Origin
from wsstools.formats import map_files, parameter_files
from wsstools.formats.map_files import as_stored
from wsstools.formats.parameter_files import FUSION
from wsstools.running.claim import claimed
from wsstools.running.join import Input, check_joins, output_folder
from wsstools.running.messages import say
from wsstools.running.settings import RunSettings
from wsstools.running.tasks import map_images
from wsstools.steps.inputs import (
    Digested,
    check_truth,
    digested,
    label_input,
    map_input,
    of_known_classes,
    source_record,
)
from wsstools.steps.pools import pool_values
from wsstools.steps.searches import PARAMS_FILE, TABLE_FILE, sampled
from wsstools.view.tables import csv_text, text_table

PIXELS = 2000
"""Of each image with ground truth, evenly spread."""
FOLDS = 5
"""Parts of the images: a pool is judged on each by what was fitted on the others."""


@dataclass(frozen=True)
class TunedFusion:
    """What was found: the mean IoU of each kind of pool, and the pool of the best one.

    `mean_ious` are on images that the pool was not fitted on.
    """

    mean_ious: Mapping[str, float]
    kind: str
    pool: Pool
    maps: Sequence[str]
    stems: Sequence[str]

    def as_text(self) -> str:
        """Every kind, the best first, as a table for the terminal."""
        rows = [(self._note(kind), kind, f"{miou:.2%}") for kind, miou in self._ranked()]
        lines = text_table(("fusion", "pool", f"mIoU on {len(self.stems)} images"), rows)
        weights = self.pool.weights.mean(axis=1)
        pairs = zip(self.maps, weights, self.pool.temperatures, strict=True)
        shown = (f"{place} {w:.2f} (temperature {t:.2f})" for place, w, t in pairs)
        return "\n".join([*lines, "", f"weights: {', '.join(shown)}"])

    def as_csv(self) -> str:
        """A line for each kind: the table that is written, too."""
        rows = [(kind, miou, len(self.stems), self._note(kind)) for kind, miou in self._ranked()]
        return csv_text([("pool", "miou", "images", "note"), *rows]).rstrip("\n")

    def as_json(self) -> str:
        """All of it as JSON, fractions."""
        values = {
            "best": {"pool": self.kind, "parameters": pool_values(self.pool)},
            "pools": [{"pool": kind, "miou": miou} for kind, miou in self._ranked()],
            "images": list(self.stems),
        }
        return json.dumps(values, indent=2)

    def _ranked(self) -> list[tuple[str, float]]:
        return sorted(self.mean_ious.items(), key=lambda entry: -entry[1])

    def _note(self, kind: str) -> str:
        return "best" if kind == self.kind else ""


def tune_fusion(
    maps: Sequence[str],
    out: str | Path,
    *,
    gt: str,
    sample: int | None = None,
    seed: int = 0,
    run: RunSettings = RunSettings(),
) -> TunedFusion:
    """Fit pools of the maps on a few images, and write the one that does best on others.

    Parameters
    ----------
    maps : sequence of str
        Two or more folders of maps, in the order in which `fuse` is to be given them.
    out : str or Path
        Folder for the parameters and the table.
    gt : str
        Folder of ground truth.
    sample : int or None
        Most images to learn from, drawn by chance; None: see `sampled`.
    seed : int
        Of the sample and its parts.
    run : RunSettings

    Raises
    ------
    UsageError
        If there are less than two folders, or `out` holds what others made.
    DataError
        If less than two images can be compared.
    SomeFailed
        If an image failed.

    Notes
    -----
    The kinds are the plain mean; a linear pool, with a weight and a temperature for each annotator;
    a log-linear pool with a weight for each; and one with a weight of each for each class. They
    have the least cross entropy on `PIXELS` pixels of each image. The images are split into `FOLDS`
    parts; a kind is judged on each by what was fitted on the others, in mean IoU, and the best one
    is fitted on all.
    """
    if len(maps) < 2:
        raise UsageError("tune --fusion needs two or more folders of maps")
    folder = Path(out)
    truth = of_known_classes(label_input(gt, run, role="gt"), gt)
    inputs = [*(map_input(place, run) for place in maps), truth]
    if any(entry.source.is_stream for entry in inputs):
        raise UsageError("tune --fusion reads each map twice: give folders, not -")
    output_folder(folder, inputs)
    origin = Origin("tune", {"method": FUSION, "maps": len(maps), "sample": sample, "seed": seed})
    with claimed(folder, origin, run):
        path = folder / PARAMS_FILE
        if path.exists() and not run.overwrite:
            origin.refuse_other_run(path, parameter_files.read_meta(path))
        check_joins(inputs)
        stems = _sampled(inputs, run, sample, seed)
        return _tuned(folder, origin, inputs, maps, stems, gt, run)


def _sampled(inputs: Sequence[Input], run: RunSettings, sample: int | None, seed: int) -> list[str]:
    """The images that all inputs hold, or some of them."""
    chosen = run.choose(inputs[0].source.stems)
    is_listed = run.names is not None  # then what is missing is a failure
    stems = [
        stem for stem in chosen if is_listed or all(stem in entry.source for entry in inputs[1:])
    ]
    order = sampled(stems, sample, seed, run)
    if len(order) < 2:
        raise DataError(
            f"{len(stems)} images have maps in all folders and ground truth, {len(order)} of them "
            "chosen; at least two are needed"
        )
    if len(chosen) > len(stems):
        say(f"{len(chosen) - len(stems)} maps left out (not in all folders)", "tune")
    return order


def _tuned(
    folder: Path,
    origin: Origin,
    inputs: Sequence[Input],
    maps: Sequence[str],
    stems: Sequence[str],
    gt: str,
    run: RunSettings,
) -> TunedFusion:
    read = [digested(entry) for entry in inputs]
    drawn = {s: d for s, d in map_images("tune", _drawn, read, run.of(stems)) if len(d.labels)}
    if len(drawn) < 2:
        raise DataError(
            f"{len(drawn)} of {len(stems)} images have a pixel whose class in {gt} is one that the "
            "maps hold; at least two are needed"
        )
    n_classes = {found.n_classes for found in drawn.values()}
    if len(n_classes) > 1:
        raise DataError(f"maps are of {min(n_classes)} and of {max(n_classes)} classes")
    classes = np.unique(np.concatenate([found.labels for found in drawn.values()]))
    check_truth(classes, gt, "tune")
    totals = {kind: np.zeros((N_VALUES, N_VALUES), np.int64) for kind in KINDS}
    for fold in range(min(FOLDS, len(drawn))):
        part = list(drawn)[fold::FOLDS]
        others = _joined(found for stem, found in drawn.items() if stem not in part)
        judged = partial(_judged, pools={kind: fitted_pool(kind, others) for kind in KINDS})
        for _, matrices in map_images("tune", judged, inputs, run.of(part)):
            for kind, matrix in matrices.items():
                totals[kind] += matrix
    mean_ious = {kind: scores(total).mean_iou for kind, total in totals.items()}
    best = max(KINDS, key=lambda kind: mean_ious[kind])  # the simplest among equals
    pool = fitted_pool(best, _joined(drawn.values()))
    meta = origin.record(
        kind="params",
        stem=Path(PARAMS_FILE).stem,
        inputs=_records(inputs, drawn),
        result={"miou": mean_ious[best], "mean_miou": mean_ious[MEAN], "images": len(drawn)},
    )
    found = TunedFusion(mean_ious, best, pool, maps, list(drawn))
    contents = {
        PARAMS_FILE: parameter_files.encode_params(FUSION, pool_values(pool), meta),
        TABLE_FILE: f"{found.as_csv()}\n".encode(),
    }
    write_all(folder, contents)
    return found


@dataclass(frozen=True)
class _Drawn:
    """Pixels of one image: `probs` (A, K, P) of its classes, `labels` (P,) among all classes."""

    probs: NDArray[np.float32]
    classes: NDArray[np.int64]
    n_classes: int
    labels: NDArray[np.int64]
    digests: Sequence[str]


def _drawn(*files: Digested[Any]) -> _Drawn:
    """Pixels of an image whose class is one of its maps', evenly from first to last."""
    *maps, gt = (file.value for file in files)
    classes = common_classes(maps)
    if maps[0].shape != gt.shape:
        raise DataError(f"the maps have shape {maps[0].shape}, the ground truth {gt.shape} (H, W)")
    places = np.flatnonzero(np.isin(gt, classes) & (gt != IGNORE_LABEL))
    places = places[np.linspace(0, len(places), PIXELS, endpoint=False).astype(int)[: len(places)]]
    found = pixels_of(maps, classes, places)
    labels = gt.ravel()[places].astype(np.int64)
    return _Drawn(found, classes, maps[0].n_classes, labels, [file.digest for file in files])


def _joined(images: Iterable[_Drawn]) -> Sample:
    """The pixels of several images."""
    listed = list(images)
    n_classes, n_maps = listed[0].n_classes, len(listed[0].probs)
    labels = np.concatenate([image.labels for image in listed])
    probs = np.zeros((n_maps, n_classes, len(labels)), np.float32)
    possible = np.zeros((n_classes, len(labels)), bool)
    end = 0
    for image in listed:
        start, end = end, end + len(image.labels)
        probs[:, image.classes, start:end] = image.probs
        possible[image.classes, start:end] = True
    return Sample(probs, possible, labels)


_Labels: TypeAlias = NDArray[np.uint8]


def _judged(
    *values: ProbabilityMap | _Labels, pools: Mapping[str, Pool]
) -> dict[str, NDArray[np.int64]]:
    """The confusion matrix of each pool on an image."""
    maps = cast(Sequence[ProbabilityMap], values[:-1])
    gt = cast(_Labels, values[-1])
    return {
        kind: confusion_matrix(stored_labels(as_stored(pool_maps(maps, pool))), gt)
        for kind, pool in pools.items()
    }


def _records(inputs: Sequence[Input], drawn: Mapping[str, _Drawn]) -> list[InputRecord]:
    """One record for each folder; those of the maps say what made the first."""
    stems = sorted(drawn)
    records = []
    for position, entry in enumerate(inputs):
        digests = [drawn[stem].digests[position] for stem in stems]
        read_meta = map_files.read_meta if entry.role == "map" else None
        records.append(source_record(entry, stems, digests, read_meta))
    return records
