"""The section on where everything comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsstools.core.evaluation.study import Bootstrap, Key, LabelFolder, Measurement, Study
from wsstools.view.gap_values import interval_basis
from wsstools.view.report.sections import Section


@dataclass(frozen=True)
class Provenance:
    """Where a study comes from: names and values; strategy, use of the labels and folder."""

    facts: Sequence[tuple[str, str]]
    folders: Sequence[tuple[Key, str, LabelFolder]]


def provenance_section(study: Study, sources: Mapping[str, str]) -> Section:
    """How the study was measured, how the first file in each folder was made, and the sources."""
    folders = list(_folders(study))
    facts = [*_measured(study), *sources.items()]
    metas = [folder.first.meta for *_, folder in folders if folder.first is not None]
    versions = sorted({version for meta in metas for version in _versions(meta)})
    if versions:
        facts.append(("made by wsstools", ", ".join(versions)))
    missing = [] if folders else ["the origin of labels; the study was made from given scores."]
    return Section("provenance", "Where it comes from", Provenance(facts, folders), missing)


def _measured(study: Study) -> Iterator[tuple[str, str]]:
    found = study.measurement or Measurement()
    for name, stems in (("validation images", found.val), ("training images", found.train)):
        if stems:
            yield name, f"{len(stems)}, from {stems[0]} to {stems[-1]}"
    if study.class_names:
        yield "classes", f"{len(study.class_names)}: {', '.join(study.class_names)}"
    if one := found.bootstrap:
        times = f"{one.resamples} resamples of {_resampled(one)}"
        yield "intervals", f"{100 * one.level:g} %, {times}, seed {one.seed}"
        if basis := interval_basis(study):
            yield "intervals over", basis
    if found.widths:
        void = ", unlabelled pixels are borders" if found.void_is_border else ""
        yield "bands", f"{', '.join(map(str, found.widths))} px{void}"


def _resampled(bootstrap: Bootstrap) -> str:
    """What was drawn again: the images, or clusters of them."""
    counts = {
        "validation": bootstrap.val_clusters,
        "training": bootstrap.train_clusters,
    }
    clusters = [f"{count} clusters of {part} images" for part, count in counts.items() if count]
    return " and ".join(clusters) or "the images"


def _folders(study: Study) -> Iterator[tuple[Key, str, LabelFolder]]:
    for one in study.measurement.labels if study.measurement else ():
        for use, folders in (
            ("on the validation images", one.val),
            ("labels trained on", one.pfa),
            ("on the training images", one.train),
        ):
            for folder in folders:
                yield one.key, use, folder


def _versions(meta: Mapping[str, object] | None) -> Iterator[str]:
    """The versions in a record and in those of its inputs."""
    if meta is None:
        return
    yield str(meta["version"])
    inputs = meta["inputs"]
    for entry in inputs if isinstance(inputs, Sequence) else ():
        yield from _versions(entry.get("made_by"))
