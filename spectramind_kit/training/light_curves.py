"""Stage 1 inside a run: make the light curves of a split, or find those that an earlier kernel made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectramind_kit.detector import LightCurveStore, build_light_curves
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.training.run_folder import RunFolder

if TYPE_CHECKING:
    from spectramind_kit.detector import LightCurve


@dataclass(frozen=True)
class Failure:
    """A planet (or one of its visits) that was given up, and why. The rest of the run goes on."""

    planet_id: int
    error: str
    visit: int | None = None


def detector_settings(run: RunFolder) -> DetectorSettings:
    """The run's ``data`` group as settings of stage 1."""
    return DetectorSettings.from_mapping(run.config.data)


def extract_light_curves(run: RunFolder, split: str, *, shard: str | None = None,
                         planet_ids: Sequence[int] | None = None) -> dict[int, list[LightCurve]]:
    """Light curves of every planet of a split, computed where the store does not have them yet.

    A visit that cannot be read is recorded in ``run.json`` and left out; the planet goes on with its other visit.
    """
    with run.step(f"light curves of {split}"):
        report = build_light_curves(run.data_dir, run.root / "store", split=split, settings=detector_settings(run),
                                    shard=shard, planet_ids=planet_ids, also_read=[f / "store" for f in run.earlier])
    run.failures(f"light_curves_{split}", report.failed)
    run.log("light_curves", split=split, visits=len(report.store.visits()), done=report.done, reused=report.reused,
            failed=len(report.failed), seconds=report.seconds, workers=report.workers, reader=report.reader)
    return load_light_curves(report.store)


def load_light_curves(store: LightCurveStore) -> dict[int, list[LightCurve]]:
    """Everything in a store, as a list of visits for each planet."""
    found: dict[int, list[LightCurve]] = {}
    for planet, visit in store.visits():
        found.setdefault(planet, []).append(store.load(planet, visit))
    return found
