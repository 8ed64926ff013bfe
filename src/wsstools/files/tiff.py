"""TIFF: its stored numbers, as labels need them, and its colours, as images do."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from wsstools.core.arrays import AnyArray
from wsstools.files.limits import check_volume, most_pixels
from wsstools.files.pillow import opened, upright

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins: little and big endian, and the same for files above 4 GB."""
_INVERTED = 0
_PLAIN = (_INVERTED, 1, 2)
"""Photometric interpretations in which white is 0, black is 0, and of RGB (TIFF 6.0, section 8)."""
_LOSSLESS = (1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 34933, 50000)
"""Compressions after which labels are what they were: none, the three of CCITT, LZW, Deflate,
PackBits, old Deflate, LZMA, PNG and Zstandard; JPEG, WebP and LERC change values."""
_CLASSIC = MAGIC[:2]
_MOST_PLANES = 4
_VALUE_BYTES, _COLOUR_BYTES = 4, 6
"""Bytes that a pixel of the largest picture may take: labels of 32 bits, three colours of 16."""
_MOST_PICTURES = 1000
_UPPER_FIRST = sys.byteorder == "big"
_RGB = ("RGB", "RGBA", "RGBX")
_WIDE = ("RGB;16", "RGBA;16", "RGBX;16")
"""Pillow's names of colours of 16 bits, without their byte order; it gives the upper bytes."""


class FirstPicture(NamedTuple):
    """The first picture, and how many the file holds in full size."""

    values: AnyArray
    n_pictures: int


def has_colours(data: bytes) -> bool:
    """Whether the pixels of the first picture have several values, side by side."""
    with _opened(data) as file:
        return bool(_first_series(file).axes.endswith("S"))


def read_values(data: bytes) -> FirstPicture:
    """The values of the first picture or stack as they are stored, (H, W), turned as it says.

    They stay what they are where a palette or an inverted scale would show them otherwise; they
    have more axes where the file holds colours or a stack. Reduced pictures (thumbnails) do not
    count. ValueError if they are compressed in a way that is not read or changes values, or too
    many.
    """
    with _opened(data) as file:
        series = _first_series(file)
        _check_size(series.shape, series.dtype, _VALUE_BYTES)
        n_pictures = sum(map(_is_full, file.series))
        page = series.keyframe
        if page.compression not in _LOSSLESS:
            raise ValueError(
                f"its values are compressed as {_name(page.compression)}, which does not keep "
                "class ids"
            )
        try:
            values = _moved(*_without_unit_axes(series.asarray(), series.axes))
        except (ValueError, NotImplementedError) as error:  # tifffile wants another package
            if page.photometric == _INVERTED or len(series.pages) > 1:
                raise
            return FirstPicture(_by_pillow(data, page, error), n_pictures)  # Pillow has turned it
        is_picture = values.ndim == 2 or (values.ndim == 3 and "S" in series.axes)
        turned = upright(values, _orientation(page)) if is_picture else values
        return FirstPicture(turned, n_pictures)


def read_colours(data: bytes) -> FirstPicture:
    """The first picture as it is shown: (H, W) or (H, W, C), grey or RGB, upright.

    It is bool, integers whose full range is that of their type, or floats. Of a stack the first
    picture is taken, and three planes that the file calls channels are RGB; reduced pictures
    (thumbnails) do not count. ValueError if its colours or compression are not read, or it is too
    large.
    """
    with _opened(data) as file:
        series = _first_series(file)
        page = series.keyframe
        n_pictures = sum(_n_pictures(other) for other in file.series if _is_full(other))
        return FirstPicture(_colours(data, series, page), n_pictures)


def read_stack(data: bytes) -> AnyArray:
    """All planes of the first picture or stack as stored, (Z, H, W) or (Z, H, W, 3), upright.

    Three planes of grey that the file calls channels are RGB; other channels are planes.
    ValueError if it holds palettes or other colours, its compression is not read, or it is too
    large.
    """
    with _opened(data) as file:
        series = _first_series(file)
        page = series.keyframe
        check_volume(int(np.prod(series.shape, dtype=object)))
        if page.photometric not in _PLAIN or page.photometric == _INVERTED:
            raise ValueError(f"pixels are {_name(page.photometric)}, expected grey or RGB")
        try:
            return _planes(series.asarray(), series.axes, _orientation(page))
        except (ValueError, NotImplementedError) as error:  # tifffile wants another package
            if _has_channels(series):
                raise
            pages = [one.aspage() for one in series.pages if one is not None]
            return np.stack([_by_pillow(data, one, error) for one in pages])  # Pillow turns them


def _planes(values: AnyArray, axes: str, orientation: int) -> AnyArray:
    """(Z, H, W) or (Z, H, W, 3) of an array with these axes."""
    sizes = dict(zip(axes, values.shape, strict=True))
    colour = "S" if "S" in axes else "C" if sizes.get("C") == 3 else ""
    order = [k for k, axis in enumerate(axes) if axis not in ("Y", "X", colour)]
    order += [axes.index(axis) for axis in f"YX{colour}"]
    ordered = values.transpose(order)
    planes = ordered.reshape(-1, *ordered.shape[-2 - len(colour) :])
    return np.stack([upright(plane, orientation) for plane in planes])


def _colours(data: bytes, series: TiffPageSeries, page: TiffPage) -> AnyArray:
    is_whole = _has_channels(series) or _n_pictures(series) == 1
    shape, axes = (series.shape, series.axes) if is_whole else (page.shape, page.axes)
    _check_size(shape, page.dtype, _COLOUR_BYTES)
    depth = page.bitspersample
    if page.photometric not in _PLAIN:
        return _converted(data, page)
    try:
        values = _plane(series.asarray() if is_whole else page.asarray(), axes)
    except (ValueError, NotImplementedError) as error:  # tifffile wants another package
        if depth <= 8 and not _has_channels(series):
            return _converted(data, page)
        if page.photometric == _INVERTED:
            raise
        pages = series.pages[:] if _has_channels(series) else [page]
        planes = [_by_pillow(data, one.aspage(), error) for one in pages if one is not None]
        turned = planes[0] if len(planes) == 1 else np.stack(planes[:3], axis=-1)
        return _in_full_range(turned, depth)
    scaled = _in_full_range(values, depth)
    if page.photometric == _INVERTED and scaled.dtype.kind in "bu":
        scaled = np.invert(scaled)
    return upright(scaled, _orientation(page))


def _in_full_range(values: AnyArray, depth: int) -> AnyArray:
    """Unsigned integers of other than 8 and 16 bits, scaled to 0..65535."""
    if values.dtype.kind == "u" and depth < 16 and depth != 8:
        scaled: AnyArray = np.rint(values * (65535 / (2**depth - 1))).astype(np.uint16)
        return scaled
    return values


def _opened(data: bytes) -> TiffFile:
    from tifffile import TiffFile  # noqa: PLC0415 - slow to import, for TIFFs alone

    _check_directories(data)
    return TiffFile(io.BytesIO(data), _multifile=False)  # OME can name other files


def _check_directories(data: bytes) -> None:
    """Refuse a file whose list of pictures goes in circles, which tifffile follows for ever."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    # In files above 4 GB, places and numbers of entries take 8 bytes, and entries 20.
    count_size, entry_size, place_size, place = (
        (2, 12, 4, 4) if data[:4] in _CLASSIC else (8, 20, 8, 8)
    )
    seen: set[int] = set()
    while place_size <= len(data) - place:
        start = int.from_bytes(data[place : place + place_size], order)
        if not start:
            return
        seen.add(start)
        count = int.from_bytes(data[start : start + count_size], order)
        place = start + count_size + count * entry_size
        if int.from_bytes(data[place : place + place_size], order) in seen:
            raise ValueError("its list of pictures goes in circles")
        if len(seen) > _MOST_PICTURES:
            raise ValueError(f"it holds more than {_MOST_PICTURES} pictures")


def _first_series(file: TiffFile) -> TiffPageSeries:
    """The first picture or stack that is no reduced copy of another, nor a mask of transparency."""
    return next((series for series in file.series if _is_full(series)), file.series[0])


def _is_full(series: TiffPageSeries) -> bool:
    return not (series.keyframe.is_reduced or series.keyframe.is_mask)


def _has_channels(series: TiffPageSeries) -> bool:
    """Whether three planes of grey are the channels of one picture, as ImageJ and OME say it."""
    sizes = dict(zip(series.axes, series.shape, strict=True))
    return sizes.get("C") == 3 and sizes.get("S", 1) == 1


def _n_pictures(series: TiffPageSeries) -> int:
    """How many pictures are in a series; channels that are not three count as pictures."""
    sizes = zip(series.axes, series.shape, strict=True)
    n_planes = int(np.prod([size for axis, size in sizes if axis not in "YXS"], dtype=object))
    return n_planes // 3 if _has_channels(series) else n_planes


def _plane(values: AnyArray, axes: str) -> AnyArray:
    """The first picture of a stack, whose colours are its last axis."""
    if "S" not in axes and dict(zip(axes, values.shape, strict=True)).get("C") == 3:
        axes = axes.replace("C", "S")
    for axis in [axis for axis in axes if axis not in "YXS"]:
        values = np.moveaxis(values, axes.index(axis), 0)[0]
        axes = axes.replace(axis, "", 1)
    return _moved(values, axes)


def _without_unit_axes(values: AnyArray, axes: str) -> tuple[AnyArray, str]:
    """The array without axes of length 1, rows and columns apart."""
    unit = [k for k, size in enumerate(values.shape) if size == 1 and axes[k] not in "YX"]
    kept = "".join(axis for k, axis in enumerate(axes) if k not in unit)
    return values.squeeze(tuple(unit)), kept


def _moved(values: AnyArray, axes: str) -> AnyArray:
    """Colours as the last axis, where planes are stored one after the other."""
    return np.moveaxis(values, 0, -1) if axes.startswith("S") else values


def _check_size(shape: tuple[int, ...], dtype: np.dtype | None, most_bytes: int) -> None:
    """Raise ValueError at a picture that takes more than so many bytes for a pixel."""
    size = int(np.prod(shape, dtype=object))
    n_bytes = size * np.dtype(dtype).itemsize
    if size > _MOST_PLANES * most_pixels() or n_bytes > most_bytes * most_pixels():
        raise ValueError(f"shape {shape} is more than {most_pixels():,} pixels (--max-pixels)")


def _orientation(page: TiffPage) -> int:
    return int(page.tags.valueof("Orientation", 1))


def _name(compression: int) -> str:
    return getattr(compression, "name", str(compression))


def _by_pillow(data: bytes, page: TiffPage, error: Exception) -> AnyArray:
    """The stored values of a page, turned, that tifffile leaves to a package that is missing."""
    try:
        return _stored_by_pillow(data, page)
    except (OSError, SyntaxError, ValueError) as refused:
        if "imagecodecs" not in str(error):
            raise error from refused
        raise ValueError(
            f"{page.bitspersample} bits compressed as {_name(page.compression)} need the package "
            "imagecodecs (pip install 'wsstools[tiff]')"
        ) from error


def _stored_by_pillow(data: bytes, page: TiffPage) -> AnyArray:
    with opened(data) as picture:
        picture.seek(page.index)
        if page.bitspersample <= 8 or picture.mode not in ("RGB", "RGBA"):
            is_spread = page.bitspersample in (2, 4) and picture.mode == "L"  # over 0..255
            step = 255 // (2**page.bitspersample - 1) if is_spread else 1
            return np.asarray(picture) // step if is_spread else np.asarray(picture)
        stored = _stored_as(picture)[0]
        if len(picture.tile) != 1 or not stored.startswith(_WIDE):
            raise ValueError(f"colours are stored as {stored}")
    upper, lower = (_bytes_of(data, page.index, is_upper) for is_upper in (True, False))
    return upper.astype(np.uint16) << 8 | lower


def _bytes_of(data: bytes, index: int, is_upper: bool) -> NDArray[np.uint8]:
    """The upper or the lower bytes of colours of 16 bits; Pillow gives those that it calls upper.

    Its decoder gives values in the order of this machine.
    """
    with opened(data) as picture:
        picture.seek(index)
        stored, *more = _stored_as(picture)
        order = "B" if is_upper == _UPPER_FIRST else "L"
        args = (f"{stored.partition(';')[0]};16{order}", *more)
        picture.tile = [picture.tile[0]._replace(args=args)]
        return np.asarray(picture)


def _stored_as(picture: ImageFile.ImageFile) -> tuple[str, ...]:
    """How Pillow says that the colours are stored, and what else its decoder takes."""
    args = picture.tile[0].args
    return args if isinstance(args, tuple) else (str(args),)


def _converted(data: bytes, page: TiffPage) -> NDArray[np.uint8]:
    """The picture as Pillow makes RGB or RGBA of it: palettes, CMYK, compressions of its own."""
    if page.bitspersample > 8:
        raise ValueError(f"colours of {page.bitspersample} bits of this kind are not read")
    with opened(data) as picture:
        picture.seek(page.index)
        turned = picture if picture.mode in _RGB else picture.convert("RGB")
        return np.asarray(turned)  # Pillow has turned it
