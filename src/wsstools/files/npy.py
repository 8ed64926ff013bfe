"""Arrays in numpy's files, of which nothing is believed before it is checked."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from wsstools.core.arrays import AnyArray

MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 14
"""Bytes; numpy itself refuses headers above 10,000."""
_BEFORE_TEXT = 12
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

    @property
    def n_values(self) -> int:
        """How many values it says there are."""
        return int(np.prod(self.shape, dtype=object))


def read_header(file: BinaryIO) -> Header:
    """The header of a `.npy`, behind which the file then stands; ValueError if it is not read."""
    start = file.tell()
    text = file.read(_LONGEST_HEADER)[_BEFORE_TEXT:].partition(b"\n")[0]
    if b"\\" in text:  # Python would warn of it, on standard error
        raise ValueError("no header of a .npy")
    file.seek(start)
    try:
        read = _HEADERS[np.lib.format.read_magic(file)]
        shape, _, dtype = read(file)
    except KeyError as error:
        raise ValueError(f"unknown .npy version {error}") from None
    except Exception as error:  # numpy parses a header with whatever Python's parser raises
        raise ValueError(f"no header of a .npy: {' '.join(str(error).split())}") from error
    return Header(shape, dtype)


def read_array(data: bytes) -> AnyArray:
    """The array in a `.npy`; ValueError if damaged, a pickle, or more claimed than there is."""
    file = io.BytesIO(data)
    header = read_header(file)
    if header.dtype.hasobject:
        raise ValueError("it holds a pickle, which is not loaded")
    claimed = header.n_values * header.dtype.itemsize
    if claimed > len(data):
        raise ValueError(f"its header claims {claimed} bytes, the file holds {len(data)}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


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
    header = member_header(archive, key)
    claimed = header.n_values * header.dtype.itemsize
    if most_bytes is not None and claimed > most_bytes:
        raise ValueError(f"its {key} claims {claimed} bytes, expected at most {most_bytes}")
    with archive.open(f"{key}.npy") as file:
        values = read_array(file.read(_LONGEST_HEADER + claimed))
        if file.read(1):  # the checksum is compared at the end
            raise ValueError(f"its {key} holds more than it claims")
    return values


def check_sums(data: bytes) -> None:
    """Raise ValueError, or what zipfile and zlib do, where a `.npz` is damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        count_at = data.rfind(_END_OF_ZIP) + 10
        count = int.from_bytes(data[count_at : count_at + 2], "little")
        if count not in (len(archive.infolist()), _MANY):  # a wrong length can hide some
            raise ValueError("it is damaged: files in it are missing")
        if archive.testzip() is not None:
            raise ValueError("it is damaged: a checksum is wrong")
