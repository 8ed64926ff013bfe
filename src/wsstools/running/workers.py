"""Workers: a function mapped over batches of tasks, in order, with bounded memory."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

import joblib

from wsstools.errors import UsageError
from wsstools.files.atomic import is_alive
from wsstools.running.dask import Cluster, applied
from wsstools.running.signals import INTERRUPTIONS

T = TypeVar("T")
R = TypeVar("R")

_WATCH_SECONDS = 0.5
_HARMLESS = (
    "A worker stopped while some jobs",  # loky renews those whose memory has grown
    r"\d+ tasks (have been|which were) ",  # left by a run that was interrupted
)
BACKENDS = ("loky", "threading", "dask")


def print_line(text: str) -> None:
    """A line on standard error."""
    print(f"wss: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Pool:
    """How many workers, and of which kind.

    Attributes
    ----------
    jobs : int
        Number of workers; 0 takes one per core. On a cluster: how many tasks are under way at
        least, where it is to have more workers than at first.
    backend : str
        `loky` (processes), `threading`, or `dask` (a cluster; needs the extra `dask`).
    scheduler : str or None
        Address of a dask scheduler, or the file that it wrote; None starts a cluster of `jobs`
        processes on this machine.
    """

    jobs: int = 0
    backend: str = "loky"
    scheduler: str | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether the workers may be on other machines, and were started in other folders."""
        return self.scheduler is not None

    def map(
        self,
        function: Callable[[T], R],
        batches: Iterable[Iterable[T]],
        *,
        lost: Callable[[T], R],
        seen: Sequence[Path] = (),
        say: Callable[[str], None] = print_line,
    ) -> Iterator[R]:
        """`function` of every task, in the order of the tasks, each as soon as it is there.

        At most twice as many tasks as workers are under way, so that memory does not grow with
        the number of tasks. Where a worker process is killed, new ones do what it left.

        Parameters
        ----------
        function : callable
            Takes a task; must survive a process boundary, and be small: most workers get it with
            each task.
        batches : iterable of iterables
            The tasks.
        lost : callable
            Takes a task that no worker survives; what it gives is the result. A worker process of
            this machine is killed twice before that, the second time with no other task under
            way; one of a cluster as often as the scheduler allows.
        seen : sequence of Path
            Files that the workers of a cluster must see before they begin.
        say : callable
            Takes a line of text for the user.
        """
        self._check()
        jobs = self.jobs or joblib.cpu_count()
        with ExitStack() as stack:
            for message in _HARMLESS:  # for good: some come when all is over
                warnings.filterwarnings("ignore", message=message)
            backend: Any = self.backend
            options: dict[str, Any] = {}
            call: Callable[[T], Any] = joblib.delayed(function)
            guard: AbstractContextManager = nullcontext()
            if self.backend == "dask":
                # It warns of versions in a page of text; Cluster does it in a line.
                warnings.filterwarnings("ignore", message="Mismatched versions found")
                cluster = stack.enter_context(Cluster(jobs, self.scheduler, seen=seen, say=say))
                jobs = max(cluster.n_workers, self.jobs)
                sent, terms = cluster.sent(function), cluster.terms
                call = partial(_call_sent, sent, terms)
                backend = cluster.backend(jobs, lost)
                guard = cluster.plain_errors()
            elif self.backend == "loky":
                options = {"initializer": _end_with, "initargs": (os.getpid(),)}
            stack.enter_context(joblib.parallel_config(backend, n_jobs=jobs, **options))
            parallel = joblib.Parallel(return_as="generator", batch_size=1, pre_dispatch=2 * jobs)
            with _deaf_children():
                stack.enter_context(parallel)
            with guard:
                for batch in batches:
                    yield from _outlasting(parallel, call, batch, lost)

    def _check(self) -> None:
        if self.backend not in BACKENDS:
            raise UsageError(f"--backend {self.backend}: expected one of {', '.join(BACKENDS)}")
        if self.scheduler is not None and self.backend != "dask":
            raise UsageError("--scheduler goes with --backend dask")
        if self.jobs < 0:
            raise UsageError(f"--jobs {self.jobs}: expected 0 (one per core) or more")


def _call_sent(sent: Any, terms: Any, task: Any) -> Any:
    return joblib.delayed(applied)(sent, task, terms)


def _outlasting(
    parallel: joblib.Parallel,
    call: Callable[[T], Any],
    tasks: Iterable[T],
    lost: Callable[[T], R],
) -> Iterator[R]:
    """The calls for the tasks, made whatever happens to the worker processes."""
    remaining = iter(tasks)
    waiting: deque[T] = deque()  # taken, but nothing has come of them yet

    def taken() -> Iterator[T]:
        for task in remaining:
            waiting.append(task)
            yield task

    while True:
        try:
            with _deaf_children():
                results = parallel(call(task) for task in taken())
            for result in results:
                waiting.popleft()
                yield result
            return
        except BrokenProcessPool:
            while waiting:  # one at a time: so it shows which of them its worker cannot bear
                task = waiting.popleft()
                try:
                    with _deaf_children():
                        results = parallel([call(task)])
                    yield from results
                except BrokenProcessPool:
                    yield lost(task)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started meanwhile do not hear the signals that ask the run to stop.

    A terminal sends Ctrl-C to the workers too, which would say so in their way, and be missed
    before the run has heard it. They end with the run.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        resource_tracker.ensure_running()  # which older Pythons end by letting signals through
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: int) -> None:
    """End this worker soon after the run that started it was killed; loky lets it live on."""
    is_child = os.getppid() == parent  # not so if the run was killed while this worker started

    def watch() -> None:
        while os.getppid() == parent if is_child else is_alive(parent):
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
