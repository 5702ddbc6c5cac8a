"""The two sensors of the Ariel Data Challenge 2025: shapes, cut, and the names of their files.

Frame counts, cadences, integration times and the direction of the spectrum come from the files.
"""

from __future__ import annotations

from dataclasses import dataclass

N_AIRS_BINS = 282
N_BINS = 283
FGS1_WAVELENGTH_UM = 0.7  # middle of its band, 0.60 … 0.80 µm

CALIBRATION_PRODUCTS = ("dark", "dead", "flat", "linear_corr", "read")
N_LINEARITY_COEFFICIENTS = 6


@dataclass(frozen=True)
class Instrument:
    """One sensor. Rows are the spatial axis of AIRS-CH0, columns its spectral axis."""

    name: str
    key: str  # in `LightCurve.info`
    rows: int
    columns: int
    column_cut: slice | None  # columns that carry the spectrum; None: all of them
    time_column: str  # of axis_info.parquet, with the time stamp of each frame, hours

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.columns

    @property
    def n_pixels(self) -> int:
        return self.rows * self.columns

    @property
    def cut(self) -> slice:
        """The cut as a slice with both ends set."""
        return self.column_cut if self.column_cut is not None else slice(0, self.columns)

    def signal_file(self, visit: int) -> str:
        return f"{self.name}_signal_{visit}.parquet"

    def calibration_folder(self, visit: int) -> str:
        return f"{self.name}_calibration_{visit}"


AIRS = Instrument("AIRS-CH0", "airs", 32, 356, column_cut=slice(39, 321), time_column="AIRS-CH0-axis0-h")
FGS1 = Instrument("FGS1", "fgs1", 32, 32, column_cut=None, time_column="FGS1-axis0-h")
INSTRUMENTS = (AIRS, FGS1)

AIRS_WAVELENGTH_COLUMN = "AIRS-CH0-axis2-um"
AIRS_INTEGRATION_COLUMN = "AIRS-CH0-integration_time"
