"""Volumes: NIfTI, stacks of pictures in a TIFF, and the maps of volumes that nnU-Net writes.

An array is (Z, Y, X): the axes of a voxel in NIfTI from the last to the first, as nnU-Net and
SimpleITK have them. No voxel is moved: what is up in a slice follows from the file, not from the
patient.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from wsstools.core.arrays import AnyArray
from wsstools.errors import DataError, UsageError
from wsstools.files import npy, tiff
from wsstools.files.damage import reading
from wsstools.files.limits import LARGEST_RECORD, check_map, check_volume, open_file
from wsstools.files.pillow import first_of
from wsstools.files.provenance import Decoded, Meta, parse_record, record_text
from wsstools.formats import image_files, map_files

if TYPE_CHECKING:
    from nibabel.arrayproxy import ArrayProxy
    from nibabel.nifti1 import Nifti1Header, Nifti1Image

SUFFIX = ".nii.gz"
SUFFIXES = (".nii", ".nii.gz")
STACK_SUFFIXES = (".tif", ".tiff")
_GZIP = b"\x1f\x8b"
_RECORD_CODE = 6
"""NIfTI's code of an extension that is a comment in plain text."""
_RECORD_MARK = "wsstools "
"""How the comment begins that is a record of ours."""
_HEADER_SIZES = (348, 540)
_MAP_KEYS = ("probabilities", "softmax", "probs", "arr_0")
_LEVEL = 6
_PART = 1 << 20
"""Bytes that are unpacked at once to compare a checksum."""


@dataclass(frozen=True)
class Volume:
    """A volume and where it is.

    Attributes
    ----------
    values : (Z, Y, X) or (Z, Y, X, C) of any real type
        The stored values, scaled as the file says.
    affine : (4, 4) float64 or None
        Of NIfTI: from the indices of a voxel (x, y, z) to its place in space.
    is_picture : bool
        A file of one plane, of a format for pictures.
    """

    values: AnyArray
    affine: NDArray[np.float64] | None = None
    is_picture: bool = False

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """The lengths of a voxel along x, y and z, in the unit of the affine; 1 without one."""
        affine = np.eye(4) if self.affine is None else self.affine
        return tuple(float(size) for size in np.linalg.norm(affine[:3, :3], axis=0))


def is_nifti(path: Path) -> bool:
    """Whether a file is NIfTI by its name."""
    return path.name.lower().endswith(SUFFIXES)


def holds_maps(path: Path) -> bool:
    """Whether a file holds probabilities with four axes, those of a volume."""
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            keys = npy.member_keys(archive)
            shapes = [npy.member_header(archive, key).shape for key in _MAP_KEYS if key in keys]
    except Exception:  # no archive, or a damaged one
        return False
    return bool(shapes) and len(shapes[0]) == 4 and min(shapes[0][:2]) > 1


def check_nibabel() -> None:
    """Raise UsageError if the package that reads NIfTI is missing."""
    _nibabel()


def decode_volume(data: bytes, name: str) -> Decoded[Volume]:
    """The volume in a file: NIfTI, a TIFF, or any picture as a volume of one plane.

    DataError if it is none, too large or damaged.
    """
    if _looks_like_picture(data):
        with reading(name, "not a readable image: "):
            values = image_files.read_stack(data)
        if values.dtype.kind not in "iubf":
            raise DataError(f"{name}: its values are {values.dtype}, expected real numbers")
        return Decoded(Volume(values, is_picture=len(values) == 1))
    with reading(name, "not a readable volume: "):
        image = _opened(data)
        return Decoded(
            Volume(_values(image), np.asarray(image.affine, np.float64)), _record(image.header)
        )


def decode_labels(data: bytes, name: str) -> Decoded[Volume]:
    """A volume of whole numbers: NIfTI, or a TIFF whose values count as they are stored."""
    if not data.startswith(tiff.MAGIC):
        return decode_volume(data, name)
    with reading(name, "not a readable label stack: "):
        if tiff.has_colours(data):
            raise DataError(f"{name}: holds colours, expected class ids")
        values, n_pictures = tiff.read_values(data)
    if values.ndim not in (2, 3):
        raise DataError(f"{name}: holds an array of shape {values.shape}, expected (Z, Y, X)")
    is_picture = values.ndim == 2
    volume = Volume(values[None] if is_picture else values, is_picture=is_picture)
    return Decoded(volume, note=first_of(n_pictures))


def decode_maps(data: bytes, name: str) -> Decoded[Volume]:
    """Probabilities of the classes of a volume, (C, Z, Y, X), as nnU-Net saves them.

    DataError if there is no such array in a `.npz` or `.npy`.
    """
    with reading(name, "not a map of a volume: "):
        if data.startswith(npy.MAGIC):
            _check_maps(npy.read_header(io.BytesIO(data)), "the array")
            return Decoded(Volume(npy.read_array(data)))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            keys = npy.member_keys(archive)
            key = next((key for key in _MAP_KEYS if key in keys), None)
            if key is None:
                raise ValueError(
                    f"it holds {', '.join(keys) or 'nothing'}; expected one of "
                    + ", ".join(_MAP_KEYS)
                )
            _check_maps(npy.member_header(archive, key), f"its array {key!r}")
            meta = map_files.read_record(archive) if "meta" in keys else None
            return Decoded(Volume(npy.read_member(archive, key)), meta)


def shape_of(data: bytes, name: str) -> tuple[int, int, int, int]:
    """(Z, Y, X, C) of a NIfTI file, whose values are not read."""
    with reading(name, "not a readable volume: "):
        return _shape(_opened(data, is_whole=False))


def affine_of(data: bytes, name: str) -> NDArray[np.float64]:
    """The affine of a NIfTI file, whose values are not read."""
    with reading(name, "not a readable volume: "):
        return np.asarray(_opened(data, is_whole=False).affine, np.float64)


def encode_labels_like(labels: NDArray[np.uint8], like: bytes, name: str, meta: Meta) -> bytes:
    """The bytes of a `.nii.gz` of labels, (Z, Y, X), with the affine and the header of another.

    Of the header the type, the scale and the range of display change; extensions are those of
    `meta` alone. `name` is that of the other file.
    """
    with reading(name, "not a readable volume: "):
        image = _opened(like, is_whole=False)
    nibabel = _nibabel()
    header = image.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(labels.shape[::-1])
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["cal_min"], header["cal_max"] = 0, 0
    text = (_RECORD_MARK + record_text(meta)).encode()
    record = nibabel.nifti1.Nifti1Extension(_RECORD_CODE, text)
    header.extensions = nibabel.nifti1.Nifti1Extensions([record])
    header["vox_offset"] = 0  # as the extensions need
    made = type(image)(labels.transpose(), None, header)
    return gzip.compress(made.to_bytes(), _LEVEL, mtime=0)


def encode_compressed(data: bytes) -> bytes:
    """The bytes of a `.nii` or `.nii.gz` file as those of a `.nii.gz`."""
    return data if data.startswith(_GZIP) else gzip.compress(data, _LEVEL, mtime=0)


def encode_maps(probs: NDArray[np.float16], meta: Meta) -> bytes:
    """The bytes of a `.npz` of probabilities, (C, Z, Y, X), as nnU-Net saves and reads them."""
    members = {"probabilities": probs, "meta": np.array(record_text(meta))}
    return map_files.encode_arrays(members)


def read_meta(path: Path) -> Meta | None:
    """The record in a NIfTI file, or None if the file carries none that can be read."""
    try:
        with open_file(path) as file:
            start = file.read(2)
            file.seek(0)
            if start == _GZIP:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    head = _head(cast(BinaryIO, unpacked))
            else:
                head = _head(file)
        nibabel = _nibabel()
        is_old = _header_size(head) == _HEADER_SIZES[0]
        kind = nibabel.Nifti1Image if is_old else nibabel.Nifti2Image
        return _record(kind.from_bytes(head).header)
    except Exception:  # damaged bytes raise whatever gzip and nibabel stumble over
        return None


def check_sums(data: bytes) -> None:
    """Raise an error where a `.nii.gz` is damaged; a `.nii` has no checksum."""
    if data.startswith(_GZIP):
        with io.BytesIO(data) as file, gzip.GzipFile(fileobj=file) as unpacked:
            while unpacked.read(_PART):
                pass


def _looks_like_picture(data: bytes) -> bool:
    return not data.startswith(_GZIP) and _header_size(data) not in _HEADER_SIZES


def _header_size(data: bytes) -> int:
    sizes = [struct.unpack(f"{order}i", data[:4])[0] for order in "<>" if len(data) >= 4]
    return next((size for size in sizes if size in _HEADER_SIZES), 0)


def _nibabel() -> ModuleType:
    try:
        import nibabel  # noqa: PLC0415 - an extra, which volumes alone need
    except ImportError as error:
        raise UsageError(
            "NIfTI is read by nibabel, which is missing: pip install 'wsstools[volumes]'"
        ) from error
    return nibabel


def _opened(data: bytes, *, is_whole: bool = True) -> Nifti1Image:
    """The image in a NIfTI file; of a compressed one no more is unpacked than its header claims."""
    nibabel = _nibabel()
    with io.BytesIO(data) as file, gzip.GzipFile(fileobj=file) as unpacked:
        source = cast(BinaryIO, unpacked if data.startswith(_GZIP) else file)
        raw = _head(source)
        kind = nibabel.Nifti1Image if _header_size(raw) == _HEADER_SIZES[0] else nibabel.Nifti2Image
        image = cast("Nifti1Image", kind.from_bytes(raw))
        shape = tuple(int(size) for size in image.shape)
        if len(shape) < 2 or min(shape) < 1:
            raise ValueError(f"its shape is {shape}, expected (X, Y, Z)")
        dtype = image.header.get_data_dtype()
        if dtype.kind not in "iuf":
            raise ValueError(f"its values are {dtype}, expected real numbers")
        n_values = int(np.prod(shape, dtype=object))
        check_volume(n_values)
        if not is_whole:
            return image
        size = n_values * dtype.itemsize
        body = source.read(size)
        if len(body) < size:
            raise ValueError(f"its header claims {size} bytes of values, it holds {len(body)}")
        source.read(1)  # at the end of what is compressed its sum is checked
    return cast("Nifti1Image", kind.from_bytes(raw + body))


def _head(file: BinaryIO) -> bytes:
    """The bytes of a NIfTI file before its values."""
    start = file.read(_HEADER_SIZES[1])
    size = _header_size(start)
    if not size:
        raise ValueError("no NIfTI" if start else "the file is empty")
    order = "<" if struct.unpack("<i", start[:4])[0] == size else ">"
    is_old = size == _HEADER_SIZES[0]
    magic = start[344:348] if is_old else start[4:8]
    if magic[:3] not in (b"n+1", b"n+2"):
        raise ValueError("a header whose values are in another file (.hdr and .img) is not read")
    offset = int(
        struct.unpack_from(f"{order}f", start, 108)[0]
        if is_old
        else struct.unpack_from(f"{order}q", start, 168)[0]
    )
    if not size <= offset <= LARGEST_RECORD:
        raise ValueError(f"its header claims that the values begin at byte {offset}")
    more = offset - len(start)
    head = start + file.read(more) if more > 0 else start
    if more < 0:
        file.seek(offset)
    if len(head) < offset:
        raise ValueError("its header is cut off")
    return head[:offset]


def _shape(image: Nifti1Image) -> tuple[int, int, int, int]:
    """(Z, Y, X, C); axes of length 1 after the third do not count."""
    shape = [int(size) for size in image.shape]
    plane = (*shape[:2], *shape[2:3], *([1] if len(shape) < 3 else []))
    more = [size for size in shape[3:] if size > 1]
    if len(more) > 1:
        raise ValueError(f"its shape is {tuple(shape)}, expected (X, Y, Z) or (X, Y, Z, C)")
    return (plane[2], plane[1], plane[0], more[0] if more else 1)


def _values(image: Nifti1Image) -> AnyArray:
    stored = cast("ArrayProxy", image.dataobj)
    depth, height, width, n_channels = _shape(image)
    if (stored.slope, stored.inter) == (1, 0):
        values = np.asarray(stored.get_unscaled())
    else:
        with np.errstate(over="ignore"):
            values = np.asarray(image.get_fdata("unchanged", np.float32))
    ordered: AnyArray = values.reshape((width, height, depth, n_channels), order="F").transpose(
        2, 1, 0, 3
    )
    return ordered if n_channels > 1 else ordered[..., 0]


def _record(header: Nifti1Header) -> Meta | None:
    for extension in header.extensions:
        if extension.get_code() == _RECORD_CODE:
            content = extension.get_content()
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
            if str(text).startswith(_RECORD_MARK):
                return parse_record(str(text)[len(_RECORD_MARK) :].rstrip("\0"))
    return None


def _check_maps(header: npy.Header, what: str) -> None:
    if len(header.shape) != 4 or header.dtype.kind != "f":
        raise ValueError(f"{what} is {header.dtype} {header.shape}, expected floats (C, Z, Y, X)")
    check_map(header.n_values)
