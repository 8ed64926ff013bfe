"""A dask cluster as workers: reached, looked at before use, and plain words when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import logging
import os
import pickle
import pkgutil
import platform
import socket
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import cloudpickle
from distributed import Client, Future, KilledWorker, LocalCluster, wait
from distributed.comm.core import CommClosedError, connect
from distributed.core import PooledRPCCall
from distributed.security import Security

from wsstools import __version__
from wsstools.core.compiled.private import private_folder, share_private_folder
from wsstools.core.compiled.processor import processor
from wsstools.errors import UsageError, WssError
from wsstools.running.quiet import quiet_libraries

_CONNECT_SECONDS = 15
_WORKERS_SECONDS = 120
"""How long to wait for the first worker: one that a queue starts takes its time."""
_LOOK_SECONDS = 5
_ANSWER_SECONDS = 10
"""How long a scheduler may take to say which workers it has."""
_GOODBYE_SECONDS = 1
"""How long a run that is interrupted waits for the scheduler."""
_SIGHT_SECONDS = 5
"""How long a new file may take to be seen on another machine of a network file system."""
_TOLD = 3
"""Most workers that an error names."""
_DECIDING = ("numpy", "scipy", "numba", "scikit-learn", "torch", "pillow", "pydensecrf2")
"""Packages whose version may show in the last bits of a result."""
_MISSING_WORKER = "start workers with: dask worker ADDRESS --nthreads 1 --nworkers N"

T = TypeVar("T")
R = TypeVar("R")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Terms:
    """What must hold on a machine before it computes for a run: this wsstools, these files."""

    version: str
    required_files: tuple[Path, ...] = ()


class Cluster:
    """Workers of a dask scheduler, or of a cluster on this machine.

    `scheduler` is an address, or the file that `dask scheduler --scheduler-file` wrote; None
    starts `jobs` processes on this machine. Every worker must see the `required_files`. If results
    depend on the kind of processor, workers of several kinds are warned about.
    """

    def __init__(
        self,
        jobs: int,
        scheduler: str | None,
        *,
        required_files: Sequence[Path] = (),
        depends_on_processor: bool = False,
        say: Say,
    ) -> None:
        _silence()
        # Of versions that differ dask warns in a page of text, _look_at_workers in a line.
        warnings.filterwarnings("ignore", message="Mismatched versions found")
        self._say, self._terms = say, Terms(__version__, tuple(required_files))
        self._depends_on_processor = depends_on_processor
        self._local = None
        if scheduler is None:
            self._name = "the cluster on this machine"
            self._local = LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # None takes port 8787, or warns
                processes=True,
                silence_logs=logging.CRITICAL,
            )
            self._client = Client(self._local)
            self._client.run(_begin_worker, private_folder())
        else:
            address = _address(scheduler)
            self._name = f"the scheduler at {address}"
            _reach(address)
            self._client = Client(address, timeout=_CONNECT_SECONDS)
        self._watch = _Watch(self._client, say)

    def __enter__(self) -> Cluster:
        try:
            if self._local is None:
                with self.plain_errors():
                    self._wait_for_workers()
                    self._look_at_workers()
            self._watch.start()
        except BaseException as error:
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
        is_interrupted = kind is not None and not issubclass(kind, Exception)
        self._watch.stop(looks=not is_interrupted)
        with contextlib.suppress(Exception):  # the scheduler may be gone, or not answer
            self._client.close(timeout=_GOODBYE_SECONDS if is_interrupted else _CONNECT_SECONDS)
        if self._local is not None:
            self._local.close()

    def map(
        self,
        function: Callable[[T], R],
        batches: Iterable[Iterable[T]],
        *,
        jobs: int,
        on_worker_death: Callable[[T], R],
    ) -> Iterator[R]:
        """`function` of every task, in order; see `wsstools.running.workers.map_in_workers`."""
        function_there = self._sent(function)
        with self.plain_errors():
            most = 2 * max(self.n_workers, jobs)
            for batch in batches:
                yield from self._map_batch(function_there, iter(batch), most, on_worker_death)

    @property
    def n_workers(self) -> int:
        """How many tasks the workers compute at a time."""
        return max(1, sum(map(int, self._client.nthreads().values())))

    def _map_batch(
        self,
        function: Future[Callable[[T], R]],
        tasks: Iterator[T],
        most: int,
        on_worker_death: Callable[[T], R],
    ) -> Iterator[R]:
        waiting: deque[tuple[T, Future[R]]] = deque()
        try:
            while True:
                for task in islice(tasks, most - len(waiting)):
                    waiting.append((task, self._submit(function, task)))
                if not waiting:
                    return
                task, future = waiting.popleft()
                yield self._result(function, task, future, waiting, on_worker_death)
        finally:
            self._client.cancel([future for _, future in waiting])

    def _submit(self, function: Future[Callable[[T], R]], task: T) -> Future[R]:
        return self._client.submit(applied, function, task, self._terms, pure=False)

    def _result(
        self,
        function: Future[Callable[[T], R]],
        task: T,
        future: Future[R],
        others: Iterable[tuple[T, Future[R]]],
        on_worker_death: Callable[[T], R],
    ) -> R:
        """The result of a task, which is tried once more, alone, if its worker was lost.

        Dask blames all tasks that were at a worker for its end.
        """
        try:
            result: R = future.result()
        except KilledWorker:
            wait([other for _, other in others])
            try:
                result = self._submit(function, task).result()
            except KilledWorker:
                result = on_worker_death(task)
        return result

    def _sent(self, function: Callable[[T], R]) -> Future[Callable[[T], R]]:
        """A function that goes to each worker once, however many tasks take it."""
        # As the result of a task, on which the others depend, it is handed on among the workers,
        # and made again if all that have it are lost.
        return self._client.submit(pickle.loads, cloudpickle.dumps(function), pure=False)

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        """What goes wrong between client, scheduler and workers becomes one line."""
        try:
            yield
        except (CancelledError, CommClosedError) as error:
            raise WssError(
                f"{self._name} is gone; the same command goes on from here once it is back"
            ) from error
        except ModuleNotFoundError as error:  # of a worker that joined later
            raise WssError(f"a worker of {self._name} lacks what it needs: {error}") from error

    def _wait_for_workers(self) -> None:
        if self._client.nthreads():
            return
        self._say(f"{self._name} has no worker yet; waiting {_WORKERS_SECONDS} s for one")
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_SECONDS)
        except TimeoutError as error:
            raise WssError(f"{self._name} has no worker; {_MISSING_WORKER}") from error

    def _look_at_workers(self) -> None:
        """Refuse workers of another version or without the files; report other libraries."""
        run = self._client.run
        # These two are of the standard library, which workers without wsstools have too.
        versions = run(pkgutil.resolve_name, "wsstools:__version__", on_error="return")
        hosts = dict.fromkeys(versions, "?") | run(socket.gethostname, on_error="ignore")
        others = {}
        for worker, version in versions.items():
            if isinstance(version, ImportError):
                others[worker] = "has no wsstools"
            elif isinstance(version, str) and version != __version__:
                others[worker] = f"has wsstools {version}"
        if others:
            differs = [
                f"worker {worker} on {hosts[worker]} {what}" for worker, what in others.items()
            ]
            raise WssError(
                f"{_some(differs)}; this is wsstools {__version__}, install it for all workers and "
                "start them anew"
            )
        refused = [text for text in run(refusal, self._terms, on_error="ignore").values() if text]
        if refused:
            raise WssError(_some(sorted(set(refused))))
        ours = libraries()
        for worker, theirs in run(libraries, on_error="ignore").items():
            differing = [
                f"{name} {theirs.get(name)} (here {version})"
                for name, version in ours.items()
                if theirs.get(name) != version
            ]
            if differing:
                self._say(
                    f"warning: worker {worker} on {hosts[worker]} has {', '.join(differing)}; "
                    "the last bits of its results may differ"
                )
        kinds = set(run(processor, on_error="ignore").values())
        if self._depends_on_processor and len(kinds) > 1:
            self._say(
                f"warning: workers have processors of several kinds, {', '.join(sorted(kinds))}; "
                "the last bits of their results may differ"
            )


def _some(lines: Sequence[str]) -> str:
    """The first few lines as one."""
    more = f", and {len(lines) - _TOLD} more" if len(lines) > _TOLD else ""
    return "; ".join(lines[:_TOLD]) + more


def _begin_worker(private: Path) -> None:
    """Let a worker of this machine print in our way, and use the private folder of its run."""
    quiet_libraries()
    share_private_folder(private)


def applied(function: Callable[[T], R], task: T, terms: Terms) -> R:
    """`function` of a task, in a worker that fulfils the terms."""
    _check(terms)
    return function(task)


def refusal(terms: Terms) -> str | None:
    """Why this process must not compute under these terms, or None."""
    try:
        _check(terms)
    except WssError as error:
        return str(error)
    return None


@lru_cache(maxsize=8)
def _check(terms: Terms) -> None:
    """Raise WssError unless the terms hold; that they do is remembered."""
    host = socket.gethostname()
    if terms.version != __version__:
        raise WssError(
            f"a worker on {host} has wsstools {__version__}, this is wsstools {terms.version}"
        )
    until = time.monotonic() + _SIGHT_SECONDS
    for path in terms.required_files:
        while not path.exists():
            if time.monotonic() > until:
                raise WssError(
                    f"a worker on {host} does not see {path.parent} as it is here; workers read "
                    "and write the files themselves and need the same folders"
                )
            time.sleep(0.1)


def libraries() -> Mapping[str, str]:
    """The versions of Python and of the packages that decide the last bits of a result."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in _DECIDING:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


class _Watch(threading.Thread):
    """Reports workers that are lost, and a run that waits as none is left, or for an answer."""

    def __init__(self, client: Client, say: Say) -> None:
        super().__init__(daemon=True)
        self._client, self._say = client, say
        self._is_over = threading.Event()
        self._known: set[str] = set()
        self._is_answered = True
        self._look = threading.Lock()

    def stop(self, *, looks: bool = True) -> None:
        """End, and look for the last time before that, unless the scheduler does not answer."""
        if self.is_alive() and not self._is_over.is_set():
            self._is_over.set()
            if looks and self._is_answered:
                self._tell()

    def run(self) -> None:
        self._known = self._workers() or set()
        while not self._is_over.wait(_LOOK_SECONDS):
            self._tell()

    def _workers(self) -> set[str] | None:
        if self._client.status != "running":
            return None
        try:
            scheduler = cast(PooledRPCCall, self._client.scheduler)
            found = self._client.sync(scheduler.ncores, callback_timeout=_ANSWER_SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            if self._is_answered and not self._is_over.is_set():
                self._say("the scheduler does not answer; waiting for it (Ctrl-C ends this)")
            self._is_answered = False
            return None
        except Exception:  # the scheduler is gone, of which whoever waits for results learns
            return None
        self._is_answered = True
        return set(found)

    def _tell(self) -> None:
        with self._look:
            workers = self._workers()
            if workers is None:
                return
            for worker in sorted(self._known - workers):
                self._say(f"worker {worker} is gone; what it was at goes to the others")
            if self._known and not workers and not self._is_over.is_set():
                self._say("no worker is left; waiting for one (Ctrl-C ends this)")
            self._known = workers


def _address(scheduler: str) -> str:
    """The address of a scheduler, given as such or by the file that it wrote."""
    if not os.path.isfile(scheduler):
        return scheduler
    try:
        with open(scheduler, encoding="utf-8") as file:
            return str(json.load(file)["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--scheduler {scheduler}: expected an address such as tcp://HOST:8786, or the file "
            "that dask scheduler --scheduler-file wrote"
        ) from error


def _reach(address: str) -> None:
    """Raise an error unless a scheduler answers; dask's client would take longer to give up."""

    async def greet() -> None:
        arguments = Security().get_connection_args("client")
        connection = await connect(address, timeout=_CONNECT_SECONDS, **arguments)
        await connection.close()

    async def bounded() -> None:  # a system connects to a frozen one, which never greets
        await asyncio.wait_for(greet(), _CONNECT_SECONDS + 1)

    try:
        asyncio.run(bounded())
    except ValueError as error:
        raise UsageError(
            f"--scheduler {address}: {error}; expected an address such as tcp://HOST:8786"
        ) from error
    except (OSError, asyncio.TimeoutError) as error:
        raise WssError(
            f"no scheduler answers at {address} within {_CONNECT_SECONDS} s; "
            "is dask scheduler running there?"
        ) from error


def _silence() -> None:
    """Keep dask's own log from the terminal; what matters in it is printed in our words."""
    if os.environ.get("WSS_DEBUG"):
        return
    for name in ["distributed", "tornado", "asyncio", *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
