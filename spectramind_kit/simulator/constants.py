"""Shapes, timing and physical constants of the simulated instrument."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector import instrument
from spectramind_kit.detector.instrument import Instrument

VISIT_H = 7.5
BLOCKS_REDUCED = 188  # AIRS pairs of a reduced visit; FGS1 has 12 times as many

PLANCK_UM_K = 14387.77  # hc/k in µm K
R_SUN_M, R_JUP_M, M_JUP_KG = 6.957e8, 7.1492e7, 1.898e27
G, K_B, M_H_KG = 6.6743e-11, 1.380649e-23, 1.6735e-27


@dataclass(frozen=True)
class Sensor(Instrument):
    """A sensor and its timing. A pair is the read just after reset and the read at the end of the ramp."""

    pairs: int  # of a visit at full cadence
    period_s: float  # from pair to pair
    first_s: float  # reset to first read
    last_s: float  # reset to last read
    axis_start_s: float = (
        0.1  # axis_info's time of the first read; its pairs are 0.1 s apart, whatever the ramp
    )

    @property
    def exposure_s(self) -> float:
        """Signal time of a CDS frame."""
        return self.last_s - self.first_s


AIRS = Sensor(**vars(instrument.AIRS), pairs=5625, period_s=4.8, first_s=0.1, last_s=4.6)
FGS1 = Sensor(**vars(instrument.FGS1), pairs=67500, period_s=0.4, first_s=0.1, last_s=0.2)
SENSORS = (AIRS, FGS1)


def planck_photons(wavelength_um, temperature_k):
    """Photon radiance of a black body, arbitrary units: λ⁻⁴ / (exp(hc/λkT) − 1)."""
    x = PLANCK_UM_K / (np.asarray(wavelength_um) * np.asarray(temperature_k))
    return np.asarray(wavelength_um) ** -4.0 / np.expm1(x)
