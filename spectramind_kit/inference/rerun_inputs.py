"""What 03_submit reads before any planet: the rows, the bundle, the star table, the tables of all planets.

Whatever is damaged is told, something stands in for it, and nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from spectramind_kit.detector import LightCurve
from spectramind_kit.detector.csv_table import Tell
from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.detector.layout import (
    SharedTables,
    find_visits,
    read_shared_tables,
    read_star_info,
    read_wavelengths,
)
from spectramind_kit.detector.spectral_axis import bin_order
from spectramind_kit.errors import in_words
from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.inference.rerun_bundle import WITHOUT_BUNDLE, find_bundle, say_doubts, take_settings
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.runtime import say_once
from spectramind_kit.submission import read_submission


@dataclass(frozen=True)
class RerunInputs:
    """What all test planets share."""

    bundle: Bundle | None
    stars: pd.DataFrame
    tables: SharedTables | None  # with the wavelengths in the bundle's order
    order: np.ndarray | None  # (283,) of the submission's bins among the bundle's; None where it is the same


def planets_of_test(data_dir: Path, *, tell: Tell = say_once) -> list[int]:
    """The planets of the test folder; in the order of ``sample_submission.csv`` where that lists the same.

    The sample may be stale (one planet, when the folder holds 1,100): the folder decides. Where it holds no
    planet, the star table does, then the sample; where nothing names one, the list is empty. All of that is
    told, nothing raises.
    """
    try:
        planets = sorted({visit.planet_id for visit in find_visits(data_dir, "test", tell=tell)})
    except Exception as error:
        tell(f"the test folder names no planet: {error}")
        planets = []
    sample = _sample_planets(data_dir, tell=tell if planets else lambda text: None)
    if planets:
        return sample if len(sample) == len(planets) and set(sample) == set(planets) else planets
    try:
        stars = read_star_info(data_dir, "test", tell=tell).index.tolist()
    except Exception:
        stars = []
    found, name = (stars, "test_star_info.csv") if stars else (sample, "sample_submission.csv")
    if found:
        tell(f"the rows are the {len(found)} planets of {name}")
    else:
        what = "no test planet is named anywhere: submission.csv will have a header and no row"
        tell(f"{what}. Look at the data folder's test/")
    return found


def _sample_planets(data_dir: Path, *, tell: Callable[[str], object]) -> list[int]:
    path = data_dir / "sample_submission.csv"
    try:
        return list(dict.fromkeys(read_submission(path)["planet_id"].tolist()))
    except Exception as error:  # absent or damaged: it decides nothing but an order
        if path.exists():
            tell(f"sample_submission.csv cannot be read, the rows are sorted by planet: {in_words(error)}")
        return []


def read_inputs(run: RunFolder) -> RerunInputs:
    """Find the bundle, whose settings the run takes over, and read the tables."""
    bundle = find_bundle(run)
    if bundle is not None:
        take_settings(run, bundle)
        say_doubts(run, bundle)
    stars, tables = stars_of_test(run), tables_of_test(run, bundle)
    if bundle is None or tables is None:
        return RerunInputs(bundle, stars, tables, None)
    # prior and weights know the bins in the order of their training, the submission in wavelengths.csv's
    order = bin_order(tables.wavelength_um, bundle.prior.wavelength_um)
    if order is None:
        run.tell(f"the bundle was trained on other wavelengths than wavelengths.csv has: {WITHOUT_BUNDLE}")
        return RerunInputs(None, stars, tables, None)
    tables = replace(tables, wavelength_um=bundle.prior.wavelength_um)
    return RerunInputs(bundle, stars, tables, order if (order != np.arange(N_BINS)).any() else None)


def stars_of_test(run: RunFolder) -> pd.DataFrame:
    try:
        return read_star_info(run.data_dir, "test", tell=run.tell)
    except Exception as error:  # whatever a file can be: medians stand in
        run.tell(f"no star table for the test planets, medians are used: {error}")
        return pd.DataFrame()


def tables_of_test(run: RunFolder, bundle: Bundle | None) -> SharedTables | None:
    """The tables of all planets; the training's stand in for damaged ones. None where that is not enough."""
    try:
        tables = read_shared_tables(run.data_dir, tell=run.tell, **(bundle.stand_ins if bundle else {}))
    except Exception as error:
        run.tell(f"no planet can be read: {error}")
        return None
    known = bundle.adc.values if bundle and bundle.adc else tables.adc.values
    if not np.allclose(tables.adc.values, known, rtol=0.05, equal_nan=True):
        what = f"adc_info.csv has other gains or offsets, {tables.adc.values}, than the training's, {known}"
        run.tell(f"{what}: they are used as they stand")
    return tables


def wavelengths_of_test(run: RunFolder, tables: SharedTables | None) -> np.ndarray:
    try:
        return tables.wavelength_um if tables is not None else read_wavelengths(run.data_dir, tell=run.tell)
    except Exception:  # told before; only the figures need it
        return np.full(N_BINS, np.nan)


def in_order(curve: LightCurve, wavelength_um: np.ndarray) -> LightCurve:
    """A light curve with its bins at these wavelengths (283,), µm; as it is where it has others."""
    order = bin_order(wavelength_um, curve.wavelength_um)
    if order is None:
        return curve
    flux, flux_err = curve.flux[:, order], curve.flux_err[:, order]
    return replace(curve, flux=flux, flux_err=flux_err, wavelength_um=np.asarray(wavelength_um, np.float64))
