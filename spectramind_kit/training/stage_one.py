"""Stage 1 inside a run: make the light curves of a split, or find those that an earlier kernel made."""

from __future__ import annotations

from collections.abc import Sequence

from spectramind_kit.detector import (
    LightCurve,
    LightCurveStore,
    SharedTables,
    find_visits,
    read_shared_tables,
)
from spectramind_kit.detector.building import build_visits, select_shard
from spectramind_kit.detector.flags import concerns_quality, concerns_the_folder
from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.store import say_stale
from spectramind_kit.run_folder.folder import RunFolder

Visit = tuple[int, int]  # planet_id, visit


def extract_light_curves(
    run: RunFolder,
    split: str,
    *,
    shard: str | None = None,
    planet_ids: Sequence[int] | None = None,
    tables: SharedTables | None = None,
) -> dict[int, list[LightCurve]]:
    """Light curves of a split by planet, computed where neither this run nor an earlier kernel has them.

    A visit that cannot be read is recorded in ``run.json`` and left out; the planet goes on with its other
    visit. ``tables``: `read_shared_tables` of the data folder, where the caller has them already.
    """
    settings = DetectorSettings.from_mapping(run.config.data)
    wanted = None if planet_ids is None else {int(p) for p in planet_ids}
    visits = select_shard(find_visits(run.data_dir, split, tell=run.tell), shard)
    visits = [visit for visit in visits if wanted is None or visit.planet_id in wanted]
    tables = tables if tables is not None else read_shared_tables(run.data_dir, tell=run.tell)
    known, stale = _of_earlier_kernels(run, settings, visits, tables)
    planets = {planet for planet, visit in _keys(visits) if (planet, visit) not in known}
    missing = [files for files in visits if files.planet_id in planets]
    with run.step(f"light curves of {split}"):
        report = build_visits(missing, run.root / "store", tables=tables, label=split, settings=settings)
    done = set(report.done)
    again = {files: reason for files, reason in stale.items() if (files.planet_id, files.visit) in done}
    say_stale(again, whose="the light curve of an earlier kernel")
    run.failures(f"light_curves_{split}", report.failed, show=False)  # each was said when it failed
    run.log(
        "light_curves",
        split=split,
        done=len(report.done),
        reused=len(report.reused),
        from_earlier_kernels=len(known),
        failed=len(report.failed),
        seconds=report.seconds,
    )
    found: dict[int, list[LightCurve]] = {}
    for key in sorted({*known, *report.visits}):
        found.setdefault(key[0], []).append(known[key] if key in known else report.store.load(*key))
    _tell_flags(run, split, [curve for curves in found.values() for curve in curves])
    return found


def _keys(visits: Sequence[VisitFiles]) -> list[Visit]:
    return [(files.planet_id, files.visit) for files in visits]


def _of_earlier_kernels(
    run: RunFolder, settings: DetectorSettings, visits: Sequence[VisitFiles], tables: SharedTables
) -> tuple[dict[Visit, LightCurve], dict[VisitFiles, str]]:
    """Light curves that can be used, and why others cannot."""
    known: dict[Visit, LightCurve] = {}
    stale: dict[VisitFiles, str] = {}
    for folder in run.earlier:
        if not (folder / "store").is_dir():
            continue
        store = LightCurveStore(folder / "store", settings)
        left = [files for files, key in zip(visits, _keys(visits)) if key not in known]
        for files, (current, reason) in store.check(left, tables).items():
            if current:
                known[files.planet_id, files.visit] = store.load(files.planet_id, files.visit)
            elif reason:
                stale[files] = reason
    return known, stale


def _tell_flags(run: RunFolder, split: str, curves: Sequence[LightCurve]) -> None:
    """What is said of visits that are used all the same; what concerns the folder is one finding."""
    for flag in sorted({flag for curve in curves for flag in curve.flags if concerns_the_folder(flag)}):
        run.tell(flag)
    flags: dict[Visit, list[str]] = {}
    for curve in curves:
        own = [flag for flag in curve.flags if concerns_quality(flag) and not concerns_the_folder(flag)]
        if own:
            flags[curve.planet_id, curve.visit] = own
    run.flagged(f"light_curves_{split}", flags)
