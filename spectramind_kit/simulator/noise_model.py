"""The noise of a calibrated, binned light curve, from the same detector numbers that make the frames."""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.simulator.calibration_maps import MEAN_READ_VARIANCE_E2
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.images import star_images
from spectramind_kit.simulator.star_flux import EXPOSURE_S
from spectramind_kit.simulator.visit import VisitTruth
from spectramind_kit.simulator.wavelengths import by_sensor, grid_to_bins

ROWS, WINDOW = slice(*DetectorSettings.airs_rows), slice(*DetectorSettings.fgs1_window)  # what stage 1 sums


def captured(optics: str) -> np.ndarray:
    """(283,) share of the star's light inside the window."""
    fgs1, airs = star_images(optics)
    return grid_to_bins(np.append(fgs1.value[WINDOW, WINDOW].sum(), airs.value[ROWS].sum(0)))


def constant_variance(visit: VisitTruth, *, adc_gain: float) -> np.ndarray:
    """(283,) e⁻²: what one CDS exposure's variance has besides the star's own photons (variance = flux).

    Shot noise of the foreground, and two reads with read noise and the ADC's rounding (gain⁻²/12), per pixel.
    Reset noise cancels in the difference of the reads.
    """
    reads = 2.0 * (MEAN_READ_VARIANCE_E2 + 1.0 / (12.0 * adc_gain**2))
    pixels = by_sensor((WINDOW.stop - WINDOW.start) ** 2, ROWS.stop - ROWS.start)
    return pixels * (reads + grid_to_bins(visit.foreground) * EXPOSURE_S)


def exposures_per_bin(exposure_h: float) -> np.ndarray:
    """(283,) real exposures in a bin of that width: 12 times as many for FGS1."""
    return by_sensor(*(exposure_h * 3600.0 / sensor.period_s for sensor in (FGS1, AIRS)))
