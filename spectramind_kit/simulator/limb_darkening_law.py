"""Quadratic limb-darkening coefficients as a smooth function of wavelength and stellar temperature."""

from __future__ import annotations

import numpy as np

# u1 and u2 at 5,500 K: from the visible to 4 µm the disk flattens (Claret 2000, A&A 363, 1081: the trend; the
# levels are those of the competition's planets, FGS1 ≈ (0.48, 0.12), AIRS ≈ (0.12, 0.13); docs/decisions.md
# D7).
_KNOTS_UM = np.array([0.5, 0.7, 1.2, 1.95, 2.5, 3.0, 3.5, 4.1])
_U1 = np.array([0.60, 0.48, 0.26, 0.155, 0.130, 0.115, 0.105, 0.095])
_U2 = np.array([0.11, 0.12, 0.19, 0.165, 0.145, 0.128, 0.112, 0.098])


def limb_darkening_coefficients(
    wavelength_um: np.ndarray,
    temperature_k: float,
    *,
    rng: np.random.Generator | None = None,
    scatter: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """u1, u2 of each wavelength (shape of ``wavelength_um``); ``rng`` adds the scatter between stars,
    ``scatter`` times as large as models expect.

    Both fall with wavelength; u1 falls with temperature (cooler stars have steeper atmospheres in the
    visible).
    """
    wavelength_um = np.asarray(wavelength_um, float)
    u1 = np.interp(wavelength_um, _KNOTS_UM, _U1)
    u2 = np.interp(wavelength_um, _KNOTS_UM, _U2)
    hotter = (temperature_k - 5500.0) / 1000.0
    u1 = u1 * (1.0 - 0.16 * hotter)
    u2 = u2 * (1.0 + 0.10 * hotter)
    if rng is not None:
        visible = wavelength_um < 1.0
        airs1, airs2, fgs1, fgs2 = scatter * rng.standard_normal(4)
        tilt = (wavelength_um - 3.0) * rng.standard_normal()
        u1 = u1 + np.where(visible, 0.025 * fgs1, 0.012 * airs1 + 0.004 * tilt)
        u2 = u2 + np.where(visible, 0.025 * fgs2, 0.012 * airs2)
    return np.clip(u1, 0.0, 0.9), np.clip(u2, 0.0, np.minimum(0.5, 0.98 - u1))
