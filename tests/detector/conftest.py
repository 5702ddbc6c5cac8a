"""A small competition made by a few lines of NumPy, not by the simulator: static profiles, a box transit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

GAIN, OFFSET = 0.4369, -1000.0
DEPTH = 0.02


@dataclass(frozen=True)
class Shape:
    """What a synthetic competition can vary."""

    n_airs: int = 160
    ratio: float = 12.0
    dtype: str = "uint16"
    compression: str = "zstd"
    row_group_size: int | None = None
    seed: int = 1
    noise: bool = True


def parquet(
    values: np.ndarray,
    path: Path,
    *,
    compression: str = "zstd",
    row_group_size: int | None = None,
    index: bool = False,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {f"column_{i}": np.ascontiguousarray(values[:, i]) for i in range(values.shape[1])}
    if index:
        columns["__index_level_0__"] = np.arange(len(values))
    pq.write_table(
        pa.table(columns),
        path,
        compression=compression,
        row_group_size=row_group_size or max(1, len(values)),
        write_statistics=False,
    )


def write_tables(root: Path, shape: Shape, planets: list[int]) -> None:
    """Every table of the official layout; axis_info covers exactly the frames of ``shape``."""
    import pandas as pd

    root.mkdir(parents=True, exist_ok=True)
    um = np.linspace(4.08, 1.63, 356)
    wavelengths = np.r_[0.7, um[39:321][::-1]]
    names = [f"wl_{k}" for k in range(1, 284)]
    pd.DataFrame([wavelengths], columns=names).to_csv(root / "wavelengths.csv", index=False)
    airs, fgs1 = frame_times(shape)
    n = max(len(airs), len(fgs1), 356)

    def pad(v):
        return np.r_[v, np.full(n - len(v), np.nan)]

    axis = {
        "AIRS-CH0-axis0-h": pad(airs),
        "AIRS-CH0-axis2-um": pad(um),
        "FGS1-axis0-h": pad(fgs1),
        "AIRS-CH0-integration_time": pad(np.tile([0.1, 4.5], len(airs) // 2)),
    }
    pq.write_table(pa.table(axis), root / "axis_info.parquet")
    pd.DataFrame(
        [
            {
                "FGS1_adc_offset": OFFSET,
                "FGS1_adc_gain": GAIN,
                "AIRS-CH0_adc_offset": OFFSET,
                "AIRS-CH0_adc_gain": GAIN,
            }
        ]
    ).to_csv(root / "adc_info.csv", index=False)
    star = {"Rs": 1.0, "Ms": 1.0, "Ts": 5800.0, "Mp": 1.0, "e": 0.0, "P": 4.0, "sma": 10.0, "i": 89.0}
    for split, ids in (("train", planets), ("test", [float(p) for p in planets])):
        pd.DataFrame([{"planet_id": p, **star} for p in ids]).to_csv(
            root / f"{split}_star_info.csv", index=False
        )
    pd.DataFrame([{"planet_id": p, **dict.fromkeys(names, DEPTH)} for p in planets]).to_csv(
        root / "train.csv", index=False
    )


def frame_times(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Hours of every read: AIRS pairs every 144 s, FGS1 ``ratio`` times as often, stamps 0.1 s apart."""
    pairs = shape.n_airs // 2
    cadence = 144.0
    n_fgs1 = int(round(pairs * shape.ratio))
    airs = np.arange(pairs) * cadence + 0.1
    step = cadence * pairs / n_fgs1
    fgs1 = (
        np.arange(n_fgs1) * step + 0.1 + 0.5 * step if shape.ratio != 12.0 else np.arange(n_fgs1) * step + 0.1
    )
    return tuple(np.stack([t, t + 0.1], axis=1).ravel() / 3600.0 for t in (airs, fgs1))


def truth(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """(pairs,) relative flux of AIRS and FGS1: a box transit in the middle third of the visit."""
    airs, fgs1 = (t[::2] for t in frame_times(shape))
    end = airs[-1]
    return tuple(np.where((t > end / 3) & (t < 2 * end / 3), 1 - DEPTH, 1.0) for t in (airs, fgs1))


def scene() -> tuple[np.ndarray, np.ndarray]:
    """e⁻ per exposure of every pixel: AIRS (32, 356), FGS1 (32, 32)."""
    row = np.arange(32)
    airs = np.exp(-0.5 * ((row - 15.5) / 1.4) ** 2)
    airs = airs[:, None] / airs.sum() * np.linspace(20e3, 90e3, 356)[None, :]
    fgs1 = np.exp(-0.5 * ((row[:, None] - 15.4) ** 2 + (row[None, :] - 15.3) ** 2) / 1.5**2)
    return airs, fgs1 / fgs1.sum() * 2.5e5


def write_visit(folder: Path, visit: int, shape: Shape) -> None:
    """Signals and calibration of one visit: flat, dark, linearity and dead pixels as the recipe undoes
    them."""
    rng = np.random.default_rng(shape.seed)
    for name, image, curve in zip(("AIRS-CH0", "FGS1"), scene(), truth(shape), strict=True):
        pixels = image.shape
        flat = rng.normal(1.0, 0.01, pixels)
        dead = rng.random(pixels) < 0.002
        dark = np.abs(rng.normal(0.006, 0.001, pixels))
        read = np.full(pixels, 12.0)
        linear = np.zeros((6, *pixels))
        linear[0], linear[1], linear[2] = 0.2, 1.0, 1e-7
        signal = curve[:, None, None] * np.where(dead, 0.0, image * flat)
        if shape.noise:
            signal = signal + np.sqrt(np.maximum(signal, 0)) * rng.standard_normal(signal.shape)
        ramp = 4.5 if name == "AIRS-CH0" else 0.1
        first = np.zeros_like(signal) + 5.0
        last = first + signal + dark * ramp
        frames = np.empty((2 * len(curve), image.size))
        for k, electrons in enumerate((first, last)):
            measured = (electrons - 0.2) * (1.0 - 1e-7 * electrons)  # inverse of 0.2 + x + 1e-7 x², to 1e-9
            if shape.noise:
                measured = measured + 12.0 * rng.standard_normal(measured.shape)
            frames[k::2] = np.clip((measured - OFFSET) * GAIN + 0.5, 0, 65535).reshape(len(curve), -1)
        parquet(
            frames.astype(shape.dtype),
            folder / f"{name}_signal_{visit}.parquet",
            compression=shape.compression,
            row_group_size=shape.row_group_size,
        )
        base = folder / f"{name}_calibration_{visit}"
        for product, values in (
            ("dark", dark),
            ("dead", dead),
            ("flat", np.where(dead, 0.01, flat)),
            ("read", read),
            ("linear_corr", linear.reshape(-1, pixels[1])),
        ):
            parquet(values, base / f"{product}.parquet")


@pytest.fixture(scope="session")
def make_competition(tmp_path_factory):
    """make_competition(shape, planets=[…]) -> data folder. One visit per planet; equal requests are written
    once."""
    made: dict[tuple, Path] = {}

    def make(shape: Shape | None = None, *, planets: tuple[int, ...] = (11,), fresh: bool = False) -> Path:
        shape = shape or Shape()
        key = (shape, planets)
        if key not in made:
            root = tmp_path_factory.mktemp("competition")
            write_tables(root, shape, list(planets))
            first = root / "train" / str(planets[0])
            write_visit(first, 0, shape)
            # the same frames under another name: these tests are about files, not about planets
            for planet in planets[1:]:
                shutil.copytree(first, root / "train" / str(planet))
            (root / "test").mkdir()
            made[key] = root
        if not fresh:
            return made[key]
        copy = tmp_path_factory.mktemp("copy") / "competition"
        shutil.copytree(made[key], copy)
        return copy

    return make


@pytest.fixture
def data(make_competition):
    """A data folder of three planets that a test may damage."""
    return make_competition(fresh=True, planets=(11, 7, 5))


@pytest.fixture(scope="session")
def edit():
    """edit(path, change): a CSV table with ``change`` (table → table) applied to it."""
    import pandas as pd

    return lambda path, change: change(pd.read_csv(path)).to_csv(path, index=False)


@pytest.fixture
def read_table(tmp_path):
    """read_table(content, …) -> (table with the columns a and b, what was told)."""
    from spectramind_kit.detector.planet_rows import read_planet_table

    def read(content: str | bytes, **options):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        told: list[str] = []
        return read_planet_table(path, ("a", "b"), tell=told.append, **options), " | ".join(told)

    return read


@pytest.fixture(scope="session")
def built(make_competition, tmp_path_factory):
    """A data folder of three planets and the store that was filled from it, once."""
    from spectramind_kit.detector import build_light_curves

    data = make_competition(planets=(11, 12, 13), fresh=True)
    report = build_light_curves(data, tmp_path_factory.mktemp("store"), workers=1)
    assert len(report.done) == 3
    return data, report.store


@pytest.fixture(scope="session")
def open_visit(make_competition):
    """open_visit(instrument, …settings) -> RawVisit of the first visit, from files that are in order."""
    from spectramind_kit.detector import DetectorSettings, find_visits, read_shared_tables
    from spectramind_kit.detector.raw_visit import VisitSource, read_raw_visit

    def read(instrument, **settings):
        data = make_competition()
        tables = read_shared_tables(data)
        files = find_visits(data, "train")[0]
        source = VisitSource(files, DetectorSettings(**settings), tables.axis, tables.adc)
        return read_raw_visit(source, instrument)

    return read


@pytest.fixture(scope="session")
def kit():
    """The builder's parts, for tests that want to break one of them."""
    import types

    return types.SimpleNamespace(
        Shape=Shape,
        parquet=parquet,
        truth=truth,
        frame_times=frame_times,
        scene=scene,
        write_tables=write_tables,
        write_visit=write_visit,
        GAIN=GAIN,
        OFFSET=OFFSET,
        DEPTH=DEPTH,
    )
