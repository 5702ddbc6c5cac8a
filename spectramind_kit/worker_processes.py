"""A pool of worker processes for the kit's own functions, from any script and on any machine that allows one.

Fresh processes (spawn), since a fork of a process with threads can hang. What spawn brings with it is taken
care of here:

- A worker imports the caller's main script again, and a script without ``if __name__ == "__main__"`` then
  runs again in each of them. The kit's workers need only the kit: the script is hidden while they start.
- A worker outlives a parent that was killed, and keeps its memory. Here each one watches its parent.
- Ctrl-C reaches every process at once, and each prints a traceback. Here only the parent hears it, and ends
  the workers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from threading import Lock
from types import ModuleType

from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import describe
from spectramind_kit.runtime import say

# The workers share the cores, so each runs one thread. Read by the libraries when they are imported.
_THREAD_VARIABLES = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_FIRST_ANSWER_S = 120.0  # Python on a slow network disk takes seconds; who is silent so long stays so
_starting = Lock()


@contextmanager
def worker_pool(
    workers: int, *, task: str, initializer: Callable[[], None] | None = None
) -> Iterator[Executor | None]:
    """An executor of ``workers`` processes that has answered once, or None: then work in this process.

    Functions and arguments must come from modules, not from the main script. Whatever ends the block ends the
    workers.

    Parameters
    ----------
    task : what the workers are for, for the line that says why there are none.
    initializer : a function of a module, called first in each worker.

    Raises
    ------
    DataError
        The caller is a main script that is being imported by a worker process of its own.
    """
    if getattr(current_process(), "_inheriting", False):
        raise DataError(
            "this script is being run again by one of its own worker processes",
            where=task,
            fix='put what the script does under: if __name__ == "__main__":',
        )
    if current_process().daemon:
        pool, why = None, "a worker process cannot have workers of its own"
    else:
        pool, why = _start(workers, initializer)
    if pool is None:
        say(f"{task}: no worker processes ({why}); this process does the work alone")
        yield None
        return
    try:
        yield pool
    except BaseException:  # an error, Ctrl-C, a consumer that stops: what is under way is not waited for
        _end(pool)
        raise
    pool.shutdown()


class _Pool(ProcessPoolExecutor):
    """Processes are started by `submit`, one after the other as work comes in."""

    def submit(self, fn, /, *args, **kwargs):
        with _starting, _main_script_hidden(), _one_thread_each():
            return super().submit(fn, *args, **kwargs)

    def _adjust_process_count(self) -> None:
        try:
            super()._adjust_process_count()
        except OSError:  # no room for one more process: those that run do the work
            if not self._processes:
                raise


def _start(workers: int, initializer: Callable[[], None] | None) -> tuple[ProcessPoolExecutor | None, str]:
    """A pool whose first worker has answered, or None and the cause: no semaphores, no right to a process."""
    pool = None
    try:
        begin = dict(initializer=_begin, initargs=(os.getpid(), initializer))
        pool = _Pool(workers, mp_context=get_context("spawn"), **begin)
        if pool.submit(os.getpid).result(timeout=_FIRST_ANSWER_S) == os.getpid():
            raise RuntimeError("the worker is this process")
        return pool, ""
    except BaseException as error:
        if pool is not None:
            _end(pool)
        if not isinstance(error, Exception):
            raise
        return None, describe(error)


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(timeout=5.0)
        if process.is_alive():
            process.kill()


@contextmanager
def _main_script_hidden() -> Iterator[None]:
    """A worker is told to import the main script where ``__main__`` has a ``__spec__`` or a ``__file__``."""
    names = vars(sys.modules.get("__main__") or ModuleType("__main__"))
    hidden = {name: names.pop(name) for name in ("__file__", "__spec__") if name in names}
    names["__spec__"] = None
    try:
        yield
    finally:
        names.pop("__spec__", None)
        names.update(hidden)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name in _THREAD_VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(before)


# ---------------------------------------------------------------- in the worker


def _begin(parent: int, initializer: Callable[[], None] | None) -> None:
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, args=(parent,), name="end with parent", daemon=True).start()
    if initializer is not None:
        initializer()


def _end_with_parent(parent: int) -> None:
    """Sleep until the parent has gone, then end at once.

    No signal of the kernel's: that one also comes when only the thread ends that started this process.
    """
    from multiprocessing import connection, parent_process

    process = parent_process()
    if process is None or process.pid != parent:
        return
    connection.wait([process.sentinel])
    os._exit(1)
