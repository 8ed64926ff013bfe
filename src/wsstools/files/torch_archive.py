"""Files of torch, read without running code or being kept busy."""

from __future__ import annotations

import io
import pickletools
import warnings
import zipfile

_ZIP_MAGIC, _PICKLE_MAGIC = b"PK", b"\x80"
_IS_FOLDER = 0x10
_PICKLES = 5
"""A file of the time before torch 1.6 begins with these, one after the other."""
_TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_NEVER = ("POP", "POP_MARK", "DUP", "MEMOIZE")


def read_torch(data: bytes) -> object:
    """What ``torch.load`` reads without running anything; not more than the bytes hold.

    ValueError if they are no file of torch's, or could keep it busy for ever; if they are damaged,
    whatever torch stumbles over.
    """
    import torch  # noqa: PLC0415 - it takes seconds, and other forms of weights do without

    _check_bytes(data)
    with warnings.catch_warnings():  # of what else is odd about bytes that are then refused
        warnings.simplefilter("ignore")
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _check_bytes(data: bytes) -> None:
    """Refuse what a few bytes could keep torch busy with for ever, even where it runs no code.

    Torch writes no compressed archives, whose content can be any number of bytes, and refers to no
    tuple twice: to look up a tuple that holds another twice, which does the same, and so on, takes
    longer than anybody waits.
    """
    if data.startswith(_ZIP_MAGIC):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is compressed")
            if any(entry.external_attr & _IS_FOLDER for entry in archive.infolist()):
                raise ValueError("a tensor is marked as a folder, which torch leaves unread")
            if archive.testzip() is not None:  # torch skips the sums
                raise ValueError("a CRC is wrong")
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    _check_pickle(io.BytesIO(archive.read(name)))
    elif data.startswith(_PICKLE_MAGIC):
        file = io.BytesIO(data)
        for _ in range(_PICKLES):
            _check_pickle(file)
    else:
        raise ValueError("no file of torch's")


def _check_pickle(file: io.BytesIO) -> None:
    tuples: set[int] = set()
    previous = ""
    for operation, argument, _ in pickletools.genops(file):
        name = operation.name
        if name in _PUTS and previous in _TUPLES:
            tuples.add(int(argument or 0))
        if name in _NEVER or (name in _GETS and int(argument or 0) in tuples):
            raise ValueError("it refers to a tuple twice")
        previous = name
