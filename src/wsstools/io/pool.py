"""Workers: a function mapped over batches of tasks, in order, with bounded memory."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import joblib

from wsstools.errors import UsageError
from wsstools.io.atomic import is_alive

T = TypeVar("T")
R = TypeVar("R")

_WATCH_SECONDS = 0.5
BACKENDS = ("loky", "threading", "dask")


@dataclass(frozen=True)
class Pool:
    """How many workers, and of which kind.

    Attributes
    ----------
    jobs : int
        Number of workers; 0 takes one per core.
    backend : str
        `loky` (processes), `threading`, or `dask` (a cluster; needs the extra `dask`).
    scheduler : str or None
        Address of a dask scheduler; None starts a cluster of `jobs` processes on this machine.
    """

    jobs: int = 0
    backend: str = "loky"
    scheduler: str | None = None

    def map(self, function: Callable[[T], R], batches: Iterable[Iterable[T]]) -> Iterator[R]:
        """`function` of every task, in the order of the tasks, each as soon as it is there.

        At most twice as many tasks as workers are under way, so that memory does not grow with
        the number of tasks.
        """
        if self.backend not in BACKENDS:
            raise UsageError(f"--backend {self.backend}: expected one of {', '.join(BACKENDS)}")
        if self.jobs < 0:
            raise UsageError(f"--jobs {self.jobs}: expected 0 (one per core) or more")
        jobs = self.jobs or joblib.cpu_count()
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            # loky renews workers whose memory has grown; no task is lost by that.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            if self.backend == "dask":
                jobs = stack.enter_context(_dask_client(jobs, self.scheduler))
            options: dict[str, Any] = {}
            if self.backend == "loky":
                options = {"initializer": _end_with, "initargs": (os.getpid(),)}
            stack.enter_context(joblib.parallel_config(self.backend, n_jobs=jobs, **options))
            parallel = stack.enter_context(
                joblib.Parallel(return_as="generator", batch_size=1, pre_dispatch="2*n_jobs")
            )
            for batch in batches:
                yield from parallel(joblib.delayed(function)(task) for task in batch)


def _end_with(parent: int) -> None:
    """End this worker soon after the run that started it was killed; loky lets it live on."""
    is_child = os.getppid() == parent  # not so if the run was killed while this worker started

    def watch() -> None:
        while os.getppid() == parent if is_child else is_alive(parent):
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _dask_client(AbstractContextManager):
    """A dask client as the current one; gives the number of its workers."""

    def __init__(self, jobs: int, scheduler: str | None) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise UsageError("--backend dask needs dask: pip install 'wsstools[dask]'") from error
        self._cluster = None
        if scheduler is None:
            self._cluster = LocalCluster(
                n_workers=jobs, threads_per_worker=1, dashboard_address=":0", processes=True
            )
        self._client = Client(self._cluster if scheduler is None else scheduler)

    def __enter__(self) -> int:
        return max(1, sum(self._client.nthreads().values()))

    def __exit__(self, *exception: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
