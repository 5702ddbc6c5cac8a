"""The noise of a calibrated, binned light curve, from the same detector numbers that make the frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.calibration_maps import MEAN_READ_VARIANCE_E2
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.focal_plane import airs_profiles, fgs1_psf
from spectramind_kit.simulator.jitter import block_covariance
from spectramind_kit.simulator.visit import VisitTruth
from spectramind_kit.simulator.wavelengths import grid_to_bins, grid_wavelengths


@dataclass(frozen=True)
class Extraction:
    """The window that stage 1 sums: ``rows`` of AIRS, a square of FGS1, and what it does with FGS1's
    pointing."""

    rows: tuple[int, int] = (8, 24)
    window: tuple[int, int] = (8, 24)
    remove_jitter: bool = True

    @property
    def pixels(self) -> np.ndarray:
        """(283,) pixels that each wavelength sums."""
        return np.concatenate(
            [[(self.window[1] - self.window[0]) ** 2], np.full(282, self.rows[1] - self.rows[0])]
        )

    def captured(self) -> np.ndarray:
        """(283,) share of the star's light inside the window."""
        profiles = airs_profiles(grid_wavelengths()[1:]).value[self.rows[0] : self.rows[1]].sum(0)
        part = slice(*self.window)
        return grid_to_bins(np.concatenate([[fgs1_psf().value[part, part].sum()], profiles]))


def exposure_variance(
    visit: VisitTruth, *, extraction: Extraction = Extraction(), adc_gain: float = 0.4369
) -> tuple[np.ndarray, np.ndarray]:
    """(283,) photon share and (283,) constant part of the variance of one CDS exposure, e⁻².

    Variance = photons · flux + constant: shot noise of the captured star, and of the foreground; two reads
    with read noise and the ADC's rounding (gain⁻²/12) per pixel. Reset noise cancels in the difference of the
    reads.
    """
    exposure_s = np.concatenate([[FGS1.exposure_s], np.full(282, AIRS.exposure_s)])
    per_pixel = (
        2.0 * (MEAN_READ_VARIANCE_E2 + 1.0 / (12.0 * adc_gain**2))
        + grid_to_bins(visit.foreground) * exposure_s
    )
    return np.ones(283), extraction.pixels * per_pixel


def exposures_per_bin(exposure_h: float) -> np.ndarray:
    """(283,) real exposures in a bin of that width: 12 times as many for FGS1."""
    return np.concatenate(
        [[exposure_h * 3600.0 / FGS1.period_s], np.full(282, exposure_h * 3600.0 / AIRS.period_s)]
    )


def pointing_factor(n_times: int, exposure_h: float) -> np.ndarray:
    """(2, T, T) lower factors L: L @ white noise has the covariance over bins of the mean offset, and of the
    mean squared offset.

    FGS1 px and px². Light curves need only these; the path itself is drawn for frames.
    """
    return np.stack(
        [
            np.linalg.cholesky(c + 1e-9 * c[0, 0] * np.eye(n_times))
            for c in block_covariance(n_times, exposure_h)
        ]
    )
