"""COCO's JSON of instances: polygons and run lengths of many images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

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
from wsstools.formats.annotations.run_lengths import coco_runs, mask_of_runs
from wsstools.formats.annotations.shapes import Sketch

NAME = "coco"


def is_coco(content: Content) -> bool:
    """Whether a file has COCO's lists."""
    keys = content.json_keys
    return {"images", "annotations"} <= keys or {"annotations", "categories"} <= keys


def split_coco(content: Content) -> list[ImagePart]:
    """The annotated images in a file.

    DataError if it is no such file, none is annotated, or it is of another task of COCO.
    """
    found, name = as_object(content.json), content.name
    images, annotations = as_objects(found.get("images")), as_objects(found.get("annotations"))
    if any("segments_info" in entry for entry in annotations):
        raise DataError(
            f"{name}: COCO's panoptic format, whose labels are in its PNGs; export instances"
        )
    class_names = class_names_of_coco(content)
    of_id = {_key(image.get("id")): image for image in images}
    if len(of_id) < len(images):
        raise DataError(f"{name}: two images have the same id")
    held: dict[str, list[Json]] = {}
    for annotation in annotations:
        key = _key(annotation.get("image_id"))
        if key not in of_id:
            raise DataError(f"{name}: an annotation is of image {key}, which is not in 'images'")
        held.setdefault(key, []).append(annotation)
    if not held:
        raise DataError(f"{name}: no image in it is annotated")
    categories = [
        {"id": entry.get("id"), "name": entry.get("name")}
        for entry in as_objects(found.get("categories"))
    ]
    return [
        json_part(
            NAME,
            image_stem(as_text(of_id[key].get("file_name"))),
            image=of_id[key],
            annotations=held[key],
            categories=categories,
            class_names=class_names,
        )
        for key in of_id
        if key in held
    ]


def class_names_of_coco(content: Content) -> list[str]:
    """The names of the categories in the order of their ids; DataError if two are the same."""
    categories = as_objects(as_object(content.json).get("categories"))
    with reading(content.name, errors=ValueError):
        numbers = [as_number(entry.get("id"), "the id of a category") for entry in categories]
    order = sorted(range(len(categories)), key=lambda k: numbers[k])
    names = [as_text(categories[k].get("name")) for k in order]
    twice = [name for name, n in Counter(names).items() if n > 1 or not name]
    if twice or len(set(numbers)) < len(numbers):
        raise DataError(
            f"{content.name}: categories have the same id, the same name or none: "
            f"{', '.join(map(repr, twice)) or 'ids'}"
        )
    return names


def decode_coco(content: Content) -> Decoded[Annotation]:
    """What a part of `split_coco` says of its image.

    Polygons are filled, those of one annotation together; so are run lengths, compressed or not.
    Coordinates count from the corner of the upper left pixel. Annotations with a box or key points
    alone, and polygons without a point, are left out. Where boxes are wanted, they are all that is
    taken.
    """
    found = as_object(content.json)
    image = as_object(found.get("image"))
    shape = as_size(image.get("height"), image.get("width"))
    names = {
        _key(entry.get("id")): as_text(entry.get("name"))
        for entry in as_objects(found.get("categories"))
    }
    sketch = Sketch()
    with reading(content.name, errors=ValueError):
        for annotation in as_objects(found.get("annotations")):
            category = _key(annotation.get("category_id"))
            if category not in names:
                raise ValueError(f"an annotation is of category {category}, which is not listed")
            if content.only_boxes:
                _add_box(sketch, names[category], annotation)
            else:
                _add(sketch, names[category], annotation, shape)
        class_names = [as_text(name) for name in as_list(found.get("class_names"))]
        return sketch.decoded(shape, class_names=class_names)


def _add(
    sketch: Sketch, name: str, annotation: Mapping[str, Json], shape: tuple[int, int] | None
) -> None:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, Mapping):
        _add_runs(sketch, name, segmentation, shape)
    elif isinstance(segmentation, list) and segmentation:
        for flat in segmentation:
            if flat == []:
                sketch.leave_out("polygon without a point")
                continue
            values = [as_number(value, f"a coordinate of {name!r}") for value in as_list(flat)]
            if not values or len(values) % 2:
                raise ValueError(f"polygon {name!r} has {len(values)} numbers, expected x, y, ...")
            sketch.add_polygon(name, [np.reshape(values, (-1, 2))], "polygon")
    elif annotation.get("keypoints"):
        sketch.leave_out("annotation with key points alone")
    else:
        has_box = bool(annotation.get("bbox"))
        sketch.leave_out(
            f"annotation {'with a box alone' if has_box else 'without a segmentation'}"
        )


def _add_box(sketch: Sketch, name: str, annotation: Mapping[str, Json]) -> None:
    """The box of an annotation: x, y, width and height."""
    sides = as_list(annotation.get("bbox"))
    if not sides:
        sketch.leave_out("annotation without a box")
        return
    if len(sides) != 4:
        raise ValueError(f"box {name!r} has {len(sides)} numbers, expected x, y, width and height")
    x, y, width, height = (as_number(side, f"a side of box {name!r}") for side in sides)
    sketch.add_box(name, [[x, y], [x + width, y + height]])


def _add_runs(
    sketch: Sketch, name: str, segmentation: Mapping[str, Json], shape: tuple[int, int] | None
) -> None:
    """A mask of the whole image: lengths of runs along the columns."""
    size = as_list(segmentation.get("size"))
    stated = as_size(*size) if len(size) == 2 else None
    if stated is None or shape not in (None, stated):
        raise ValueError(f"mask {name!r} is of size {size}, the image {shape} (H, W)")
    counts = segmentation.get("counts")
    runs = coco_runs(counts) if isinstance(counts, str) else as_list(counts)
    if not runs or not all(isinstance(run, int) for run in runs):
        raise ValueError(f"mask {name!r} has no run lengths (counts)")
    try:
        mask = mask_of_runs([int(str(run)) for run in runs], stated, by_columns=True)
    except ValueError as error:
        raise ValueError(f"mask {name!r} {error}") from None
    sketch.add_mask(name, (0, 0), mask)


def _key(value: Json) -> str:
    """An id, which is a number, or a text in files of some programs."""
    return str(value)
