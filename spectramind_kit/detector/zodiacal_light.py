"""Sunlight on dust, which is most of the foreground: how bright, of which colour, and how sure that is.

One level per visit times a smooth shape. Levels and shape were measured on one star, without a model, in the
dilution of its transit: 21 e⁻ per pixel at 2.1 µm falling to 6 at 3.9 µm, the colour of the star, 1–2 e⁻ in
FGS1. How far other visits lie off is assumed (docs/decisions.md D39).
"""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.dilution import Dilution

AIRS_LEVEL_E = 21.0  # per pixel and exposure, at 2.1 µm
FGS1_LEVEL_E = 1.5
_SPREAD = 0.6  # 1σ of the logarithm of a visit's level
_TILT = 0.12  # 1σ per µm of the shape's relative slope
_PIVOT_UM = 2.9
_CONTRADICTED = 5.0  # σ outside of what is possible: the foreground itself has changed
_SUN_K, _SHORT_UM, _GREY = 5700.0, 2.1, 0.1  # a typical star's colour; the part that has none
_LEVELS = np.exp(np.linspace(-4.0 * _SPREAD, 4.0 * _SPREAD, 161))  # of the usual one
_TILTS = np.linspace(-3.0, 3.0, 25) * _TILT


def zodiacal_shape(wavelength_um: np.ndarray) -> np.ndarray:
    """(C,) 1 at 2.1 µm, 0.3 at 3.9: Planck's law for photons at 5,700 K, and a tenth that is grey."""
    return _GREY + (1.0 - _GREY) * _photons(wavelength_um) / _photons(np.array(_SHORT_UM))


def tilt_lever(wavelength_um: np.ndarray) -> np.ndarray:
    """(C,) what a tilt of 1 per µm adds to the shape, relative."""
    return wavelength_um - _PIVOT_UM


def estimate_level(
    shape: np.ndarray, lever: np.ndarray, *, usual: float, plain: np.ndarray, dilution: Dilution | None
) -> tuple[float, float]:
    """Level (e⁻ per pixel and exposure) and tilt (per µm) of the foreground level·shape·(1 + tilt·lever).

    shape, lever (G,) of G groups · usual: level · plain (G,): all light beside the star, which the foreground
    cannot exceed · dilution: of the same groups; None where there is none.

    The mean of the level's logarithm and of the tilt over their probability: log-normal about the usual
    level, normal about no tilt, times the likelihood of the dilution. Where that asks for less than nothing,
    or more than is there, the foreground has changed with the transit and the dilution says nothing.
    """
    limit = float(np.median(plain / shape))
    levels = usual * _LEVELS
    if limit <= levels[0]:  # no star beside itself, or none at all
        return limit, 0.0
    tilted = shape * (1.0 + _TILTS[:, None] * lever)  # (tilts, G)
    cost = (np.log(_LEVELS) / _SPREAD)[:, None] ** 2 + (_TILTS / _TILT) ** 2
    if dilution is not None and _possible(dilution, shape, limit):
        off = (levels[:, None, None] * tilted - dilution.foreground) / dilution.error
        cost = cost + (off**2).sum(axis=2)
    cost[levels > limit] = np.inf
    weight = np.exp(-0.5 * (cost - cost.min()))
    weight /= weight.sum()
    level = np.exp(float((weight.sum(axis=1) * np.log(levels)).sum()))
    return float(level), float((weight.sum(axis=0) * _TILTS).sum())


def _possible(dilution: Dilution, shape: np.ndarray, limit: float) -> bool:
    weight = shape / dilution.error**2
    error = 1.0 / np.sqrt((weight * shape).sum())
    level = float((weight * dilution.foreground).sum()) * error**2
    return -_CONTRADICTED * error < level < limit + _CONTRADICTED * error


def _photons(wavelength_um: np.ndarray) -> np.ndarray:
    return wavelength_um**-4.0 / np.expm1(14387.77 / (wavelength_um * _SUN_K))
