"""The tables that every visit of a data folder needs, read together and checked against each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectramind_kit.detector.adc_info import AdcInfo, read_adc_info
from spectramind_kit.detector.axis_info import AxisInfo, read_axis_info
from spectramind_kit.detector.csv_table import Tell
from spectramind_kit.detector.instrument import AIRS, FGS1_WAVELENGTH_UM, Instrument
from spectramind_kit.detector.spectral_axis import spectral_axis
from spectramind_kit.detector.wavelengths import read_wavelengths
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say_once


@dataclass(frozen=True)
class SharedTables:
    """What every visit of a data folder needs."""

    axis: AxisInfo
    adc: AdcInfo
    wavelength_um: np.ndarray  # (283,) of the bins, FGS1 first

    @property
    def airs(self) -> Instrument:
        """AIRS-CH0 with the cut of the columns that wavelengths.csv names."""
        return spectral_axis(self.axis.airs_wavelength_um, self.wavelength_um).airs

    @property
    def column_um(self) -> np.ndarray:
        """(C,) wavelengths of these columns, in the order of the detector."""
        return self.axis.airs_wavelength_um[self.airs.cut]


def read_shared_tables(
    data_dir: str | Path,
    *,
    adc: AdcInfo | None = None,
    wavelength_um: np.ndarray | None = None,
    tell: Tell = say_once,
) -> SharedTables:
    """axis_info, adc_info and wavelengths together, and checked against each other.

    ``adc`` and ``wavelength_um`` stand in for a table that cannot be used (those of the training, at the
    rerun); that is told. Without a stand-in the wavelengths are those of the AIRS columns in
    axis_info.parquet, as the competition orders them.

    Raises
    ------
    DataError
        A table that nothing can stand in for, or wavelengths that are not those of the detector's columns.
    """
    axis = read_axis_info(data_dir, tell=tell)
    try:
        converters = read_adc_info(data_dir, tell=tell)
    except DataError as error:
        if adc is None:
            raise
        tell(f"adc_info.csv cannot be used; gain and offset are those of the training, {adc.values}. {error}")
        converters = adc
    try:
        wavelengths = read_wavelengths(data_dir, tell=tell)
    except DataError as error:
        wavelengths = wavelength_um if wavelength_um is not None else _of_the_axis(axis)
        source = "axis_info.parquet" if wavelength_um is None else "the training"
        tell(f"wavelengths.csv cannot be used; the wavelengths are those of {source}. {error}")
    order = spectral_axis(axis.airs_wavelength_um, wavelengths)
    if order.unusual:
        tell(order.unusual)
    return SharedTables(axis, converters, wavelengths)


def _of_the_axis(axis: AxisInfo) -> np.ndarray:
    return np.r_[FGS1_WAVELENGTH_UM, np.sort(axis.airs_wavelength_um[AIRS.cut])]
