"""The JSON and JSON-MIN exports of Label Studio: brushes, polygons and other regions of tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from wsstools.core.scribbles.annotation import Annotation
from wsstools.errors import DataError
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded, Json
from wsstools.formats.annotations.content import (
    Content,
    ImagePart,
    as_list,
    as_number,
    as_object,
    as_objects,
    as_size,
    as_text,
    image_stem,
    json_part,
)
from wsstools.formats.annotations.run_lengths import brush_mask
from wsstools.formats.annotations.shapes import Sketch, checked_points, turned

NAME = "labelstudio"
_ANNOTATIONS = ("annotations", "completions")
"""Keys of a task's annotations; the latter before version 1."""
_IMAGE_KEYS = ("image", "img", "image_url", "url", "photo", "picture")
_NO_REGIONS = ("choices", "textarea", "rating", "taxonomy", "number", "datetime", "pairwise")
"""Types of results that say something of the image and mark no pixel."""
_PICTURE = re.compile(r"\.(jpe?g|png|tiff?|bmp|webp|gif)($|[?#])", re.IGNORECASE)


def is_label_studio(content: Content) -> bool:
    """Whether a file has tasks of Label Studio, or is one."""
    if content.json_items:
        return any(_is_task(entry) for entry in content.json_items[:1])
    return content.is_json and _is_task(as_object(content.json))


def split_label_studio(content: Content) -> list[ImagePart]:
    """The annotated tasks in a file, each of one image; DataError if there are none."""
    tasks = content.json_items or [as_object(content.json)]
    parts = []
    for position, task in enumerate(tasks, start=1):
        if not any(_regions(entry) for entry in _annotations(task)) and not _regions(task):
            continue
        name = _image_name(task)
        stem = image_stem(name) if name else f"task-{task.get('id', position)}"
        parts.append(json_part(NAME, stem, task=task, has_name=bool(name)))
    if not parts:
        raise DataError(f"{content.name}: no task in it is annotated")
    return parts


def decode_label_studio(content: Content) -> Decoded[Annotation]:
    """The regions of one task.

    Brushes, polygons, rectangles and ellipses are filled; key points are dots. Regions of other
    kinds and relations are left out, and so are predictions.
    DataError if the task names no image file, or has several annotations, of which none is the
    ground truth.
    """
    found = as_object(content.json)
    task = as_object(found.get("task"))
    with reading(content.name, errors=ValueError):
        if not found.get("has_name"):
            raise ValueError("the task names no image file, which would name the output")
        results = _results(task)
        labels = {
            str(result.get("id")): as_list(as_object(result.get("value")).get("labels"))
            for result in results
            if result.get("type") == "labels"
        }
        shape: tuple[int, int] | None = None
        sketch = Sketch()
        for result in results:
            stated = as_size(result.get("original_height"), result.get("original_width"))
            if shape is not None and stated not in (None, shape):
                raise ValueError(f"its regions are of images of shape {shape} and {stated}")
            shape = shape or stated
            _add(sketch, result, labels.get(str(result.get("id")), ()), stated)
        return sketch.decoded(shape)


def _is_task(entry: Mapping[str, Json]) -> bool:
    has_annotations = any(
        "result" in annotation for key in _ANNOTATIONS for annotation in as_objects(entry.get(key))
    )
    empty = "data" in entry and any(key in entry for key in _ANNOTATIONS)
    single = "result" in entry and "task" in entry
    return has_annotations or empty or single or bool(_minimal_results(entry))


def _image_name(task: Mapping[str, Json]) -> str:
    """The image of a task; empty if it is no file, or not known which."""
    held = as_object(task.get("task"))
    data = as_object(task.get("data") or held.get("data")) or task
    texts = {key: as_text(value) for key, value in data.items() if as_text(value)}
    for key in _IMAGE_KEYS:
        if key in texts and not texts[key].startswith("data:"):
            return texts[key]
    pictures = [text for text in texts.values() if _PICTURE.search(text)]
    return pictures[0] if len(pictures) == 1 else ""


def _results(task: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The regions of the annotation that counts."""
    annotations = _annotations(task)
    if not annotations:
        return _regions(task)
    chosen = [entry for entry in annotations if entry.get("ground_truth")] or annotations
    if len(chosen) > 1:
        raise ValueError(
            f"the task has {len(chosen)} annotations; mark one as ground truth, or export one"
        )
    return _regions(chosen[0])


def _annotations(task: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The annotations of a task that nobody has skipped."""
    held = [entry for key in _ANNOTATIONS for entry in as_objects(task.get(key))]
    return [entry for entry in held if not entry.get("was_cancelled")]


def _regions(entry: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The regions of an annotation, or of a task in JSON-MIN."""
    return as_objects(entry.get("result")) or _minimal_results(entry)


def _minimal_results(task: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The regions of JSON-MIN, whose keys are the names of the tags of the labelling interface."""
    return [
        {"type": _kind(region), "value": region, **_stated_size(region)}
        for value in task.values()
        for region in as_objects(value)
        if "original_width" in region
    ]


def _stated_size(region: Mapping[str, Json]) -> dict[str, Json]:
    return {key: region.get(key) for key in ("original_width", "original_height")}


def _kind(value: Mapping[str, Json]) -> str:
    return next((key for key in value if key.endswith("labels") and key != "labels"), "")


def _add(
    sketch: Sketch,
    result: Mapping[str, Json],
    further_labels: Sequence[Json],
    shape: tuple[int, int] | None,
) -> None:
    value, kind = as_object(result.get("value")), as_text(result.get("type"))
    if kind == "labels" or kind in _NO_REGIONS:
        if kind != "labels":
            sketch.leave_out(f"{kind} result")
        return
    if kind == "relation":
        sketch.leave_out(kind)
        return
    form = kind.removesuffix("labels")
    names = [as_text(name) for name in as_list(value.get(f"{form}labels")) or further_labels]
    if form not in ("polygon", "rectangle", "ellipse", "keypoint", "brush"):
        sketch.leave_out(kind or "region without a type")
        return
    if len(names) != 1:
        labels = f"{len(names)} labels ({', '.join(names)})" if names else "no label"
        raise ValueError(f"a {form} has {labels}, expected one")
    if shape is None:
        raise ValueError(f"a {form} does not state original_width and original_height")
    if result.get("image_rotation") or value.get("image_rotation"):
        raise ValueError("the image was turned in Label Studio; export it unturned")
    unit = np.array(shape[::-1]) / 100  # coordinates are per cent
    if form == "polygon":
        points = checked_points(
            np.array(as_list(value.get("points")), object), f"{form} {names[0]!r}"
        )
        sketch.add_polygon(names[0], [points * unit], form)
        return
    if form == "brush":
        _add_brush(sketch, names[0], value, shape)
        return
    degrees = as_number(value.get("rotation") or 0, f"the rotation of a {form}")
    corner = np.array([as_number(value.get(key), f"{key} of a {form}") for key in "xy"]) * unit
    if form == "keypoint":
        sketch.add_dots(names[0], [corner], form)
        return
    keys = ("width", "height") if form == "rectangle" else ("radiusX", "radiusY")
    size = np.array([as_number(value.get(key), f"{key} of a {form}") for key in keys]) * unit
    if form == "ellipse":
        sketch.add_ellipse(names[0], corner.tolist(), size.tolist(), degrees=degrees)
        return
    corners = corner + size * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    sketch.add_polygon(names[0], [turned(corners, corner, degrees)], form)


def _add_brush(
    sketch: Sketch, name: str, value: Mapping[str, Json], shape: tuple[int, int]
) -> None:
    packed = as_list(value.get("rle"))
    if value.get("format") != "rle" or not packed:
        raise ValueError(f"brush {name!r} has no run lengths (rle)")
    try:
        data = bytes(int(str(entry)) for entry in packed)
        mask = brush_mask(data, shape)
    except ValueError as error:
        raise ValueError(f"brush {name!r}: {error}") from None
    sketch.add_mask(name, (0, 0), mask, "brush")
