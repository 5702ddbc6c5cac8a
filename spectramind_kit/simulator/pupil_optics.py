"""Images of a pupil with wavefront errors: rings whose distance from the star grows with the wavelength.

A point source's image is the squared modulus of the pupil's Fourier transform; summed along the dispersion it
is the sum over the pupil's rows of the squared transform of each row. The errors (nm of a few Zernike
polynomials) and the plate scale were fitted to the numbers that real frames gave (docs/decisions.md D8): the
mean cross-dispersion profile in rows 10 to 21, the width of its core from 2 to 3.8 µm; FGS1's peak pixel.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.focal_plane import PixelMaps

AIRS_CENTRE_ROW, FGS1_CENTRE = 15.786, (14.65, 14.75)  # of the pupil's axis; the light's centre is elsewhere
# µm rms: defocus, astigmatism, coma, trefoil, spherical; then pixels per λ/D at 1 µm
_AIRS_ERRORS, _AIRS_SCALE = (0.096, 0.099, -0.028, 0.130, -0.055), 0.751
_FGS1_ERRORS, _FGS1_SCALE = (0.068, 0.095, 0.136, 0.068, -0.041), 1.15
# charge diffuses between pixels, by 0.33 px (1σ): Gauss's three-point rule
_DIFFUSION = tuple(
    (0.33 * step, weight) for step, weight in ((-(3**0.5), 1 / 6), (0.0, 2 / 3), (3**0.5, 1 / 6))
)
_FGS1_UM = (0.62, 0.68, 0.74, 0.80)
_AIRS_UM = np.linspace(1.58, 4.1, 11)  # where the profile is computed; between them it is interpolated
_PUPIL = {1: 128, 2: 64}  # samples across the pupil, by the dimensions of the image
_IMAGE = {1: 8192, 2: 1024}
_COMA_ANGLE = 0.6  # rad, FGS1's: the real image is drawn out towards one corner


def airs_profiles(wavelength_um: np.ndarray, *, centre_row: float = AIRS_CENTRE_ROW) -> PixelMaps:
    """Cross-dispersion profiles, (32, W), of each column; what falls beside the detector is missing."""
    place, tables = _airs_tables()
    at = np.interp(wavelength_um, _AIRS_UM, np.arange(len(_AIRS_UM)))
    low = np.minimum(at.astype(int), len(_AIRS_UM) - 2)
    share = at - low
    edges = np.arange(AIRS.rows + 1) - 0.5

    def profile(shift: float) -> np.ndarray:
        return sum(weight * sharp(shift + move) for move, weight in _DIFFUSION)

    def sharp(shift: float) -> np.ndarray:
        inside = (edges[:, None] - centre_row - shift) / (_AIRS_SCALE * wavelength_um)  # λ/D
        below, above = (
            np.stack([np.interp(inside[:, c], place, tables[k]) for c, k in enumerate(index)], axis=1)
            for index in (low, low + 1)
        )
        return np.diff((1.0 - share) * below + share * above, axis=0)

    return PixelMaps.of_profile(profile)


def fgs1_psf(*, centre: tuple[float, float] = FGS1_CENTRE) -> PixelMaps:
    """FGS1's image, (32, 32), over its band."""
    tables = _fgs1_tables()
    edges = np.arange(FGS1.rows + 1) - 0.5

    def image(shift_x: float, shift_y: float) -> np.ndarray:
        total = 0.0
        for place, table in tables:
            rows = _interpolation(edges - centre[1] - shift_y, place)
            columns = _interpolation(edges - centre[0] - shift_x, place)
            total = total + np.diff(np.diff(rows @ table @ columns.T, axis=0), axis=1) / len(tables)
        return total

    return PixelMaps.of_image(image)


def _pupil(n: int, errors: tuple[float, ...], wavelength_um: float, *, coma_angle: float = 0.0) -> np.ndarray:
    """(n, n) complex field of a round aperture, the first axis across the dispersion."""
    x = (np.arange(n) - n / 2 + 0.5) / (n / 2)
    r, angle = np.hypot(x[:, None], x), np.arctan2(x, x[:, None])
    zernike = (
        np.sqrt(3) * (2 * r**2 - 1),
        np.sqrt(6) * r**2 * np.cos(2 * angle),
        np.sqrt(8) * (3 * r**3 - 2 * r) * np.cos(angle - coma_angle),
        np.sqrt(8) * r**3 * np.cos(3 * angle),
        np.sqrt(5) * (6 * r**4 - 6 * r**2 + 1),
    )
    path = sum(size * polynomial for size, polynomial in zip(errors, zernike))
    return (r <= 1.0) * np.exp(2j * np.pi * path / wavelength_um)


@cache
def _airs_tables() -> tuple[np.ndarray, np.ndarray]:
    """Places in λ/D, and the share of the light below each, for each of ``_AIRS_UM``."""
    n, m = _PUPIL[1], _IMAGE[1]
    light = []
    for wavelength in _AIRS_UM:
        field = np.fft.fft(_pupil(n, _AIRS_ERRORS, wavelength), n=m, axis=0)
        light.append(np.fft.fftshift((np.abs(field) ** 2).sum(1)))
    below = np.cumsum(light, axis=1)
    return (np.arange(m) - m / 2 + 0.5) * n / m, below / below[:, -1:]


@cache
def _fgs1_tables() -> list[tuple[np.ndarray, np.ndarray]]:
    """Places in px, and the share of the light below and left of each, for each of ``_FGS1_UM``."""
    n, m = _PUPIL[2], _IMAGE[2]
    tables = []
    for wavelength in _FGS1_UM:
        field = np.fft.fft2(_pupil(n, _FGS1_ERRORS, wavelength, coma_angle=_COMA_ANGLE), (m, m))
        light = np.fft.fftshift(np.abs(field) ** 2)
        place = (np.arange(m) - m / 2 + 0.5) * n / m * wavelength * _FGS1_SCALE
        tables.append((place, (light / light.sum()).cumsum(0).cumsum(1)))
    return tables


def _interpolation(at: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(n, m) matrix that interpolates linearly between equally spaced places."""
    position = np.clip((at - place[0]) / (place[1] - place[0]), 0.0, len(place) - 1.001)
    low = position.astype(int)
    matrix = np.zeros((len(at), len(place)))
    matrix[np.arange(len(at)), low] = 1.0 - (position - low)
    matrix[np.arange(len(at)), low + 1] = position - low
    return matrix
