"""One visit's light curve as a job: what a worker does, and how many workers there are."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.parquet_reader import reader_in_use
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import SharedTables
from spectramind_kit.detector.source import source_fingerprints
from spectramind_kit.detector.store import LightCurveStore
from spectramind_kit.errors import DataError, in_words
from spectramind_kit.runtime import cpu_count, free_memory_mb, say
from spectramind_kit.worker_processes import worker_pool

MEMORY_PER_WORKER_MB = 1000.0
_KEPT_FREE_MB = 1500.0


@dataclass(frozen=True)
class VisitJob:
    """What a light curve needs beside its visit's files; travels to worker processes and other nodes."""

    store: LightCurveStore
    settings: DetectorSettings
    tables: SharedTables

    def build(self, files: VisitFiles) -> str | None:
        """None, with the light curve in the store; or why there is none."""
        try:
            self._build(files)
        except DataError as error:
            failure = error
        except OSError as error:  # a full disk, no right to write, a disk that has gone
            failure = DataError(
                "the light curve cannot be computed or kept",
                where=f"{files.label}, {error.filename or self.store.folder}",
                found=in_words(error),
                expected="files that can be read, and room to write",
                fix="make room or choose another folder, and run again: what is done is kept",
            )
        except Exception as error:  # what nobody foresaw costs that planet, not the run
            place = traceback.extract_tb(error.__traceback__)[-1]
            failure = DataError(
                "an unexpected failure",
                where=f"{files.label}, {Path(place.filename).name}:{place.lineno}",
                found=in_words(error),
                expected="a light curve",
                fix="please report it with this line; the other planets go on",
            )
        else:
            return None
        text = str(failure)
        return text if str(files.planet_id) in text else f"{files.label}: {text}"

    def _build(self, files: VisitFiles) -> None:
        from spectramind_kit.detector.extraction import extract_light_curve

        tables, settings = self.tables, self.settings
        source = source_fingerprints(files, tables)  # before they are read: what changes meanwhile counts
        curve = extract_light_curve(
            files, settings=settings, axis=tables.axis, adc=tables.adc, wavelength_um=tables.wavelength_um
        )
        self.store.save(curve, source=source)


def run_all(
    job: VisitJob, todo: Sequence[VisitFiles], pool: Executor | None
) -> Iterator[tuple[VisitFiles, str | None]]:
    """Visits with what `VisitJob.build` says of each, as they get ready; without a pool, in this process."""
    if pool is None:
        for files in todo:
            yield files, job.build(files)
        return
    left = dict.fromkeys(todo)
    try:
        futures = {pool.submit(job.build, files): files for files in todo}
        for future in as_completed(futures):
            files, error = futures[future], future.exception()
            if isinstance(error, BrokenProcessPool):
                break
            del left[files]
            failed = f"{files.label}: the worker failed: {in_words(error)}" if error else None
            yield files, failed or future.result()
    except BrokenProcessPool:
        pass
    if left:
        why = "a worker was killed, most likely for memory"
        say(f"{why}: the {len(left)} visits left are computed one at a time")
        for files in left:
            done = job.store.is_current(files, job.tables)[0]
            yield files, None if done else job.build(files)


def choose_workers(n_visits: int, *, workers: int | None = None) -> int:
    """Processes that cores and free memory allow; one line says which of the two decided."""
    if workers is not None:
        if workers < 1:
            expected, fix = "1 or more", "leave it out"
            raise DataError("not a number of workers", found=str(workers), expected=expected, fix=fix)
        chosen, free = min(workers, max(1, n_visits)), free_memory_mb()
        needed = chosen * MEMORY_PER_WORKER_MB
        if chosen > 1 and free < needed:
            asked = f"{chosen} workers, as asked, may take {needed / 1000:.1f} GB"
            say(f"light curves: {asked}; {free / 1000:.1f} GB are free")
        return chosen
    cores, free = cpu_count(), free_memory_mb()
    by_memory = max(1, int((free - _KEPT_FREE_MB) // MEMORY_PER_WORKER_MB)) if free != float("inf") else cores
    chosen, each = max(1, min(cores, by_memory, n_visits)), f"{MEMORY_PER_WORKER_MB / 1000:.1f} GB"
    say(
        f"light curves: {chosen} worker{'s' if chosen > 1 else ''} for {n_visits} visits ({cores} cores, "
        f"{free / 1000:.1f} GB free, {each} per worker)"
    )
    if free < MEMORY_PER_WORKER_MB:
        say(
            f"light curves: a visit at full cadence takes up to {each}, "
            f"and {free:.0f} MB are free: this process may be killed for memory"
        )
    return chosen


@contextmanager
def choose_executor(
    given: Executor | None, *, workers: int | None, n_visits: int
) -> Iterator[Executor | None]:
    """The executor that was given, else worker processes, else None: this process does the work."""
    reader_in_use()  # said, or raised, here once, and not by every worker
    if given is not None:
        yield given
        return
    chosen = choose_workers(n_visits, workers=workers)
    if chosen == 1:
        yield None
        return
    with worker_pool(chosen, task="light curves") as pool:
        yield pool
