"""What 03_submit reads before any planet: the rows, the star table, the tables of all planets. Whatever is
damaged is told, something stands in for it, and nothing raises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

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
from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.runtime import say_once
from spectramind_kit.submission import read_submission

if TYPE_CHECKING:
    from spectramind_kit.detector import LightCurve


def planets_of_test(data_dir: Path, *, tell: Tell = say_once) -> list[int]:
    """The planets of the test folder; in the order of ``sample_submission.csv`` where that lists the same
    ones.

    The sample may be stale (one planet, when the folder holds 1,100): the folder decides. Where it holds no
    planet, the star table does, then the sample; where nothing names one, the list is empty. All of that is
    told, nothing raises.
    """
    try:
        planets = sorted({visit.planet_id for visit in find_visits(data_dir, "test", tell=tell)})
    except Exception as error:
        tell(f"the test folder names no planet: {error}")
        planets = []
    try:
        sample = read_submission(data_dir / "sample_submission.csv")["planet_id"].tolist()
        sample = list(dict.fromkeys(sample))
    except Exception as error:  # absent or damaged: it decides nothing but an order
        if planets and (data_dir / "sample_submission.csv").exists():
            tell(
                "sample_submission.csv cannot be read, the rows are sorted by planet: "
                f"{type(error).__name__}: {error}"
            )
        sample = []
    if planets:
        return sample if len(sample) == len(planets) and set(sample) == set(planets) else planets
    try:
        stars = read_star_info(data_dir, "test", tell=tell).index.tolist()
    except Exception:
        stars = []
    found, name = (stars, "test_star_info.csv") if stars else (sample, "sample_submission.csv")
    tell(
        f"the rows are the {len(found)} planets of {name}"
        if found
        else "no test planet is named anywhere: submission.csv will have a header and no row. "
        "Look at the data folder's test/"
    )
    return found


def stars_of_test(run: RunFolder) -> pd.DataFrame:
    try:
        return read_star_info(run.data_dir, "test", tell=run.tell)
    except Exception as error:  # whatever a file can be: medians stand in
        run.tell(f"no star table for the test planets, medians are used: {error}")
        return pd.DataFrame()


def tables_of_test(run: RunFolder, bundle: Bundle | None) -> SharedTables | None:
    """The tables of all planets; those of the training stand in for a damaged one. None where that is not
    enough."""
    stand_in = {"adc": bundle.adc, "wavelength_um": bundle.prior.wavelength_um} if bundle else {}
    try:
        tables = read_shared_tables(run.data_dir, tell=run.tell, **stand_in)
    except Exception as error:
        run.tell(f"no planet can be read: {error}")
        return None
    if (
        bundle
        and bundle.adc
        and not np.allclose(tables.adc.values, bundle.adc.values, rtol=0.05, equal_nan=True)
    ):
        run.tell(
            f"adc_info.csv has other gains or offsets, {tables.adc.values}, than the training's, "
            f"{bundle.adc.values}: they are used as they stand"
        )
    return tables


def wavelengths_of_test(run: RunFolder, tables: SharedTables | None) -> np.ndarray:
    try:
        return tables.wavelength_um if tables is not None else read_wavelengths(run.data_dir, tell=run.tell)
    except Exception:  # told before; only the figures need it
        return np.full(N_BINS, np.nan)


def in_order(curve: LightCurve, wavelength_um: np.ndarray) -> LightCurve:
    order = bin_order(wavelength_um, curve.wavelength_um)
    return (
        curve
        if order is None
        else replace(
            curve,
            flux=curve.flux[:, order],
            flux_err=curve.flux_err[:, order],
            wavelength_um=np.asarray(wavelength_um, dtype=np.float64),
        )
    )
