"""GeoJSON as QuPath exports it: objects of one image, in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

from wsstools.core.scribbles.annotation import Annotation
from wsstools.files.damage import reading
from wsstools.files.names import named_examples
from wsstools.files.provenance import Decoded, Json
from wsstools.formats.annotations.content import (
    Content,
    as_list,
    as_number,
    as_object,
    as_objects,
    as_text,
)
from wsstools.formats.annotations.shapes import Sketch

_TYPES = ("FeatureCollection", "Feature")
_Plane: TypeAlias = "tuple[float, float]"  # z, t
_FIRST_PLANE = (0.0, 0.0)


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

    Of objects on several planes of a stack those of the first (z 0, t 0) are drawn, of whatever
    channel, and the others left out. Where all are on one plane, the picture is taken to be it.

    DataError if they are on several planes, none of which is the first.
    """
    sketch = Sketch()
    with reading(content.name, errors=ValueError):
        objects = [
            (_class_name(as_object(feature.get("properties"))), as_object(feature.get("geometry")))
            for feature in _features(content.json)
        ]
        shown = _shown_plane({_plane(geometry) for name, geometry in objects if name})
        for name, geometry in objects:
            if not name:
                sketch.leave_out("object without a class")
            elif _plane(geometry) != shown:
                sketch.leave_out(f"object on a plane other than {_plane_name(shown)}")
            else:
                for part in _geometries(geometry):
                    _add(sketch, name, part)
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


def _plane(geometry: Mapping[str, Json]) -> _Plane:
    """The place of a geometry in a stack; QuPath states it where it is not the first."""
    stated = as_object(geometry.get("plane"))
    z, t = (as_number(stated.get(axis, 0), f"{axis} of a plane") for axis in "zt")
    return z, t


def _plane_name(plane: _Plane) -> str:
    return f"z={plane[0]:g} t={plane[1]:g}"


def _shown_plane(planes: set[_Plane]) -> _Plane:
    """The plane that is drawn; ValueError if it is not clear which."""
    if len(planes) > 1 and _FIRST_PLANE not in planes:
        raise ValueError(
            f"its objects are on the planes {named_examples([*map(_plane_name, sorted(planes))])}, "
            f"none on the first, {_plane_name(_FIRST_PLANE)}; export those of the plane that the "
            "image shows"
        )
    return next(iter(planes)) if len(planes) == 1 else _FIRST_PLANE


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
