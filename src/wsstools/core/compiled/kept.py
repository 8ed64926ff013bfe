"""Where compiled functions are kept, so that the next process need not compile them.

numba's own cache is not used: it trusts its files, whatever they hold. Here the name of a folder
follows from all that the code is compiled from, and a file begins with the digest of what follows.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pickle
import secrets
import sys
import time
import warnings
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from llvmlite.binding import address_of_symbol
from numba.core.compiler import CompileResult
from numba.core.environment import Environment, _rebuild_env, lookup_environment
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from wsstools.core.compiled.private import make_private, private_folder
from wsstools.core.compiled.processor import processor
from wsstools.core.system import has_locked
from wsstools.errors import NotKeptWarning

R = TypeVar("R")
_DIGEST = 32  # bytes
_LOCK = ".lock"
_PAUSE, _PATIENCE = 0.05, 60.0
"""How often, and how many seconds at most, another process that compiles is waited for."""
_NUMBERS = (int, float, np.generic)
_OF_LLVM = "llvm."
"""How names of functions begin that are instructions."""


class _CodeGenerator(Protocol):
    def magic_tuple(self) -> object: ...


class _Target(Protocol):
    def refresh(self) -> None: ...
    def codegen(self) -> _CodeGenerator: ...


class _Library(Protocol):
    has_dynamic_globals: bool
    codegen: _CodeGenerator
    _final_module: llvmlite.binding.ModuleRef


class _Compiled(Protocol):
    library: _Library

    def _reduce(self) -> tuple[object, ...]: ...


class KeptCode:
    """Compiled code of one function, in the form of numba's caches; a dispatcher asks it.

    Nothing that is wrong with a file or a folder is an error: what cannot be read is compiled anew
    and replaced. Where the user's folder takes no file, what is compiled goes to a folder that only
    this run and its workers use, and a NotKeptWarning says so once a run; where that takes none
    either, it stays in memory.
    """

    def __init__(self, function: Callable[..., object], *flags: object) -> None:
        self._function, self._flags = function, flags
        self._turn: BinaryIO | None = None  # to compile it
        self._variables = _numbers(function)
        is_known = self._variables is not None  # what its code follows from
        self._source = _content(function.__code__.co_filename) if is_known else None

    @property
    def cache_path(self) -> str | None:
        """The folder; None where nothing is kept."""
        base = _users_folder()
        return None if base is None or self._source is None else str(base / self._folder)

    def load_overload(self, signature: object, target_context: _Target) -> object:
        """The compiled function for these types, None if it must be compiled.

        Where another process compiles it now, it is waited for.
        """
        self._end_turn()
        if self._source is None:
            return None
        name = self._name(signature, target_context.codegen())
        rtsys.initialize(target_context)
        found = self._found(name, target_context)
        if found is None:
            self._turn = self._in_folder(lambda folder: _locked(folder / f"{name}{_LOCK}"))
            found = self._found(name, target_context)
            if found is not None:
                self._end_turn()
        return found

    def save_overload(self, signature: object, compiled: _Compiled) -> None:
        """Keep a compiled function."""
        if self._source is not None and not compiled.library.has_dynamic_globals:
            content = dumps((_called(compiled.library), compiled._reduce()))
            content = blake2b(content, digest_size=_DIGEST).digest() + content
            name = self._name(signature, compiled.library.codegen)
            self._in_folder(lambda folder: _write(folder / name, content))
        self._end_turn()

    def _found(self, name: str, target_context: _Target) -> object:
        """The compiled function in the file of that name; None if there is none that is whole."""
        for base in (_users_folder(), private_folder()):
            if base is None:
                continue
            try:
                found = (base / self._folder / name).read_bytes()
                if blake2b(found[_DIGEST:], digest_size=_DIGEST).digest() == found[:_DIGEST]:
                    symbols, parts = _Unpickler(io.BytesIO(found[_DIGEST:])).load()
                    if not all(map(address_of_symbol, symbols)):
                        target_context.refresh()  # imports all that compiled code may call: 0.4 s
                    return CompileResult._rebuild(target_context, *parts)
            except Exception:  # whatever it is, the function can be compiled
                continue
        return None

    def _in_folder(self, act: Callable[[Path], R]) -> R | None:
        """What `act` gives in the function's folder, the user's or the run's; None in neither."""
        base, reason = _users_folder(), "there is no home folder"
        if base is not None:
            try:
                return act(base / self._folder)
            except OSError as error:
                reason = error.strerror or str(error)
        private = private_folder()
        try:
            if make_private(private):
                _warn(base, reason)
            return act(private / self._folder)
        except OSError:
            return None  # it stays in memory

    def _end_turn(self) -> None:
        """Let the next process compile, or load what this one has compiled."""
        if self._turn is not None:
            with self._turn, contextlib.suppress(OSError):
                os.unlink(self._turn.name)
        self._turn = None

    def flush(self) -> None:
        """Nothing: a file that is written replaces another one."""

    @functools.cached_property
    def _folder(self) -> str:
        """The folder's name: it follows from all that the function is compiled from."""
        module = self._function.__globals__
        numbers = sorted(  # those of other modules are compiled in too
            (name, type(value).__name__, repr(value))
            for name, value in module.items()
            if isinstance(value, _NUMBERS) and not name.startswith("__")
        )
        versions = sys.version, numba.__version__, llvmlite.__version__
        parts = (self._source, _content_of_this_folder(), numbers, self._flags, versions)
        digest = blake2b(repr(parts).encode(), digest_size=8).hexdigest()
        return f"{self._function.__module__.rpartition('.')[2]}-{digest}"

    def _name(self, signature: object, codegen: _CodeGenerator) -> str:
        """The file's name: it follows from the code, the types and the processor."""
        code = self._function.__code__
        constants = [one for one in code.co_consts if not hasattr(one, "co_code")]
        machine = codegen.magic_tuple()
        parts = (
            code.co_code, code.co_names, constants, self._variables, str(signature), machine
        )  # fmt: skip
        digest = blake2b(repr(parts).encode(), digest_size=16).hexdigest()
        return f"{self._function.__name__}-{digest}.code"


class _Unpickler(pickle.Unpickler):
    """Reads compiled code without importing the modules of numba's functions that are part of it.

    These take up to 0.3 s, SciPy's linear algebra among them. Only code on Python's objects, which
    ours is not, looks at the variables of a module.
    """

    def find_class(self, module: str, name: str) -> object:
        is_environment = (module, name) == (_rebuild_env.__module__, _rebuild_env.__name__)
        return _environment if is_environment else super().find_class(module, name)


def _environment(module: str, constants: list[object], name: str) -> Environment:
    """The constants of a function of a module, as numba makes it."""
    if module in sys.modules or lookup_environment(name) is not None:
        return _rebuild_env(module, constants, name)
    made = Environment({"__name__": module})
    made.consts[:] = constants
    made.env_name = name
    Environment._memo[name] = made
    return made


def _users_folder() -> Path | None:
    """The folder that the user has chosen or the usual one; None if there is no home."""
    chosen = vars(numba.config)["CACHE_DIR"]
    if chosen:
        return Path(chosen)
    try:
        caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    except RuntimeError:
        return None
    # By processor: machines of several kinds can share a home and write at once.
    return Path(caches, "wsstools", "numba", processor())


def _numbers(function: Callable[..., object]) -> list[tuple[str, str]] | None:
    """The variables of the call that made a function; None if one is no number."""
    cells = function.__closure__ or ()
    try:
        values = [cell.cell_contents for cell in cells]
    except ValueError:  # its own name, which it has not got yet
        return None
    if not all(isinstance(value, _NUMBERS) for value in values):
        return None
    return [(type(value).__name__, repr(value)) for value in values]


def _called(library: _Library) -> list[str]:
    """Names of the functions and variables outside of the code that it refers to."""
    module = library._final_module
    values = [*module.functions, *module.global_variables]
    return [one.name for one in values if one.is_declaration and not one.name.startswith(_OF_LLVM)]


def _locked(file: Path) -> BinaryIO:
    """A file that no other process has locked, until it is closed; OSError if it is not made.

    A file system may have no locks, and a compiler may hang: then several compile the same.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = open(file, "ab")  # noqa: SIM115
    end = time.monotonic() + _PATIENCE
    while has_locked(lock, is_exclusive=True) is False and time.monotonic() < end:
        time.sleep(_PAUSE)
    return lock


def _write(file: Path, content: bytes) -> None:
    """Write a file as a whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{secrets.token_hex(8)}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _content(file: str) -> str | None:
    """Digest of a source file, read when its functions are defined; None if it is none."""
    try:
        return blake2b(Path(file).read_bytes()).hexdigest()
    except OSError:
        return None


@functools.cache
def _content_of_this_folder() -> tuple[str | None, ...]:
    """Digests of the modules that compiled code is made by, and of pieces that it is made of."""
    return tuple(_content(str(file)) for file in sorted(Path(__file__).parent.glob("*.py")))


_content_of_this_folder()  # now: the files may be edited while the process runs


def _warn(folder: Path | None, reason: str) -> None:
    """Say that nothing can be kept, and what to do."""
    where = f"{folder}: {reason}" if folder is not None else reason
    hint = "NUMBA_CACHE_DIR names another folder"
    if folder is not None:
        hint = f"make it writable or delete it, or {hint}"
    text = f"compiled code cannot be kept: {where}; each run compiles anew ({hint})"
    warnings.warn(text, NotKeptWarning, stacklevel=2)
