"""GeoJSON as QuPath exports it: objects of one image, in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from wsstools.core.scribbles.annotation import Annotation
from wsstools.files.damage import reading
from wsstools.files.provenance import Decoded, Json
from wsstools.formats.annotations.content import Content, as_list, as_object, as_objects, as_text
from wsstools.formats.annotations.shapes import Sketch

_TYPES = ("FeatureCollection", "Feature")


def is_geojson(content: Content) -> bool:
    """Whether a file holds features: a collection, one, or a list of them as of QuPath 0.2."""
    if not content.is_json:
        return False
    first = content.json_items[0] if content.json_items else as_object(content.json)
    return first.get("type") in _TYPES


def decode_geojson(content: Content) -> Decoded[Annotation]:
    """The objects of one image.

    Lines and points become lines of the brush; polygons are filled, without their holes. The class
    is the name of the classification. Coordinates count from the corner of the upper left pixel.
    QuPath states no size. Objects without a class are left out.
    """
    sketch = Sketch()
    with reading(content.name, errors=ValueError):
        for feature in _features(content.json):
            name = _class_name(as_object(feature.get("properties")))
            if name:
                for geometry in _geometries(as_object(feature.get("geometry"))):
                    _add(sketch, name, geometry)
            else:
                sketch.leave_out("object without a class")
        return sketch.decoded(None)


def _features(value: Json) -> list[Mapping[str, Json]]:
    held = as_object(value)
    if held.get("type") == "Feature":
        return [held]
    return as_objects(held.get("features")) if held else as_objects(value)


def _class_name(properties: Mapping[str, Json]) -> str:
    classification = properties.get("classification")
    held = as_object(classification)
    derived = ": ".join(as_text(part) for part in as_list(held.get("names")))
    return as_text(held.get("name")) or derived or as_text(classification)


def _geometries(geometry: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    if geometry.get("type") == "GeometryCollection":
        for held in as_objects(geometry.get("geometries")):
            yield from _geometries(held)
    else:
        yield geometry


def _add(sketch: Sketch, name: str, geometry: Mapping[str, Json]) -> None:
    kind, held = as_text(geometry.get("type")), as_list(geometry.get("coordinates"))
    if kind == "Point":
        sketch.add_dots(name, [_flat(held)])
    elif kind == "MultiPoint":
        sketch.add_dots(name, [_flat(point) for point in held])
    elif kind in ("LineString", "MultiLineString"):
        for line in [held] if kind == "LineString" else held:
            sketch.add_line(name, [_flat(point) for point in as_list(line)])
    elif kind in ("Polygon", "MultiPolygon"):
        for rings in [held] if kind == "Polygon" else held:
            placed = [[_flat(point) for point in as_list(ring)] for ring in as_list(rings)]
            sketch.add_polygon(name, placed, "polygon")
    else:
        sketch.leave_out(kind or "object without a geometry")


def _flat(point: Json) -> list[float]:
    """x, y of a position, which may have a height; whether they are numbers is checked later."""
    return cast("list[float]", list(as_list(point)[:2]))
