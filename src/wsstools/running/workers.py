"""Workers: a function mapped over batches of tasks, in order, with bounded memory."""

from __future__ import annotations

import errno
import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wsstools.core.compiled.private import (
    private_folder,
    remove_private_folder,
    share_private_folder,
)
from wsstools.core.system import blocked_interruptions, is_alive
from wsstools.core.threads import check_threads, process_limits
from wsstools.errors import UsageError, WssError
from wsstools.running import messages
from wsstools.running.quiet import quiet_libraries
from wsstools.running.settings import JobSettings

if TYPE_CHECKING:
    import joblib

    from wsstools.running.dask import Cluster

T = TypeVar("T")
R = TypeVar("R")

_WATCH_SECONDS = 0.5
_MANY = 4
"""So many workers a core are no help."""
_SHARED_MEMORY = "/dev/shm"
_OF_POOL, _OF_WORKER = 5, 3
"""Threads and processes that loky starts for all workers, and for each."""
_HARMLESS = (
    "A worker stopped while some jobs",  # loky renews those whose memory has grown
    r"\d+ tasks (have been|which were) ",  # left by a run that was interrupted
)
BACKENDS = ("loky", "threading", "dask")


def map_in_workers(
    function: Callable[[T], R],
    batches: Iterable[Iterable[T]],
    settings: JobSettings,
    *,
    on_worker_death: Callable[[T], R],
    required_files: Sequence[Path] = (),
    n_tasks: int | None = None,
    depends_on_processor: bool = False,
    say: Callable[[str], None] = messages.say,
) -> Iterator[R]:
    """`function` of every task, in the order of the tasks, each as soon as it is computed.

    At most twice as many tasks as workers are under way, so that memory does not grow with the
    number of tasks. `function` must survive a process boundary, and be small: most workers get it
    with each task. Where a worker process is killed, new ones do what it left; `on_worker_death`
    gives the result of a task that no worker survives. On this machine it is tried twice before
    that, the second time with no other task under way; in a cluster as often as the scheduler
    allows, and the workers must see the `required_files` before they begin.

    There are never more workers than `n_tasks`, where that is known. Of workers of a cluster on
    other kinds of processors is warned where results depend on it. UsageError if the settings
    contradict each other.
    """
    _check(settings)
    if settings.backend != "dask" and (settings.jobs == 1 or n_tasks in (0, 1)):
        for batch in batches:
            yield from map(function, batch)
        return
    import joblib  # noqa: PLC0415 - slow to import, and a single worker does without

    cores = joblib.cpu_count()
    jobs = min(settings.jobs or cores, max(1, n_tasks or settings.jobs or cores))
    if jobs > _MANY * cores and settings.backend != "dask":
        say(f"warning: {jobs} workers on {cores} cores take memory and save no time")
    if settings.backend == "dask":
        with _cluster_class()(
            jobs,
            settings.scheduler,
            required_files=required_files,
            depends_on_processor=depends_on_processor,
            say=say,
        ) as cluster:
            yield from cluster.map(
                function, batches, jobs=settings.jobs, on_worker_death=on_worker_death
            )
        return
    if settings.backend == "loky" and jobs > 1:
        inner = max(1, cores // jobs) - 1  # threads of libraries, as joblib limits them
        number = _OF_POOL + jobs * (_OF_WORKER + inner)
        check_threads(number, f"{jobs} workers take", "--jobs 1 takes none")
    with ExitStack() as stack:
        for message in _HARMLESS:  # for good: some come when all is over
            warnings.filterwarnings("ignore", message=message)
        # joblib keeps workers for the next call, but not where these differ: paths are relative
        here = (os.getpid(), os.path.realpath("."), private_folder())
        ends_with_us = {"initializer": _end_with, "initargs": here}
        options = ends_with_us if settings.backend == "loky" else {}
        stack.enter_context(joblib.parallel_config(settings.backend, n_jobs=jobs, **options))
        parallel = joblib.Parallel(return_as="generator", batch_size=1, pre_dispatch=2 * jobs)
        with _children_ignore_signals():
            stack.enter_context(parallel)
        for batch in batches:
            yield from _outlasting(parallel, joblib.delayed(function), batch, on_worker_death)


def _cluster_class() -> type[Cluster]:
    try:
        from wsstools.running.dask import Cluster  # noqa: PLC0415 - an extra, slow to import
    except ModuleNotFoundError as error:
        raise UsageError("--backend dask needs dask: pip install 'wsstools[dask]'") from error
    return Cluster


def _check(settings: JobSettings) -> None:
    if settings.backend not in BACKENDS:
        raise UsageError(f"--backend {settings.backend}: expected one of {', '.join(BACKENDS)}")
    if settings.scheduler is not None and settings.backend != "dask":
        raise UsageError("--scheduler goes with --backend dask")
    if settings.jobs < 0:
        raise UsageError(f"--jobs {settings.jobs}: expected 0 (one per core) or more")


def _outlasting(
    parallel: joblib.Parallel,
    call: Callable[[T], object],
    tasks: Iterable[T],
    on_worker_death: Callable[[T], R],
) -> Iterator[R]:
    """The calls for the tasks, made whatever happens to the worker processes."""
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415 - as above

    remaining = iter(tasks)
    waiting: deque[T] = deque()  # taken, but nothing has come of them yet

    def taken() -> Iterator[T]:
        for task in remaining:
            waiting.append(task)
            yield task

    while True:
        try:
            with _children_ignore_signals():
                results = parallel(call(task) for task in taken())
            for result in results:
                waiting.popleft()
                yield result
            return
        except BrokenProcessPool:
            while waiting:  # one at a time: so it shows which of them its worker cannot bear
                task = waiting.popleft()
                try:
                    with _children_ignore_signals():
                        results = parallel([call(task)])
                    yield from results
                except BrokenProcessPool:
                    yield on_worker_death(task)


@contextmanager
def _children_ignore_signals() -> Iterator[None]:
    """Processes started meanwhile ignore the signals that ask the run to stop.

    A terminal sends Ctrl-C to the workers too, which would say so in their way. They end with us.
    """
    from multiprocessing import resource_tracker  # noqa: PLC0415 - as above

    try:
        with blocked_interruptions() as block_again:
            resource_tracker.ensure_running()  # which older Pythons end by letting signals through
            block_again()
            yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno == errno.EAGAIN:
            raise WssError(f"a process cannot be started ({process_limits()})") from error
        if error.errno == errno.ENOSPC:  # of semaphores and arrays that processes share
            raise OSError(error.errno, error.strerror, _SHARED_MEMORY) from error
        raise


def _end_with(parent: int, folder: str, private: Path) -> None:
    """End this worker, whose folders those are, soon after the run that started it was killed.

    loky lets it live on.
    """
    quiet_libraries()
    share_private_folder(private)
    is_child = os.getppid() == parent  # not so if the run was killed while this worker started

    def watch() -> None:
        while os.getppid() == parent if is_child else is_alive(parent):
            time.sleep(_WATCH_SECONDS)
        remove_private_folder()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
