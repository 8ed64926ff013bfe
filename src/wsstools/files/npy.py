"""Arrays in numpy's files, of which nothing is believed before it is checked."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from wsstools.core.arrays import AnyArray

MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 14
"""Bytes; numpy itself refuses headers above 10,000."""
_BEFORE_TEXT = 12
_READ_AT_ONCE, _WRITTEN_AT_ONCE = 1 << 24, 1 << 28
"""Bytes of an array; what comes out of compression may depend on the latter."""
_END_OF_ZIP = b"PK\5\6"
_MANY = 0xFFFF
"""What the end of a zip says where 16 bits do not hold the number of its files."""
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Header:
    """What a `.npy` says of its array."""

    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool = False  # the first axis is the fastest

    @property
    def n_values(self) -> int:
        """How many values it says there are."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def n_bytes(self) -> int:
        """How many bytes these take."""
        return self.n_values * self.dtype.itemsize


def read_header(file: BinaryIO) -> Header:
    """The header of a `.npy`, which leaves the file behind it; ValueError if it is not read."""
    start = file.tell()
    text = file.read(_LONGEST_HEADER)[_BEFORE_TEXT:].partition(b"\n")[0]
    if b"\\" in text:  # Python would warn of it, on standard error
        raise ValueError("no header of a .npy")
    file.seek(start)
    try:
        read = _HEADERS[np.lib.format.read_magic(file)]
        shape, is_fortran, dtype = read(file)
    except KeyError as error:
        raise ValueError(f"unknown .npy version {error}") from None
    except Exception as error:  # numpy parses a header with whatever Python's parser raises
        raise ValueError(f"no header of a .npy: {' '.join(str(error).split())}") from error
    return Header(shape, dtype, is_fortran)


def read_array(data: bytes) -> AnyArray:
    """The array in a `.npy`; ValueError if damaged, a pickle, or more claimed than there is."""
    file = io.BytesIO(data)
    header = read_header(file)
    if header.n_bytes > len(data):
        raise ValueError(_too_much(header.n_bytes, len(data)))
    return _read_values(file, header)


def member_keys(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays in a `.npz`, in its order."""
    return [name[:-4] for name in archive.namelist() if name.endswith(".npy")]


def member_header(archive: zipfile.ZipFile, key: str) -> Header:
    """What an array of a `.npz` claims to be; hardly more than that is unpacked."""
    with archive.open(f"{key}.npy") as file:
        return read_header(io.BytesIO(file.read(_LONGEST_HEADER)))


def read_member(archive: zipfile.ZipFile, key: str, *, most_bytes: int | None = None) -> AnyArray:
    """An array of a `.npz`, of which no more is unpacked than it claims to be.

    ValueError as of `read_array`, or if it claims more than `most_bytes`.
    """
    start = io.BytesIO()
    with archive.open(f"{key}.npy") as file:
        start.write(file.read(_LONGEST_HEADER))
        start.seek(0)
        header = read_header(start)
        held = archive.getinfo(f"{key}.npy").file_size
        if header.n_bytes > held:
            raise ValueError(_too_much(header.n_bytes, held))
        if most_bytes is not None and header.n_bytes > most_bytes:
            raise ValueError(
                f"its {key} claims {header.n_bytes} bytes, expected at most {most_bytes}"
            )
        values = _read_values(_Joined(start, cast(io.BufferedIOBase, file)), header)
        if start.read(1) or file.read(1):  # the checksum is compared at the end
            raise ValueError(f"its {key} holds more than it claims")
    return values


def write_member(archive: zipfile.ZipFile, key: str, values: AnyArray) -> None:
    """Write an array to a `.npz`, the same bytes each time; it is not copied as a whole."""
    head = io.BytesIO()
    values = np.asarray(values, order="C")
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(values))
    entry = zipfile.ZipInfo(f"{key}.npy")  # its date is fixed
    entry.external_attr = 0o644 << 16
    entry.compress_type = archive.compression
    entry.file_size = head.tell() + values.nbytes
    with archive.open(entry, "w") as file:
        file.write(head.getvalue())
        data = values.reshape(-1).view(np.uint8).data
        for start in range(0, len(data), _WRITTEN_AT_ONCE):
            file.write(data[start : start + _WRITTEN_AT_ONCE])


def check_sums(data: bytes) -> None:
    """Raise ValueError, or what zipfile and zlib do, where a `.npz` is damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        count_at = data.rfind(_END_OF_ZIP) + 10
        count = int.from_bytes(data[count_at : count_at + 2], "little")
        if count not in (len(archive.infolist()), _MANY):  # a wrong length can hide some
            raise ValueError("it is damaged: files in it are missing")
        if archive.testzip() is not None:
            raise ValueError("it is damaged: a checksum is wrong")


def _too_much(claimed: int, held: int) -> str:
    return f"its header claims {claimed} bytes, the file holds {held}"


class _Joined:
    """The rest of one file, then another."""

    def __init__(self, first: io.BytesIO, second: io.BufferedIOBase) -> None:
        self._first, self._second = first, second

    def readinto(self, place: memoryview) -> int:
        """Fill a part of `place`; how many bytes, 0 at the end."""
        return self._first.readinto(place) or self._second.readinto(place)


def _read_values(file: io.BytesIO | _Joined, header: Header) -> AnyArray:
    """The values of a file after a header, read to where they stay."""
    if header.dtype.hasobject:
        raise ValueError("it holds a pickle, which is not loaded")
    values = np.empty(header.n_values, header.dtype)
    place = values.view(np.uint8).data if values.nbytes else memoryview(b"")
    filled = 0
    while filled < len(place):
        n_bytes = file.readinto(place[filled : filled + _READ_AT_ONCE])
        if not n_bytes:
            raise ValueError(_too_much(header.n_bytes, filled))
        filled += n_bytes
    return values.reshape(header.shape, order="F" if header.is_fortran else "C")
