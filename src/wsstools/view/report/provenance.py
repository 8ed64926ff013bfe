"""The section on where everything comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wsstools.core.evaluation.study import Key, Study
from wsstools.view.markup import Markup, element, joined
from wsstools.view.report.parts import Section, folded_html

_PARTS = {
    "val": "on the validation images",
    "pfa": "labels trained on",
    "train": "on the training images",
}
_SHOWN_DIGITS = 12


def provenance_section(study: Study, sources: Mapping[str, str]) -> Section:
    """How the study was measured, and how the labels in each folder were made.

    Parameters
    ----------
    study : Study
        Its facts tell of each folder what `wss info` tells of its first file.
    sources : mapping of str to str
        What else the report was made from.
    """
    facts = [*_measured(study), *sources.items()]
    versions = sorted({v for folder in _folders(study) for v in _versions(_meta(folder))})
    if versions:
        facts.append(("made by wsstools", ", ".join(versions)))
    listed = element(
        "dl",
        *(joined([element("dt", name), element("dd", value)]) for name, value in facts),
        class_="facts",
    )
    entries = [
        _entry(Key(entry["group"], entry["name"]), part, folder)
        for entry in study.facts.get("labels", [])
        for part in _PARTS
        for folder in entry.get(part, [])
    ]
    missing = [] if entries else ["the origin of labels; the study was made from given scores."]
    note = (
        "Each folder below tells how its first file was made: the last step comes first, its "
        "inputs follow with the steps that made them."
    )
    content = [listed, *([element("p", note, class_="note")] if entries else []), *entries]
    return Section("provenance", "Where it comes from", content, missing)


def _measured(study: Study) -> Iterator[tuple[str, str]]:
    images = study.facts.get("images") or {}
    for part, told in (("val", "validation images"), ("train", "training images")):
        if stems := images.get(part):
            yield told, f"{len(stems)}, from {stems[0]} to {stems[-1]}"
    if study.class_names:
        yield "classes", f"{len(study.class_names)}: {', '.join(study.class_names)}"
    if bootstrap := study.facts.get("bootstrap"):
        yield (
            "intervals",
            f"{100 * bootstrap['level']:g} %, {bootstrap['resamples']} resamples of the images, "
            f"seed {bootstrap['seed']}",
        )
    bands = study.facts.get("bands") or {}
    if widths := bands.get("widths"):
        void = ", unlabelled pixels are borders" if bands.get("void_is_border") else ""
        yield "bands", f"{', '.join(map(str, widths))} px{void}"


def _folders(study: Study) -> Iterator[Mapping[str, Any]]:
    for entry in study.facts.get("labels", []):
        for part in _PARTS:
            yield from entry.get(part, [])


def _meta(folder: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (folder.get("first") or {}).get("meta")


def _versions(meta: Mapping[str, Any] | None) -> Iterator[str]:
    if meta is not None:
        yield meta["version"]
        for entry in meta["inputs"]:
            yield from _versions(entry.get("made_by"))


def _entry(key: Key, part: str, folder: Mapping[str, Any]) -> Markup:
    summary = joined(
        [
            element("b", key),
            f" {_PARTS[part]} ",
            element("code", folder["folder"]),
        ]
    )
    first, meta = folder.get("first"), _meta(folder)
    parts = [element("p", f"{len(folder['images'])} images", class_="note")]
    if first is None:
        parts.append(element("p", "Nothing is known of its files."))
        return folded_html(summary, *parts)
    told = ", ".join(f"{name} {value}" for name, value in first["facts"].items())
    parts.append(element("p", element("code", first["file"]), f": {first['what']}, {told}"))
    if meta is None:
        parts.append(element("p", "It carries no record of how it was made."))
    else:
        parts.append(element("ul", _step(meta), class_="chain"))
    return folded_html(summary, *parts)


def _step(meta: Mapping[str, Any]) -> Markup:
    """A step with its options, and below it its inputs."""
    options = [
        element("span", f"{name}={_short(value)}") for name, value in meta["options"].items()
    ]
    told = ", ".join(f"{name} {_short(value)}" for name, value in meta.get("result", {}).items())
    return element(
        "li",
        element("p", element("b", f"wss {meta['step']}"), f" version {meta['version']}"),
        *([element("p", joined(options, " "), class_="options")] if options else []),
        *([element("p", f"result: {told}")] if told else []),
        _inputs(meta["inputs"]),
    )


def _inputs(entries: Sequence[Mapping[str, Any]]) -> Markup:
    items = []
    for entry in entries:
        digest = entry["blake2b"][:_SHOWN_DIGITS]
        told = element(
            "p",
            f"{entry['role']}: ",
            element("code", entry["name"]),
            element("span", f" blake2b {digest}…", class_="digest"),
        )
        made_by = entry.get("made_by")
        below = element("ul", _step(made_by)) if made_by else ""
        items.append(element("li", told, below))
    return element("ul", *items) if items else Markup("")


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
