"""The job that fills the store of light curves: resumable, in parallel, in parts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from spectramind_kit.detector.layout import VisitFiles, find_visits
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import SharedTables, read_shared_tables
from spectramind_kit.detector.store import LightCurveStore, say_stale
from spectramind_kit.detector.visit_job import VisitJob, choose_executor, run_all
from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.runtime import progress, say


@dataclass(frozen=True)
class BuildReport:
    """What `build_light_curves` did; visits are (planet_id, visit)."""

    store: LightCurveStore
    done: list[tuple[int, int]]  # computed
    reused: list[tuple[int, int]]  # were in the store
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
    shard: str | None = None,
    planets: Sequence[int] | None = None,
) -> BuildReport:
    """Fill the store with the light curves of a split. Finished visits are not computed again.

    Parameters
    ----------
    data_dir, store_root : the competition's folder, and where the store lives.
    split : ``train`` or ``test``.
    settings, workers, executor : as in `build_visits`.
    shard : ``"2/5"``: the second of five parts of the planets, for kernels that split the work. A planet's
        visits stay together.
    planets : only these.

    Returns
    -------
    BuildReport. A visit that cannot be used is in ``failed`` with its reason; the others go on.

    Raises
    ------
    DataError
        Only for what concerns every visit: the folder, the shared tables, the arguments.
    """
    visits = select_shard(find_visits(data_dir, split), shard)
    if planets is not None:
        wanted = {int(p) for p in planets}
        visits = [v for v in visits if v.planet_id in wanted]
    given = {"settings": settings, "workers": workers, "executor": executor}
    label = f"{split}, shard {shard}" if shard else split
    return build_visits(visits, store_root, tables=read_shared_tables(data_dir), label=label, **given)


def build_visits(
    visits: Sequence[VisitFiles],
    store_root: str | Path,
    *,
    tables: SharedTables,
    label: str,
    settings: DetectorSettings | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
) -> BuildReport:
    """`build_light_curves` of visits that were found already.

    Parameters
    ----------
    tables : of their data folder.
    label : what they are, for the line of progress.
    settings : by default those that measured best.
    workers : processes; by default what cores and free memory allow. 1 computes in this process.
    executor : any ``concurrent.futures.Executor`` (a Dask client's ``get_executor()``, Ray's, MPI's …) to use
        instead. Its workers must see both folders under the same paths.
    """
    started = time.monotonic()
    settings = settings or DetectorSettings()
    store = LightCurveStore(store_root, settings)
    store.folder.mkdir(parents=True, exist_ok=True)
    checked = store.check(visits, tables)
    todo = [files for files, (current, _) in checked.items() if not current]
    stale = {files: reason for files, (current, reason) in checked.items() if reason}
    say_stale(stale)
    # gone before it is computed: should that fail, nothing takes the old one for a result
    for files in stale:
        store.path(files.planet_id, files.visit).unlink(missing_ok=True)
    failed: list[PlanetFailure] = []
    if todo:
        job = VisitJob(store, settings, tables)
        shown = {"desc": f"light curves ({label})", "total": len(todo), "unit": "visits"}
        with choose_executor(executor, workers=workers, n_visits=len(todo)) as pool:
            for files, error in progress(run_all(job, todo, pool), **shown):
                if error is not None:
                    failed.append(PlanetFailure(files.planet_id, error, visit=files.visit))
                    say(f"{files.label} has no light curve: {error}")
    lost = {(failure.planet_id, failure.visit) for failure in failed}
    return BuildReport(
        store=store,
        done=sorted({(files.planet_id, files.visit) for files in todo} - lost),
        reused=[(files.planet_id, files.visit) for files, (current, _) in checked.items() if current],
        failed=sorted(failed, key=lambda failure: (failure.planet_id, failure.visit)),
        seconds=time.monotonic() - started,
    )


def select_shard(visits: Sequence[VisitFiles], shard: str | None) -> list[VisitFiles]:
    """Every n-th planet, starting from the i-th: ``"1/3"`` … ``"3/3"`` share the planets out."""
    if not shard:
        return list(visits)
    try:
        index, count = map(int, shard.split("/"))
    except ValueError:
        index, count = 0, 0
    if not 1 <= index <= count:
        expected, fix = "'i/n' with 1 ≤ i ≤ n", "e.g. shard='1/4'"
        raise DataError("not a shard", found=repr(shard), expected=expected, fix=fix)
    mine = set(sorted({v.planet_id for v in visits})[index - 1 :: count])
    return [v for v in visits if v.planet_id in mine]
