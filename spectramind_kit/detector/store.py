"""The store of light curves, one verified file per visit, and the job that fills it, resumably and in parallel."""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from spectramind_kit.detector.csv_table import Tell
from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import (
    AdcInfo,
    AxisInfo,
    SharedTables,
    VisitFiles,
    find_visits,
    read_shared_tables,
)
from spectramind_kit.detector.light_curve import LightCurve, load_with_extra
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import cpu_count, free_memory_mb, progress, say, say_once

MEMORY_PER_WORKER_MB = 1000.0
_KEPT_FREE_MB = 1500.0
_FOOTER_BYTES = 65536
_NAME = re.compile(r"^(\d+)_(\d+)\.npz$")
_THREAD_VARIABLES = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class LightCurveStore:
    """Light curves of many visits under ``<root>/<settings digest>/<planet>_<visit>.npz``.

    Other settings have another digest, so another folder: a stale light curve is never mistaken for a fresh one.
    """

    def __init__(self, root: str | Path, settings_digest: str | DetectorSettings | None = None):
        if settings_digest is None:
            settings_digest = DetectorSettings()
        self.settings_digest = settings_digest if isinstance(settings_digest, str) else settings_digest.digest
        self.root = Path(root)
        self.folder = self.root / self.settings_digest

    def __repr__(self) -> str:
        return f"LightCurveStore({str(self.root)!r}, settings_digest={self.settings_digest!r})"

    def __len__(self) -> int:
        return len(self.visits())

    def path(self, planet_id: int, visit: int) -> Path:
        return self.folder / f"{planet_id}_{visit}.npz"

    def visits(self) -> list[tuple[int, int]]:
        """(planet_id, visit) of every file, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted((int(m.group(1)), int(m.group(2))) for p in self.folder.iterdir() if (m := _NAME.match(p.name)))

    def has(self, planet_id: int, visit: int) -> bool:
        return self.path(planet_id, visit).is_file()

    def load(self, planet_id: int, visit: int) -> LightCurve:
        """Read and verify one light curve.

        Raises
        ------
        DataError
            Not there, damaged, or the file of another visit.
        """
        return self._load(planet_id, visit)[0]

    def save(self, curve: LightCurve, *, source: str = "") -> Path:
        """Write atomically. ``source``: fingerprint of the files it came from (`source_fingerprint`)."""
        path = self.path(curve.planet_id, curve.visit)
        curve.save(path, extra={"source": source, "settings": self.settings_digest})
        return path

    def is_current(self, files: VisitFiles) -> tuple[bool, str]:
        """Whether the stored light curve of a visit can be used, and why not: absent (no reason), damaged or stale."""
        if not self.has(files.planet_id, files.visit):
            return False, ""
        try:
            _, extra = self._load(files.planet_id, files.visit)
        except DataError as error:
            return False, f"damaged ({error.found})"
        if extra.get("source") and extra["source"] != source_fingerprint(files):
            return False, "stale (the visit's files have changed)"
        return True, ""

    def _load(self, planet_id: int, visit: int) -> tuple[LightCurve, dict[str, str]]:
        path = self.path(planet_id, visit)
        curve, extra = load_with_extra(path)
        if (curve.planet_id, curve.visit) != (planet_id, visit):
            raise DataError("a light curve file belongs to another visit", where=str(path), expected=f"{planet_id}_{visit}",
                            found=f"{curve.planet_id}_{curve.visit}", fix="delete it; it is computed again")
        return curve, extra


def source_fingerprint(files: VisitFiles) -> str:
    """Sizes of the visit's files and a CRC of the ends of its two signals (the footers, with each column's statistics).

    Reads 128 kB; does not use time stamps, which change when a data set is copied or mounted elsewhere. Files that are
    absent do not count, so that a kernel which has the store but not the raw data still gets an answer.
    """
    crc = 0
    for path in files.all_files():
        size = path.stat().st_size if path.is_file() else -1
        crc = zlib.crc32(f"{path.name}:{size};".encode(), crc)
    for path in (files.signal(FGS1), files.signal(AIRS)):
        if path.is_file():
            with open(path, "rb") as file:
                file.seek(max(0, path.stat().st_size - _FOOTER_BYTES))
                crc = zlib.crc32(file.read(), crc)
    return f"{crc:08x}"


@dataclass(frozen=True)
class Failure:
    """One visit that gave no light curve, and why."""

    planet_id: int
    visit: int
    error: str


@dataclass(frozen=True)
class BuildReport:
    """What `build_light_curves` did. ``done`` were computed, ``reused`` were in the store."""

    store: LightCurveStore
    done: list[tuple[int, int]]
    reused: list[tuple[int, int]]
    failed: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def visits(self) -> list[tuple[int, int]]:
        """Visits that have a light curve now."""
        return sorted([*self.done, *self.reused])


def build_light_curves(data_dir: str | Path, store_root: str | Path, *, split: str = "train",
                       settings: DetectorSettings | None = None, workers: int | None = None,
                       executor: Executor | None = None, shard: str | tuple[int, int] | None = None,
                       planets: Sequence[int] | None = None, tables: SharedTables | None = None,
                       tell: Tell = say_once) -> BuildReport:
    """Fill the store with the light curves of a split. Finished visits are not computed again.

    Parameters
    ----------
    data_dir, store_root : the competition's folder, and where the store lives.
    split : ``train`` or ``test``.
    workers : processes; by default what cores and free memory allow. 1 computes in this process.
    executor : any ``concurrent.futures.Executor`` (a Dask client's ``get_executor()``, Ray's, MPI's …) to use instead.
        Its workers must see both folders under the same paths.
    shard : ``"2/5"``: the second of five parts of the planets, for kernels that split the work. A planet's visits stay
        together.
    planets : only these.
    tables : `read_shared_tables` of the data folder; read from it when not given.
    tell : is given what is odd about folders and tables, in plain sentences.

    Returns
    -------
    BuildReport. A visit that cannot be used is in ``failed`` with its reason; the others go on.

    Raises
    ------
    DataError
        Only for what concerns every visit: the folder, the shared tables, the arguments.
    """
    started = time.monotonic()
    settings = settings or DetectorSettings()
    store = LightCurveStore(store_root, settings)
    visits = select_shard(find_visits(data_dir, split, tell=tell), shard)
    if planets is not None:
        wanted = {int(p) for p in planets}
        visits = [v for v in visits if v.planet_id in wanted]
    shared = tables if tables is not None else read_shared_tables(data_dir, tell=tell)
    store.folder.mkdir(parents=True, exist_ok=True)
    todo, reused = [], []
    for files in visits:
        current, reason = store.is_current(files)
        if current:
            reused.append((files.planet_id, files.visit))
            continue
        if reason:
            say(f"{files.label}: the stored light curve is {reason}; it is computed again")
        todo.append(files)
    done: list[tuple[int, int]] = []
    failed: list[Failure] = []
    if todo:
        label = f"light curves ({split}{f', shard {shard}' if shard else ''})"
        with _executor(executor, workers=workers, n_visits=len(todo)) as pool:
            results = _run(pool, todo, store, settings, (shared.axis, shared.adc, shared.wavelength_um))
            for files, error in progress(results, desc=label, total=len(todo), unit="visits"):
                if error is None:
                    done.append((files.planet_id, files.visit))
                else:
                    failed.append(Failure(files.planet_id, files.visit, error))
                    say(f"{files.label} has no light curve: {error}")
    return BuildReport(store=store, done=sorted(done), reused=reused, seconds=time.monotonic() - started,
                       failed=sorted(failed, key=lambda f: (f.planet_id, f.visit)))


def select_shard(visits: Sequence[VisitFiles], shard: str | tuple[int, int] | None) -> list[VisitFiles]:
    """Every n-th planet, starting from the i-th: ``"1/3"`` … ``"3/3"`` share the planets out without overlap."""
    if shard is None or shard == "":
        return list(visits)
    try:
        index, count = (int(v) for v in (shard.split("/") if isinstance(shard, str) else shard))
    except ValueError:
        index, count = 0, 0
    if not 1 <= index <= count:
        raise DataError("not a shard", found=repr(shard), expected="'i/n' with 1 ≤ i ≤ n", fix="e.g. shard='1/4'")
    mine = set(sorted({v.planet_id for v in visits})[index - 1::count])
    return [v for v in visits if v.planet_id in mine]


def choose_workers(n_visits: int, *, workers: int | None = None) -> int:
    """Processes that cores and free memory allow; one line says which of the two decided."""
    if workers is not None:
        if workers < 1:
            raise DataError("not a number of workers", found=str(workers), expected="1 or more", fix="leave it out")
        return min(workers, max(1, n_visits))
    cores, free = cpu_count(), free_memory_mb()
    by_memory = max(1, int((free - _KEPT_FREE_MB) // MEMORY_PER_WORKER_MB)) if free != float("inf") else cores
    chosen = max(1, min(cores, by_memory, n_visits))
    say(f"light curves: {chosen} worker{'s' if chosen > 1 else ''} for {n_visits} visits ({cores} cores, "
        f"{free / 1000:.1f} GB free, {MEMORY_PER_WORKER_MB / 1000:.1f} GB per worker)")
    return chosen


def build_one(files: VisitFiles, store: LightCurveStore, settings: DetectorSettings,
              tables: tuple[AxisInfo, AdcInfo, object]) -> str | None:
    """One visit: None, or why there is no light curve. Runs in a worker process or on a cluster's node."""
    from spectramind_kit.detector.extraction import extract

    axis, adc, wavelength_um = tables
    try:
        curve = extract(files, settings=settings, axis=axis, adc=adc, wavelength_um=wavelength_um)
        store.save(curve, source=source_fingerprint(files))
    except DataError as error:
        text = str(error)
        return text if str(files.planet_id) in text else f"{files.label}: {text}"
    except Exception as error:  # a planet that breaks in a way nobody foresaw costs that planet, not the run
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        return str(DataError("an unexpected failure", where=f"{files.label}, {Path(place.filename).name}:{place.lineno}",
                             found=f"{type(error).__name__}: {error}", expected="a light curve",
                             fix="please report it with this line; the other planets go on"))
    return None


def _run(pool: Executor | None, todo: Sequence[VisitFiles], store: LightCurveStore, settings: DetectorSettings,
         tables: tuple) -> Iterator[tuple[VisitFiles, str | None]]:
    if pool is None:
        for files in todo:
            yield files, build_one(files, store, settings, tables)
        return
    futures = {pool.submit(build_one, files, store, settings, tables): files for files in todo}
    left = dict(futures)
    try:
        for future in as_completed(futures):
            files = futures[future]
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                break
            left.pop(future)
            yield files, (f"{files.label}: the worker failed: {type(error).__name__}: {error}" if error else future.result())
    except BrokenProcessPool:
        pass
    if left:
        say(f"a worker was killed, most likely for memory: the {len(left)} visits left are computed one at a time")
        for files in left.values():
            yield files, (None if store.is_current(files)[0] else build_one(files, store, settings, tables))


@contextmanager
def _executor(given: Executor | None, *, workers: int | None, n_visits: int) -> Iterator[Executor | None]:
    if given is not None:
        yield given
        return
    chosen = choose_workers(n_visits, workers=workers)
    if chosen == 1:
        yield None
        return
    # one thread per worker: the workers share the cores. Fresh processes, since a fork of a process with threads can hang.
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update({name: "1" for name in _THREAD_VARIABLES})
    try:
        with ProcessPoolExecutor(max_workers=chosen, mp_context=get_context("spawn")) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
