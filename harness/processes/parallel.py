"""Run a function on many items in parallel, on the cores of this machine (loky) or on the workers of a dask cluster."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from itertools import chain, islice
from operator import length_hint
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from harness import __version__
from harness.errors import HarnessError, NotAvailable
from harness.processes import watch_parent
from harness.provenance import code_digest

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")

LOST = 10  # items in a row, without a result between them, that kill even a worker of their own, after which a run gives up
LIMIT = 30.0  # seconds for a scheduler to answer, and to get its first worker
CHUNK = 64  # maximum number of items read ahead for each loky worker
DEATHS = 3  # worker deaths in a row, without a result between them, after which a run gives up
WINDOW = 4  # maximum number of items at the dask scheduler for each thread
START = (
    "start one with `dask scheduler --host 127.0.0.1`, and workers with"
    " `dask worker tcp://127.0.0.1:8786 --nthreads 1 --nworkers 2 --host 127.0.0.1`"
)


def in_parallel(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int = -1,
    backend: str = "loky",
    scheduler: str | None = None,
    lost: Callable[[Item], Result] | None = None,
) -> Iterator[Result]:
    """Yield ``function(item)`` once for every item, as results become ready.

    Only a bounded number of items and results is in memory at any time. An exception raised by `function` is raised here.

    Parameters
    ----------
    function : callable
        Function that a worker process can import.
    items : iterable
        Arguments for `function`; may be lazy.
    jobs : int
        Number of worker processes; -1 for one per core. Ignored with a `scheduler`, which has its own workers.
    backend : {"loky", "dask"}
        Processes of joblib, or of a ``dask.distributed`` cluster.
    scheduler : str, optional
        Address of a dask scheduler, such as ``tcp://127.0.0.1:8786``. By default, a cluster is started on the loopback
        interface of this machine, and closed at the end.
    lost : callable, optional
        Function that gives, in this process, the result of an item that keeps killing its worker, even when it runs alone.
        Without it, such an item ends the run.

    Raises
    ------
    HarnessError
        If the scheduler or its workers cannot be reached or run different code from this process, or if workers keep dying.

    Notes
    -----
    If a worker process dies, its unit runs again on another worker. So `function` may run twice for an item, but the result is
    yielded once. Workers on another machine need the same code, and must see the files that `function` reads or writes (the run
    folder) under the same paths. Anyone who can reach the port of a dask scheduler can run code on it: keep it on 127.0.0.1 or in
    a network you trust.
    """
    if backend not in ("loky", "dask"):
        raise HarnessError(f"unknown backend {backend!r}", remedy="choose one of: loky, dask")
    if scheduler is not None and backend != "dask":
        raise HarnessError(f"the backend {backend} has no scheduler", remedy="choose the backend dask")
    if jobs != -1 and jobs < 1:
        raise HarnessError(f"jobs must be -1 or at least 1, got {jobs}", remedy="-1 starts one worker process per core")
    if backend == "dask":
        return _by_dask(function, items, jobs, scheduler, lost)
    return _by_loky(function, items, jobs, lost)


@lru_cache  # the code that this process has loaded, even if the files change later
def running_code() -> str:
    """Return the version of the harness and of Python that this process runs."""
    return f"harness {__version__} (code {code_digest()[:12]}) on Python {platform.python_version()}"


def _processes(jobs: int, most: int) -> int:
    from joblib import cpu_count

    return min(cpu_count() if jobs == -1 else jobs, max(most, 1))


def _by_loky(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int, lost: Callable[[Item], Result] | None
) -> Iterator[Result]:
    work = iter(items)
    first = list(islice(work, 2))
    workers = _processes(jobs, len(first) + length_hint(work, 1_000_000))
    if workers == 1 or len(first) < 2:
        yield from map(function, chain(first, work))
        return
    # In chunks, because joblib keeps reading while the caller handles a result, and would hold all other results in memory.
    work, deaths, losses = chain(first, work), 0, 0
    while left := dict(enumerate(islice(work, CHUNK * workers))):
        while left:
            try:
                for place, result in _chunk(function, left, workers):
                    del left[place]
                    deaths = losses = 0
                    yield result
            except BrokenExecutor as error:  # a killed worker breaks its pool; items without a result are done again
                deaths += 1
                if deaths < DEATHS:
                    continue
                if lost is None or losses >= LOST:
                    raise HarnessError(
                        f"worker processes died {deaths} times in a row", remedy="the system kills processes when memory runs "
                        "out: use fewer --jobs. Finished sentences are kept; the same command resumes the run"
                    ) from error  # fmt: skip
                # One of these items kills its worker, and so the others' results: the first has a worker to itself.
                place = next(iter(left))
                item = left.pop(place)
                try:
                    [(_, result)] = _chunk(function, {place: item}, workers)
                    deaths = losses = 0
                except BrokenExecutor:
                    result, losses = lost(item), losses + 1
                yield result


def _chunk(function: Callable[[Item], Result], items: Mapping[int, Item], workers: int) -> Iterator[tuple[int, Result]]:
    from joblib import Parallel, delayed

    tasks = (delayed(_numbered)(function, *pair, os.getpid()) for pair in list(items.items()))
    with ExitStack() as stack:
        with _deaf():
            # One item per task: larger batches would leave workers idle at the end of each chunk.
            pool = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", batch_size=1)
            results = stack.enter_context(pool)(tasks)
        yield from results


@contextmanager
def _deaf() -> Iterator[None]:
    """Block Ctrl-C and hang-up signals. Processes started now never receive them, and so print no tracebacks."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _numbered(function: Callable[[Item], Result], number: int, item: Item, parent: int) -> tuple[int, Result]:
    _end_with(parent)
    return number, function(item)


@lru_cache
def _end_with(parent: int) -> None:
    """End this worker soon after its parent process ends, even if that was killed."""
    threading.Thread(target=watch_parent, args=(parent,), daemon=True).start()


def _by_dask(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    jobs: int,
    scheduler: str | None,
    lost: Callable[[Item], Result] | None,
) -> Iterator[Result]:
    # joblib's dask backend (1.6.0) waits forever when a task has failed for good (KilledWorker), and reads all items ahead.
    # as_completed waits forever when the last worker has gone.
    try:
        from distributed import KilledWorker, wait
    except ImportError as error:
        raise NotAvailable("dask needs the package distributed", remedy="pip install distributed") from error
    work, code = iter(items), running_code()
    first = list(islice(work, 1))
    if not first:
        return
    work = chain(first, work)
    pending: dict[Any, Item] = {}
    blamed: list[Item] = []  # items on workers that died, for themselves or for their neighbours
    losses = 0
    with ExitStack() as stack:
        client = _connect(stack, _processes(jobs, length_hint(items, 1_000_000)), scheduler)
        with _reachable():
            _await_threads(client)
            try:
                answers = client.run(running_code)
            except OSError:
                raise
            except Exception as error:  # dask turns the worker's ImportError into a plain Exception
                raise HarnessError(f"a worker cannot import {code}: {error}", remedy="install it there") from error
            for worker, theirs in answers.items():
                _same(worker, theirs, code)
        while True:
            with _reachable():
                room = WINDOW * _await_threads(client) - len(pending)
            fresh = list(islice(work, max(room, 0)))
            finished: set[Any] = set()
            alone = not fresh and not pending and bool(blamed)
            if alone:
                fresh = [blamed.pop(0)]
            with _reachable():
                pending.update((client.submit(_unit, function, item, code, pure=False), item) for item in fresh)
                if not pending:
                    return
                with suppress(TimeoutError), client.as_current():  # the next round checks whether a worker is left
                    finished = wait(list(pending), timeout=LIMIT, return_when="FIRST_COMPLETED").done
            for future in finished:
                try:
                    result = future.result(timeout=LIMIT)
                except KilledWorker as error:
                    if lost is None or losses >= LOST:
                        raise HarnessError(
                            f"a unit killed its workers: {error}", remedy="see the workers' logs"
                        ) from error
                    item = pending.pop(future)
                    if alone:
                        losses += 1
                        yield lost(item)
                    else:
                        blamed.append(item)
                    continue
                except (OSError, CancelledError):
                    if future.status == "error":  # raised by the function itself
                        raise
                    continue  # the worker died with the result; dask computes it again
                del pending[future]
                losses = 0
                yield result


def _unit(function: Callable[[Item], Result], item: Item, code: str) -> Result:
    _same("that came later", running_code(), code)
    return function(item)


def _same(worker: str, theirs: str, ours: str) -> None:
    if theirs != ours:
        message = f"the dask worker {worker} runs {theirs}, but this process runs {ours}"
        raise HarnessError(message, remedy="install the same code for both, and start the workers again")


def _connect(stack: ExitStack, jobs: int, scheduler: str | None) -> Client:
    import dask
    from distributed import Client, LocalCluster

    if scheduler is None:
        scratch = stack.enter_context(TemporaryDirectory(prefix="harness-dask-"))  # dask does not delete its own
        stack.enter_context(dask.config.set({"temporary-directory": scratch}))
        cluster = LocalCluster(
            n_workers=jobs, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False}, memory_limit=None,
        )  # fmt: skip
        scheduler = stack.enter_context(cluster).scheduler_address
    try:
        with ThreadPoolExecutor(1) as thread:  # Client waits forever for a server that accepts but never answers
            thread.submit(asyncio.run, _answer(scheduler)).result()
        return stack.enter_context(Client(scheduler, timeout=LIMIT, set_as_default=False))
    except (OSError, ValueError) as error:
        raise HarnessError(f"no dask scheduler answers at {scheduler}", remedy=START) from error


async def _answer(scheduler: str) -> None:
    from distributed.comm import connect

    comm = await asyncio.wait_for(connect(scheduler, timeout=LIMIT), LIMIT)
    await comm.close()


def _await_threads(client: Client) -> int:
    """Return the number of threads of all workers; raise if there is no worker within the time limit."""
    if not client.nthreads():
        try:
            client.wait_for_workers(1, timeout=LIMIT)
        except TimeoutError as error:
            raise HarnessError("the dask scheduler has no workers", remedy=START) from error
    return max(1, sum(client.nthreads().values()))  # a worker may have gone just now


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (OSError, CancelledError) as error:
        raise HarnessError("the dask scheduler was lost", remedy=f"{START}; then run this again") from error
