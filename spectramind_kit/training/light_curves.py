"""Stage 1 inside a run: make the light curves of a split, or find those that an earlier kernel made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spectramind_kit.detector import LightCurveStore, find_visits, read_shared_tables
from spectramind_kit.detector.building import build_visits, select_shard
from spectramind_kit.detector.flags import concerns_quality, concerns_the_folder
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.store import say_stale
from spectramind_kit.run_folder.folder import RunFolder

if TYPE_CHECKING:
    from spectramind_kit.detector import LightCurve, SharedTables


def detector_settings(run: RunFolder) -> DetectorSettings:
    """The run's ``data`` group as settings of stage 1."""
    return DetectorSettings.from_mapping(run.config.data)


def extract_light_curves(
    run: RunFolder,
    split: str,
    *,
    shard: str | None = None,
    planet_ids: Sequence[int] | None = None,
    tables: SharedTables | None = None,
) -> dict[int, list[LightCurve]]:
    """Light curves of every planet of a split, computed where neither this run nor an earlier kernel has
    them.

    A visit that cannot be read is recorded in ``run.json`` and left out; the planet goes on with its other
    visit. ``tables``: `read_shared_tables` of the data folder, where the caller has them already.
    """
    settings = detector_settings(run)
    stores = [
        LightCurveStore(folder / "store", settings) for folder in run.earlier if (folder / "store").is_dir()
    ]
    wanted = None if planet_ids is None else {int(p) for p in planet_ids}
    visits = [
        v
        for v in select_shard(find_visits(run.data_dir, split, tell=run.tell), shard)
        if wanted is None or v.planet_id in wanted
    ]
    tables = tables if tables is not None else read_shared_tables(run.data_dir, tell=run.tell)
    known, stale = {}, {}
    for store in stores:
        left = [files for files in visits if (files.planet_id, files.visit) not in known]
        for files, (current, reason) in store.check(left, tables).items():
            if current:
                known[files.planet_id, files.visit] = store.load(files.planet_id, files.visit)
            elif reason:
                stale[files] = reason
    planets = {v.planet_id for v in visits if (v.planet_id, v.visit) not in known}
    missing = [v for v in visits if v.planet_id in planets]
    with run.step(f"light curves of {split}"):
        report = build_visits(missing, run.root / "store", tables=tables, label=split, settings=settings)
    say_stale(
        {files: reason for files, reason in stale.items() if (files.planet_id, files.visit) in report.done},
        whose="the light curve of an earlier kernel",
    )
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
    curves = [curve for planet in found.values() for curve in planet]
    for flag in sorted({f for curve in curves for f in curve.flags if concerns_the_folder(f)}):
        run.tell(flag)
    told = {
        (curve.planet_id, curve.visit): [
            f for f in curve.flags if concerns_quality(f) and not concerns_the_folder(f)
        ]
        for curve in curves
    }
    run.flagged(f"light_curves_{split}", {key: flags for key, flags in told.items() if flags})
    return found
