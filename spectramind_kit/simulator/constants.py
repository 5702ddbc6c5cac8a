"""Shapes, timing and physical constants of the simulated instrument."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.instrument import FGS1_WAVELENGTH_UM  # noqa: F401

N_BINS, N_AIRS_BINS = 283, 282
VISIT_H = 7.5
BLOCKS_REDUCED = 188  # AIRS pairs of a reduced visit; FGS1 has 12 times as many

PLANCK_UM_K = 14387.77  # hc/k in µm K
R_SUN_M, R_JUP_M, M_JUP_KG = 6.957e8, 7.1492e7, 1.898e27
G, K_B, M_H_KG = 6.6743e-11, 1.380649e-23, 1.6735e-27


@dataclass(frozen=True)
class Sensor:
    """One detector. Times in seconds; a pair is the read just after reset and the read at the end of the
    ramp."""

    name: str
    rows: int
    columns: int
    pairs: int
    period_s: float
    first_s: float
    last_s: float
    axis_start_s: float  # axis_info's time of the first read; its pairs are 0.1 s apart, whatever the ramp
    column_cut: slice | None = None

    @property
    def exposure_s(self) -> float:
        """Signal time of a CDS frame."""
        return self.last_s - self.first_s


AIRS = Sensor("AIRS-CH0", 32, 356, 5625, 4.8, 0.1, 4.6, 0.1, slice(39, 321))
FGS1 = Sensor("FGS1", 32, 32, 67500, 0.4, 0.1, 0.2, 0.1)
SENSORS = (AIRS, FGS1)


def planck_photons(wavelength_um, temperature_k):
    """Photon radiance of a black body, arbitrary units: λ⁻⁴ / (exp(hc/λkT) − 1)."""
    x = PLANCK_UM_K / (np.asarray(wavelength_um) * np.asarray(temperature_k))
    return np.asarray(wavelength_um) ** -4.0 / np.expm1(x)
