"""The inputs of steps: what a folder argument names, and how one of its files is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from wsstools.errors import DataError
from wsstools.files.provenance import Decoded, digest
from wsstools.formats import image_files, label_files, map_files
from wsstools.running.join import Input
from wsstools.running.settings import Selection
from wsstools.running.sources import Source

T = TypeVar("T")


@dataclass(frozen=True)
class Digested(Generic[T]):
    """What a file holds, and the digest of its bytes."""

    value: T
    digest: str


def map_input(place: str, run: Selection) -> Input:
    """Maps: a folder, a file, or `-`; so are the others."""
    source = Source(place, map_files.SUFFIXES, "map", null=run.null)
    return Input("map", source, map_files.decode_map)


def image_input(place: str, run: Selection) -> Input:
    """Images."""
    source = Source(place, image_files.SUFFIXES, "image", null=run.null)
    return Input("image", source, image_files.decode_image)


def label_input(
    place: str, run: Selection, *, role: str = "labels", is_optional: bool = False
) -> Input:
    """Labels; `role` is `labels`, `scribbles` or `gt`."""
    what = "ground truth" if role == "gt" else role
    source = Source(place, label_files.SUFFIXES, what, null=run.null)
    return Input(role, source, label_files.decode_labels, is_optional)


def local_inputs(images: str, scribbles: str, run: Selection) -> list[Input]:
    """What a local model takes: images, and scribbles of some of them."""
    of_some = label_input(scribbles, run, role="scribbles", is_optional=True)
    return [image_input(images, run), of_some]


def check_same_images(sources: Sequence[Source]) -> None:
    """Raise DataError unless all folders hold the same images."""
    for source in sources[1:]:
        first = sources[0]
        if source.stems != first.stems:
            odd = sorted(set(source.stems) ^ set(first.stems))
            raise DataError(
                f"{first.argument} and {source.argument} hold different images: {len(odd)} are "
                f"in one only, such as {odd[0]!r} (--ids chooses the images)"
            )


def digested(entry: Input) -> Input:
    """The same input, whose contents come with the digests of their files, as `Digested`."""
    return replace(entry, decode=partial(_decode_digested, decode=entry.decode))


def _decode_digested(
    data: bytes, name: str, *, decode: Callable[[bytes, str], Decoded[T]]
) -> Decoded[Digested[T]]:
    decoded = decode(data, name)
    return Decoded(Digested(decoded.value, digest(data)), decoded.meta, decoded.note)
