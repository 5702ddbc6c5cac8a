"""Where the light falls: the point-spread function of each sensor.

The images respond to pointing through the exact derivatives of the pixel-integrated PSF up to second order;
offsets of 0.1 px against a core of 2–3 px make the third order negligible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1

_CORE_UM = np.array([1.6, 2.04, 2.46, 2.99, 3.39, 3.81, 4.1])
_CORE_SIGMA_PX = np.array([0.64, 0.71, 0.82, 0.98, 1.07, 1.21, 1.29])
_WING_SHARE = np.array([0.58, 0.56, 0.54, 0.50, 0.48, 0.45, 0.45])
RING_SHARE = 0.017  # the first diffraction ring
_FINE = 10  # sub-pixels per pixel and axis when a PSF is integrated over pixels
_STEP_PX = 0.05  # of the differences that stand for derivatives
_FGS1_LOBES = ((0.70, 0.0, 1.80, 2.4), (0.20, 0.75, 2.3, 2.2), (0.10, 1.7, 3.6, 2.2))  # share, offset, α, β
AIRS_CENTRE_ROW, FGS1_CENTRE = 15.59, (15.35, 15.45)
AIRS_PLATE_SCALE = 0.5  # AIRS pixels per FGS1 pixel of pointing


@dataclass(frozen=True)
class PixelMaps:
    """PSF integrated over pixels, and its derivatives with the source's position."""

    value: np.ndarray  # (rows, columns), as all
    d_x: np.ndarray  # per px along the columns; second derivatives per px²
    d_y: np.ndarray
    d_xx: np.ndarray
    d_yy: np.ndarray
    d_xy: np.ndarray

    @classmethod
    def of_profile(cls, profile: Callable[[float], np.ndarray]) -> PixelMaps:
        """By differences, of a profile across the dispersion as a function of the source's row."""
        h = _STEP_PX
        middle, up, down = profile(0.0), profile(h), profile(-h)
        zero = np.zeros_like(middle)
        return cls(middle, zero, (up - down) / (2 * h), zero, (up - 2 * middle + down) / h**2, zero)

    @classmethod
    def of_image(cls, image: Callable[[float, float], np.ndarray]) -> PixelMaps:
        """By differences, of an image as a function of the source's column and row."""
        h = _STEP_PX
        middle = image(0, 0)
        right, left, up, down = image(h, 0), image(-h, 0), image(0, h), image(0, -h)
        cross = (image(h, h) - image(h, -h) - image(-h, h) + image(-h, -h)) / (4 * h * h)
        slopes = (right - left) / (2 * h), (up - down) / (2 * h)
        bends = (right - 2 * middle + left) / h**2, (up - 2 * middle + down) / h**2
        return cls(middle, *slopes, *bends, cross)


def airs_profiles(wavelength_um: np.ndarray, *, centre_row: float = AIRS_CENTRE_ROW) -> PixelMaps:
    """Cross-dispersion profiles of every column, (32, 356), each column's sum ≈ 1.

    A Gaussian core that widens with wavelength (diffraction) and wings ∝ distance⁻²·⁵; rows 8:24 hold about
    97 %.
    """
    sigma = np.interp(wavelength_um, _CORE_UM, _CORE_SIGMA_PX)
    wing = np.interp(wavelength_um, _CORE_UM, _WING_SHARE)
    scale = 2.0 * sigma

    def profile(shift: float) -> np.ndarray:
        rows = (np.arange(AIRS.rows * _FINE) + 0.5) / _FINE - 0.5 - centre_row - shift
        norm = sigma * np.sqrt(2 * np.pi)
        core = np.exp(-0.5 * (rows[:, None] / sigma) ** 2) / norm
        # ∫(1 + x²/a²)^(−5/4) dx = a·√π·Γ(3/4)/Γ(5/4)
        halo = (1.0 + (rows[:, None] / scale) ** 2) ** -1.25 / (scale * 2.39628)
        ring = np.exp(-0.5 * ((np.abs(rows[:, None]) - 4.2 * sigma) / (0.5 * sigma)) ** 2) / norm
        density = (1.0 - wing - RING_SHARE) * core + wing * halo + RING_SHARE * ring
        return density.reshape(AIRS.rows, _FINE, -1).mean(1)

    return PixelMaps.of_profile(profile)


def fgs1_psf(*, centre: tuple[float, float] = FGS1_CENTRE) -> PixelMaps:
    """FGS1's PSF, (32, 32), sum ≈ 1: a Moffat core drawn out by coma; the peak pixel holds about 10 %."""

    def image(shift_x: float, shift_y: float) -> np.ndarray:
        grid = (np.arange(FGS1.rows * _FINE) + 0.5) / _FINE - 0.5
        total = 0.0
        for share, offset, alpha, beta in _FGS1_LOBES:
            x = grid[None, :] - centre[0] + 0.2 - shift_x - 0.6 * offset
            y = grid[:, None] - centre[1] + 0.3 - shift_y - 0.8 * offset
            peak = share * (beta - 1) / (np.pi * alpha**2)
            total = total + peak * (1.0 + (x * x + y * y) / alpha**2) ** -beta
        return total.reshape(FGS1.rows, _FINE, FGS1.columns, _FINE).mean((1, 3))

    return PixelMaps.of_image(image)
