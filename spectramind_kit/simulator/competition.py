"""A whole simulated competition: folders, tables and the truth of the test planets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from spectramind_kit.detector.layout import SPLITS
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import COMPETITION, progress
from spectramind_kit.simulator import writer
from spectramind_kit.simulator.calibration_maps import calibration_products, maps_of_visit
from spectramind_kit.simulator.constants import SENSORS
from spectramind_kit.simulator.frames import simulate_visit
from spectramind_kit.simulator.settings import Effects, Settings
from spectramind_kit.simulator.stars_planets import draw_planet
from spectramind_kit.simulator.visit import VisitTruth, draw_visits
from spectramind_kit.whole_file import whole_file


@dataclass(frozen=True)
class SimulatedCompetition:
    """Where a simulated competition lies, and what its planets are."""

    data_dir: Path
    truth_path: Path  # the test planets' spectra, outside the data folder
    seed: int
    settings: Settings
    train_ids: tuple[int, ...]
    test_ids: tuple[int, ...]

    def ids(self, split: str) -> tuple[int, ...]:
        """planet_id of planets 0, 1, … of a split."""
        return self.train_ids if split == "train" else self.test_ids

    def index(self, planet_id: int) -> tuple[str, int]:
        """(split, index) of a planet: with these `draw_visits` gives back its truth."""
        for split in SPLITS:
            if planet_id in self.ids(split):
                return split, self.ids(split).index(planet_id)
        raise DataError(
            "no such planet in this simulation",
            where=str(self.data_dir),
            found=str(planet_id),
            fix="use an id of train_ids or test_ids",
        )

    def visits(self, planet_id: int) -> list[VisitTruth]:
        """What is true of a planet's visits: light levels, orbit, depths, drift, contamination."""
        return draw_visits(self.seed, *self.index(planet_id), settings=self.settings)


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
    given = {"cadence": cadence, "two_visit_fraction": two_visit_fraction}
    settings = replace(settings or Settings(), **{k: v for k, v in given.items() if v is not None})
    if n_train < 0 or n_test < 0 or jobs < 1:
        found = f"n_train={n_train}, n_test={n_test}, jobs={jobs}"
        raise DataError("a simulation needs counts ≥ 0 and jobs ≥ 1", found=found)
    _claim(Path(out_dir), seed, settings)
    made = _competition(Path(out_dir), seed, settings, {"train": n_train, "test": n_test})
    _write_tables(made)
    _write_planets(made, jobs=jobs)
    return made


def open_simulation(out_dir: str | Path) -> SimulatedCompetition:
    """A simulation made before, with the planets that its folders hold."""
    record = _read_record(Path(out_dir))
    if record is None:
        raise DataError(
            "not a simulated competition",
            where=str(out_dir),
            expected="simulation.json",
            fix="run scripts/simulate first",
        )
    values = record["settings"]
    settings = Settings(**{**values, "effects": Effects(**values["effects"])})
    return _competition(Path(out_dir), record["seed"], settings, record["planets"])


def _competition(root: Path, seed: int, settings: Settings, counts: dict[str, int]) -> SimulatedCompetition:
    train_ids, test_ids = (
        tuple(draw_planet(seed, split, k, settings=settings).planet_id for k in range(counts[split]))
        for split in SPLITS
    )
    return SimulatedCompetition(root / COMPETITION, root / "truth.csv", seed, settings, train_ids, test_ids)


def _write_tables(made: SimulatedCompetition) -> None:
    made.data_dir.mkdir(parents=True, exist_ok=True)
    writer.write_axes(made.data_dir, made.settings)
    for split, table in (("train", made.data_dir / "train.csv"), ("test", made.truth_path)):
        ids = list(made.ids(split))
        truths = [draw_visits(made.seed, split, k, settings=made.settings)[0] for k in range(len(ids))]
        writer.write_csv(writer.spectra_table(ids, np.array([truth.label for truth in truths])), table)
        stars = writer.star_table([t.planet.catalogue_row() for t in truths], float_ids=split == "test")
        writer.write_csv(stars, made.data_dir / f"{split}_star_info.csv")
    sample = writer.sample_submission(list(made.test_ids))
    writer.write_csv(sample, made.data_dir / "sample_submission.csv")
    record = {
        "digest": made.settings.digest(),
        "seed": made.seed,
        "settings": asdict(made.settings),
        "planets": {split: len(made.ids(split)) for split in SPLITS},
    }
    with whole_file(made.truth_path.with_name("simulation.json")) as part:
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _write_planets(made: SimulatedCompetition, *, jobs: int) -> None:
    """Those that are not there yet."""
    scratch, work = made.truth_path.with_name(".partial"), []
    for split in SPLITS:
        (made.data_dir / split).mkdir(parents=True, exist_ok=True)
        missing = (not (made.data_dir / split / str(planet_id)).is_dir() for planet_id in made.ids(split))
        work += [(split, index) for index, is_missing in enumerate(missing) if is_missing]
    writer.remove_stale_scratch(scratch)
    if work:
        make, desc = partial(_write_planet, made, scratch), f"simulate ({made.settings.cadence} cadence)"
        with _one_torch_thread():
            for _ in progress(_run(make, work, jobs), desc=desc, total=len(work), unit="planet"):
                pass
    with suppress(OSError):  # another process may be writing planets of the same folder
        scratch.rmdir()


def _write_planet(made: SimulatedCompetition, scratch: Path, which: tuple[str, int]) -> None:
    split, index = which
    target = made.data_dir / split / str(made.ids(split)[index])
    with writer.whole_folder(target, scratch) as folder:
        for truth in draw_visits(made.seed, split, index, settings=made.settings):
            frames = simulate_visit(made.seed, split, index, truth, settings=made.settings)
            maps = maps_of_visit(made.seed, split, index, truth.visit)
            for sensor, sensor_maps, sensor_frames in zip(SENSORS, maps, frames, strict=True):
                writer.write_signal(folder, sensor, truth.visit, sensor_frames)
                products = calibration_products(sensor_maps, made.settings.effects)
                writer.write_calibration(folder, sensor, truth.visit, products)


def _run(make: Callable, work: list, jobs: int) -> Iterable:
    """Results as they come. Threads, not processes: drawing numbers, array arithmetic and parquet all run
    without Python's lock, the detector maps are shared, and no script needs a ``__main__`` guard for it."""
    if jobs == 1 or len(work) == 1:
        yield from map(make, work)
        return
    with ThreadPoolExecutor(max_workers=min(jobs, len(work))) as pool:
        futures = [pool.submit(make, item) for item in work]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Small arrays: threads inside an operation cost more than they bring, and jobs share the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _read_record(root: Path) -> dict | None:
    path = root / "simulation.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _claim(root: Path, seed: int, settings: Settings) -> None:
    """Refuse a folder that was made with another seed or other settings: its planets would mix with ours."""
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
