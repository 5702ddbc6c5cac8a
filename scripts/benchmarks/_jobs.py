"""Independent measurements of a benchmark, in worker processes where there are some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from spectramind_kit.runtime import cpu_count
from spectramind_kit.worker_processes import worker_pool

Result = TypeVar("Result")


def in_order(
    function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], *, task: str
) -> Iterator[tuple[tuple[Any, ...], Result]]:
    """Each job, the function's arguments, with its result. ``function`` is of a module, not of the script."""
    with worker_pool(cpu_count(), task=task) as pool:
        found = [pool.submit(function, *job) for job in jobs] if pool else None
        for k, job in enumerate(jobs):
            yield job, found[k].result() if found else function(*job)
