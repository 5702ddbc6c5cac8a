"""The store of light curves, one verified file per visit, and the job that fills it, resumably and in
parallel."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spectramind_kit.detector.csv_table import Tell
from spectramind_kit.detector.layout import SharedTables, VisitFiles, find_visits, read_shared_tables
from spectramind_kit.detector.light_curve import LightCurve, load_with_extra
from spectramind_kit.detector.parquet_reader import reader_in_use
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.source import source_changes, source_fingerprints
from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.runtime import cpu_count, free_memory_mb, progress, say, say_once, say_some
from spectramind_kit.worker_processes import worker_pool

MEMORY_PER_WORKER_MB = 1000.0
_KEPT_FREE_MB = 1500.0
_CHECKS_AT_A_TIME = 8  # a check waits for the disk (or for Kaggle's mount) more than it computes
_NAME = re.compile(r"^(\d+)_(\d+)\.npz$")


class LightCurveStore:
    """Light curves of many visits under ``<root>/<settings digest>/<planet>_<visit>.npz``.

    Other settings have another digest, so another folder; each file carries the fingerprints of what it was
    made from (`detector.source`): a stale light curve is never mistaken for a fresh one.
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
        return sorted(
            (int(m.group(1)), int(m.group(2))) for p in self.folder.iterdir() if (m := _NAME.match(p.name))
        )

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

    def save(self, curve: LightCurve, *, source: Mapping[str, str] | None = None) -> Path:
        """Write atomically. ``source``: fingerprints of what it came from (`source_fingerprints`)."""
        path = self.path(curve.planet_id, curve.visit)
        curve.save(path, extra={"source": dict(source or {}), "settings": self.settings_digest})
        return path

    def is_current(self, files: VisitFiles, tables: SharedTables | None = None) -> tuple[bool, str]:
        """Whether the stored light curve of a visit can be used, and why not: absent (no reason), damaged or
        stale.

        ``tables``: the shared ones (`read_shared_tables`); without them only the visit's files are compared.
        """
        if not self.has(files.planet_id, files.visit):
            return False, ""
        try:
            _, extra = self._load(files.planet_id, files.visit)
        except DataError as error:
            return False, f"damaged ({error.found})"
        if extra.get("settings", self.settings_digest) != self.settings_digest:
            return False, "stale (it was made with other settings)"
        reason = source_changes(extra.get("source"), files, tables)
        return (False, f"stale ({reason})") if reason else (True, "")

    def check(
        self, visits: Sequence[VisitFiles], tables: SharedTables | None = None
    ) -> dict[VisitFiles, tuple[bool, str]]:
        """`is_current` of many visits, several at a time."""
        with ThreadPoolExecutor(_CHECKS_AT_A_TIME) as pool:
            return dict(zip(visits, pool.map(lambda files: self.is_current(files, tables), visits)))

    def _load(self, planet_id: int, visit: int) -> tuple[LightCurve, dict[str, Any]]:
        path = self.path(planet_id, visit)
        curve, extra = load_with_extra(path)
        if (curve.planet_id, curve.visit) != (planet_id, visit):
            raise DataError(
                "a light curve file belongs to another visit",
                where=str(path),
                expected=f"{planet_id}_{visit}",
                found=f"{curve.planet_id}_{curve.visit}",
                fix="delete it; it is computed again",
            )
        return curve, extra


def say_stale(reasons: Mapping[VisitFiles, str], *, whose: str = "the stored light curve") -> None:
    """A line for each visit whose light curve is computed again, and why; after ten of them a count."""
    lines = [f"{files.label}: {whose} is {reason}; it is computed again" for files, reason in reasons.items()]
    say_some(lines, rest="more visits, for reasons of the same kind")


@dataclass(frozen=True)
class BuildReport:
    """What `build_light_curves` did. ``done`` were computed, ``reused`` were in the store."""

    store: LightCurveStore
    done: list[tuple[int, int]]
    reused: list[tuple[int, int]]
    failed: list[PlanetFailure] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def visits(self) -> list[tuple[int, int]]:
        """Visits that have a light curve now."""
        return sorted([*self.done, *self.reused])


def build_light_curves(
    data_dir: str | Path,
    store_root: str | Path,
    *,
    split: str = "train",
    settings: DetectorSettings | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    shard: str | tuple[int, int] | None = None,
    planets: Sequence[int] | None = None,
    tables: SharedTables | None = None,
    tell: Tell = say_once,
) -> BuildReport:
    """Fill the store with the light curves of a split. Finished visits are not computed again.

    Parameters
    ----------
    data_dir, store_root : the competition's folder, and where the store lives.
    split : ``train`` or ``test``.
    workers : processes; by default what cores and free memory allow. 1 computes in this process.
    executor : any ``concurrent.futures.Executor`` (a Dask client's ``get_executor()``, Ray's, MPI's …) to use
    instead.
        Its workers must see both folders under the same paths.
    shard : ``"2/5"``: the second of five parts of the planets, for kernels that split the work. A planet's
    visits stay
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
    tables = tables if tables is not None else read_shared_tables(data_dir, tell=tell)
    store.folder.mkdir(parents=True, exist_ok=True)
    checked = store.check(visits, tables)
    todo = [files for files, (current, _) in checked.items() if not current]
    reused = [(files.planet_id, files.visit) for files, (current, _) in checked.items() if current]
    stale = {files: reason for files, (current, reason) in checked.items() if reason}
    say_stale(stale)
    # gone before it is computed: should that fail, nothing takes the old one for a result
    for files in stale:
        store.path(files.planet_id, files.visit).unlink(missing_ok=True)
    done: list[tuple[int, int]] = []
    failed: list[PlanetFailure] = []
    if todo:
        label = f"light curves ({split}{f', shard {shard}' if shard else ''})"
        with _executor(executor, workers=workers, n_visits=len(todo)) as pool:
            results = _run(pool, todo, store, settings, tables)
            for files, error in progress(results, desc=label, total=len(todo), unit="visits"):
                if error is None:
                    done.append((files.planet_id, files.visit))
                else:
                    failed.append(PlanetFailure(files.planet_id, error, visit=files.visit))
                    say(f"{files.label} has no light curve: {error}")
    return BuildReport(
        store=store,
        done=sorted(done),
        reused=reused,
        seconds=time.monotonic() - started,
        failed=sorted(failed, key=lambda f: (f.planet_id, f.visit)),
    )


def select_shard(visits: Sequence[VisitFiles], shard: str | tuple[int, int] | None) -> list[VisitFiles]:
    """Every n-th planet, starting from the i-th: ``"1/3"`` … ``"3/3"`` share the planets out without
    overlap."""
    if shard is None or shard == "":
        return list(visits)
    try:
        index, count = (int(v) for v in (shard.split("/") if isinstance(shard, str) else shard))
    except ValueError:
        index, count = 0, 0
    if not 1 <= index <= count:
        raise DataError(
            "not a shard", found=repr(shard), expected="'i/n' with 1 ≤ i ≤ n", fix="e.g. shard='1/4'"
        )
    mine = set(sorted({v.planet_id for v in visits})[index - 1 :: count])
    return [v for v in visits if v.planet_id in mine]


def choose_workers(n_visits: int, *, workers: int | None = None) -> int:
    """Processes that cores and free memory allow; one line says which of the two decided."""
    if workers is not None:
        if workers < 1:
            raise DataError(
                "not a number of workers", found=str(workers), expected="1 or more", fix="leave it out"
            )
        chosen, free = min(workers, max(1, n_visits)), free_memory_mb()
        if chosen > 1 and free < chosen * MEMORY_PER_WORKER_MB:
            needed = chosen * MEMORY_PER_WORKER_MB
            say(
                f"light curves: {chosen} workers, as asked, may take {needed / 1000:.1f} GB; "
                f"{free / 1000:.1f} GB are free"
            )
        return chosen
    cores, free = cpu_count(), free_memory_mb()
    by_memory = max(1, int((free - _KEPT_FREE_MB) // MEMORY_PER_WORKER_MB)) if free != float("inf") else cores
    chosen = max(1, min(cores, by_memory, n_visits))
    say(
        f"light curves: {chosen} worker{'s' if chosen > 1 else ''} for {n_visits} visits ({cores} cores, "
        f"{free / 1000:.1f} GB free, {MEMORY_PER_WORKER_MB / 1000:.1f} GB per worker)"
    )
    if free < MEMORY_PER_WORKER_MB:
        say(
            f"light curves: a visit at full cadence takes up to {MEMORY_PER_WORKER_MB / 1000:.1f} GB, "
            f"and {free:.0f} MB are free: this process may be killed for memory"
        )
    return chosen


def build_one(
    files: VisitFiles, store: LightCurveStore, settings: DetectorSettings, tables: SharedTables
) -> str | None:
    """One visit: None, or why there is no light curve. Runs in a worker process or on a cluster's node."""
    from spectramind_kit.detector.extraction import extract_light_curve

    try:
        # before they are read: what changes meanwhile counts as a change
        source = source_fingerprints(files, tables)
        curve = extract_light_curve(
            files, settings=settings, axis=tables.axis, adc=tables.adc, wavelength_um=tables.wavelength_um
        )
        store.save(curve, source=source)
    except DataError as error:
        text = str(error)
        return text if str(files.planet_id) in text else f"{files.label}: {text}"
    except OSError as error:  # a full disk, a folder without the right to write, a network disk that has gone
        return str(
            DataError(
                "the light curve cannot be computed or kept",
                where=f"{files.label}, {error.filename or store.folder}",
                found=f"{type(error).__name__}: {error}",
                expected="files that can be read, and room to write",
                fix="make room or choose another folder, and run again: what is done is kept",
            )
        )
    except Exception as error:  # a planet that breaks in a way nobody foresaw costs that planet, not the run
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        return str(
            DataError(
                "an unexpected failure",
                where=f"{files.label}, {Path(place.filename).name}:{place.lineno}",
                found=f"{type(error).__name__}: {error}",
                expected="a light curve",
                fix="please report it with this line; the other planets go on",
            )
        )
    return None


def _run(
    pool: Executor | None,
    todo: Sequence[VisitFiles],
    store: LightCurveStore,
    settings: DetectorSettings,
    tables: SharedTables,
) -> Iterator[tuple[VisitFiles, str | None]]:
    if pool is None:
        for files in todo:
            yield files, build_one(files, store, settings, tables)
        return
    left = {(files.planet_id, files.visit): files for files in todo}
    try:
        futures = {pool.submit(build_one, files, store, settings, tables): files for files in todo}
        for future in as_completed(futures):
            files = futures[future]
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                break
            left.pop((files.planet_id, files.visit))
            yield (
                files,
                (
                    f"{files.label}: the worker failed: {type(error).__name__}: {error}"
                    if error
                    else future.result()
                ),
            )
    except BrokenProcessPool:
        pass
    if left:
        say(
            f"a worker was killed, most likely for memory: the {len(left)} visits left are computed one at a "
            "time"
        )
        for files in left.values():
            yield (
                files,
                (None if store.is_current(files, tables)[0] else build_one(files, store, settings, tables)),
            )


@contextmanager
def _executor(given: Executor | None, *, workers: int | None, n_visits: int) -> Iterator[Executor | None]:
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
