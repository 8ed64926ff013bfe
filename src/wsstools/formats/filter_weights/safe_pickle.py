"""Arrays in pickles, read without running anything that a pickle asks for."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

_NUMBERS = re.compile(r"[fiu][1248]|b1")
_DEPTH = 8
"""Levels of dictionaries and lists that are looked into."""
_SETS = (pickle.EMPTY_SET[0], pickle.ADDITEMS[0], pickle.FROZENSET[0])


def pickled_arrays(file: BinaryIO) -> dict[str, NDArray]:
    """The arrays of numbers in a pickle of dictionaries, lists and tuples.

    Pickles of Python 2 are read too. No class or function that a pickle names is ever imported:
    the few that numpy's arrays are made of are replaced by ones that only gather bytes.

    Parameters
    ----------
    file : binary file
        At the beginning of the pickle.

    Returns
    -------
    dict of str to array
        By the keys that lead to each array, joined by slashes; items of lists are counted.

    Raises
    ------
    ValueError
        The pickle is damaged, or asks for anything but arrays.
    """
    try:
        content = _Unpickler(file, encoding="latin1").load()
        return dict(_walk(content, "", _DEPTH, set()))
    except _Refused:
        raise
    except Exception as error:  # damaged bytes raise whatever the unpickler stumbles over
        raise ValueError(f"the pickle is damaged: {error}") from error


class _Refused(ValueError):
    pass


class _Type:
    """Stands in for numpy.dtype."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def numpy(self) -> np.dtype:
        if not _NUMBERS.fullmatch(self.code) or self.order not in ("<", ">", "=", "|"):
            raise _Refused(f"the pickle holds an array of {self.code!r}, expected numbers")
        return np.dtype(self.order + self.code)


class _Array:
    """Stands in for numpy.ndarray: keeps the state that numpy would build the array from."""

    def __init__(self, *_: Any) -> None:
        self._state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self._state = state

    def content(self) -> Any:
        """The array, or the list of objects that it holds."""
        shape, kind, is_fortran, data = self._state[-4:]
        if kind.code.startswith("O"):
            return list(data)
        raw = data.encode("latin1") if isinstance(data, str) else data
        return np.frombuffer(raw, kind.numpy()).reshape(shape, order="F" if is_fortran else "C")


class _Bytes:
    """Stands in for _codecs.encode, by which Python 3 writes bytes for Python 2."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding != "latin1":
            raise _Refused(f"the pickle asks for the encoding {encoding!r}")
        return text.encode("latin1")

    def __setstate__(self, state: Any) -> None:
        raise _Refused("the pickle gives bytes a state")


_KNOWN: dict[tuple[str, str], Callable] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _Bytes,
}


class _Unpickler(pickle._Unpickler):
    """Python's unpickler in Python: that in C lets one wrong byte ask for all memory there is.

    Sets are not read, nor dictionaries with other keys than texts and numbers: to look up a tuple
    that holds another twice, which does the same, and so on, takes longer than anybody waits.
    """

    stack: list
    append: Callable[[Any], None]
    pop_mark: Callable[[], list]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        code: load for code, load in pickle._Unpickler.dispatch.items() if code not in _SETS
    }

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(dict(_hashable(items)))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1].update(_hashable([key, value]))

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self.stack[-1].update(_hashable(items))

    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise _Refused(
                f"the pickle asks for {module}.{name}; only arrays, dictionaries and lists are read"
            ) from None


def _hashable(items: list) -> Iterator[tuple[Any, Any]]:
    """Pairs of key and value from a list of them in turn."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, (str, bytes, int, float)):
            raise _Refused(f"the pickle holds a dictionary with a {type(key).__name__} as key")
        yield key, value


def _walk(value: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, NDArray]]:
    """The arrays in a value; each list and dictionary is entered once."""
    if isinstance(value, _Array):
        content = value.content()
        if isinstance(content, np.ndarray):
            yield path, content
            return
        # numpy writes a dictionary as an array of no dimension that holds one object
        value = content[0] if len(content) == 1 else content
    if depth == 0 or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))
    else:
        return
    for key, entry in items:
        name = key.decode("latin1") if isinstance(key, bytes) else str(key)
        yield from _walk(entry, f"{path}/{name}" if path else name, depth - 1, seen)
