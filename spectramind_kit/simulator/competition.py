"""A whole simulated competition: folders, tables and the truth of the test planets."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from spectramind_kit.detector.instrument import INSTRUMENTS
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import COMPETITION, progress
from spectramind_kit.simulator import writer
from spectramind_kit.simulator.calibration_maps import (
    DetectorMaps,
    calibration_products,
    draw_maps,
    set_of_planet,
)
from spectramind_kit.simulator.constants import SENSORS
from spectramind_kit.simulator.frames import draw_pointing_path, simulate_frames
from spectramind_kit.simulator.settings import Effects, Settings
from spectramind_kit.simulator.stars_planets import draw_planet, planet_generator
from spectramind_kit.simulator.visit import PURPOSE_DETECTOR, PURPOSE_MAPS, VisitTruth, draw_visits
from spectramind_kit.whole_file import whole_file


@dataclass(frozen=True)
class SimulatedCompetition:
    """Where a simulated competition lies. ``truth_path`` holds the test planets' spectra, outside the data
    folder."""

    data_dir: Path
    truth_path: Path
    seed: int
    settings: Settings
    train_ids: tuple[int, ...]
    test_ids: tuple[int, ...]

    def index(self, planet_id: int) -> tuple[str, int]:
        """(split, index) of a planet: with these `draw_visits` gives back its truth."""
        for split, ids in (("train", self.train_ids), ("test", self.test_ids)):
            if planet_id in ids:
                return split, ids.index(planet_id)
        raise DataError(
            "no such planet in this simulation",
            where=str(self.data_dir),
            found=str(planet_id),
            fix="use an id of train_ids or test_ids",
        )

    def visits(self, planet_id: int) -> list[VisitTruth]:
        """What is true of a planet's visits: light levels, orbit, depths, drift, contamination."""
        split, index = self.index(planet_id)
        return draw_visits(self.seed, split, index, settings=self.settings)


def simulate_competition(
    out_dir: str | Path,
    *,
    n_train: int,
    n_test: int,
    seed: int,
    cadence: str | None = None,
    jobs: int = 1,
    two_visit_fraction: float | None = None,
    settings: Settings | None = None,
) -> SimulatedCompetition:
    """Write a competition in the official layout below ``out_dir``.

    The data go to ``<out_dir>/ariel-data-challenge-2025/``, the truth of the test planets to
    ``<out_dir>/truth.csv``. Planets that are complete are not made again, so an interrupted call is continued
    by repeating it, and a larger ``n_train`` adds planets.

    Parameters
    ----------
    n_train, n_test : int
        Planets in each split. Planet k of a split is the same for any number of planets and jobs.
    seed : int
    cadence : {"reduced", "full"}, optional
        See `Settings`; reduced by default. About 11 MB per reduced visit, 290 MB per full one.
    two_visit_fraction : float, optional
        Share of planets with two visits; 0.1 by default.
    jobs : int
        Planets that are made at the same time (threads); one takes up to 0.3 GB, 1.2 GB at full cadence.
    settings : Settings, optional
        Everything else: switches of the effects, shares of odd planets, ADC. The two arguments above overrule
        it where they are given.

    Raises
    ------
    DataError
        The folder holds a simulation of another seed or other settings.
    """
    given = {
        name: value
        for name, value in (("cadence", cadence), ("two_visit_fraction", two_visit_fraction))
        if value is not None
    }
    settings = replace(settings or Settings(), **given)
    if n_train < 0 or n_test < 0 or jobs < 1:
        raise DataError(
            "a simulation needs counts ≥ 0 and jobs ≥ 1",
            found=f"n_train={n_train}, n_test={n_test}, jobs={jobs}",
        )
    root = Path(out_dir)
    data_dir = root / COMPETITION
    _claim(root, seed, settings)
    ids = {
        split: tuple(draw_planet(seed, split, k, settings=settings).planet_id for k in range(count))
        for split, count in (("train", n_train), ("test", n_test))
    }
    _write_tables(root, data_dir, seed, settings, ids)
    work = [
        (split, k)
        for split in ids
        for k, planet_id in enumerate(ids[split])
        if not (data_dir / split / str(planet_id)).is_dir()
    ]
    for split in ids:
        (data_dir / split).mkdir(parents=True, exist_ok=True)
    writer.remove_stale_scratch(root / ".partial")
    make = partial(_write_planet, root, data_dir, seed, settings)
    if work:
        with _one_torch_thread():
            run = map(make, work) if jobs == 1 or len(work) == 1 else _in_threads(make, work, jobs)
            for _ in progress(
                run, desc=f"simulate ({settings.cadence} cadence)", total=len(work), unit="planet"
            ):
                pass
    with suppress(OSError):  # another process may be writing planets of the same folder
        (root / ".partial").rmdir()
    return SimulatedCompetition(
        data_dir=data_dir,
        truth_path=root / "truth.csv",
        seed=seed,
        settings=settings,
        train_ids=ids["train"],
        test_ids=ids["test"],
    )


def open_simulation(out_dir: str | Path) -> SimulatedCompetition:
    """A simulation made before, with the planets that its folders hold."""
    root = Path(out_dir)
    record = _read_record(root)
    if record is None:
        raise DataError(
            "not a simulated competition",
            where=str(root),
            expected="simulation.json",
            fix="run scripts/simulate first",
        )
    values = dict(record["settings"])
    settings = Settings(**{**values, "effects": Effects(**values["effects"])})
    data_dir = root / COMPETITION
    ids = {}
    for split in ("train", "test"):
        count = record["planets"][split]
        ids[split] = tuple(
            draw_planet(record["seed"], split, k, settings=settings).planet_id for k in range(count)
        )
    return SimulatedCompetition(
        data_dir, root / "truth.csv", record["seed"], settings, ids["train"], ids["test"]
    )


@lru_cache(maxsize=12)
def _maps(seed: int, split: str, number: int) -> tuple[DetectorMaps, ...]:
    return tuple(draw_maps(seed, split, number, sensor) for sensor in SENSORS)


def maps_of_visit(seed: int, split: str, index: int, visit: int) -> tuple[DetectorMaps, ...]:
    """The detectors (AIRS-CH0, FGS1) that a visit was made with."""
    rng = planet_generator(seed, split, index, purpose=PURPOSE_MAPS + visit)
    return _maps(seed, split, set_of_planet(rng, split))


def simulate_visit(
    seed: int, split: str, index: int, truth: VisitTruth, *, settings: Settings
) -> tuple[np.ndarray, ...]:
    """Raw frames of both sensors, (AIRS-CH0, FGS1), each (frames, rows·columns) uint16."""
    rng = planet_generator(seed, split, index, purpose=PURPOSE_DETECTOR + truth.visit)
    path = draw_pointing_path(rng)
    return tuple(
        simulate_frames(truth, maps, sensor, settings=settings, rng=rng, path=path)
        for sensor, maps in zip(SENSORS, maps_of_visit(seed, split, index, truth.visit), strict=True)
    )


def _write_planet(root: Path, data_dir: Path, seed: int, settings: Settings, which: tuple[str, int]) -> int:
    split, index = which
    visits = draw_visits(seed, split, index, settings=settings)
    planet_id = visits[0].planet.planet_id
    with writer.WholeFolder(data_dir / split / str(planet_id), root / ".partial") as folder:
        for truth in visits:
            frames = simulate_visit(seed, split, index, truth, settings=settings)
            maps = maps_of_visit(seed, split, index, truth.visit)
            for instrument, sensor_maps, sensor_frames in zip(INSTRUMENTS, maps, frames, strict=True):
                writer.write_signal(folder, instrument, truth.visit, sensor_frames)
                writer.write_calibration(
                    folder, instrument, truth.visit, calibration_products(sensor_maps, settings.effects)
                )
    return planet_id


def _in_threads(make, work, jobs: int):
    """Results as they come. Threads, not processes: drawing numbers, array arithmetic and parquet all run
    without Python's lock, the detector maps are shared, and no script needs a ``__main__`` guard for it."""
    with ThreadPoolExecutor(max_workers=min(jobs, len(work))) as pool:
        futures = [pool.submit(make, item) for item in work]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def _one_torch_thread():
    """The arrays are small: threads inside an operation cost more than they bring, and jobs share the
    cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _write_tables(
    root: Path, data_dir: Path, seed: int, settings: Settings, ids: dict[str, tuple[int, ...]]
) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    writer.write_axes(data_dir, settings)
    for split, table in (("train", data_dir / "train.csv"), ("test", root / "truth.csv")):
        truths = [draw_visits(seed, split, k, settings=settings)[0] for k in range(len(ids[split]))]
        writer.write_csv(
            writer.spectra_table(list(ids[split]), np.array([truth.label for truth in truths])), table
        )
        writer.write_csv(
            writer.star_table([truth.planet.catalogue_row() for truth in truths], float_ids=split == "test"),
            data_dir / f"{split}_star_info.csv",
        )
    writer.write_csv(writer.sample_submission(list(ids["test"])), data_dir / "sample_submission.csv")
    record = {
        "digest": settings.digest(),
        "seed": seed,
        "settings": asdict(settings),
        "planets": {s: len(v) for s, v in ids.items()},
    }
    with whole_file(root / "simulation.json") as part:
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _read_record(root: Path) -> dict | None:
    path = root / "simulation.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _claim(root: Path, seed: int, settings: Settings) -> None:
    """Refuse a folder that was made with another seed or other settings: its planets would be mixed with
    ours."""
    record = _read_record(root)
    if record is None:
        root.mkdir(parents=True, exist_ok=True)
        return
    mine = {"seed": seed, "digest": settings.digest()}
    if any(record[key] != value for key, value in mine.items()):
        raise DataError(
            "this folder holds another simulation",
            where=str(root),
            expected=str(mine),
            found=str({key: record[key] for key in mine}),
            fix="choose another folder, or remove this one",
        )
