"""The spectral prior that the labels of the train planets show; no light curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.transit.priors.label_mismatch import LabelMismatch
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior
from spectramind_kit.transit.priors.spectral_prior import (
    SpectralPrior,
    amplitude_features,
    default_spectral_prior,
    factors,
    matern52,
    shape_covariance,
    squared_exponential,
)

_COMPONENTS = 8  # principal components at most
_MEAN_PRIOR_PLANETS = 4.0  # that the mean shape is shrunk by: docs/decisions.md D18
_DEFAULT_PLANETS = 10.0  # the default kernel counts like so many: docs/decisions.md D15
_MIN_PLANETS, _MIN_FOR_SLOPES = 5, 30


def learn_spectral_prior(
    depths: np.ndarray,
    wavelength_um: np.ndarray,
    *,
    stars: Sequence[Mapping[str, float]] | None = None,
    nuisance: NuisancePrior | None = None,
    mismatch: LabelMismatch | None = None,
) -> SpectralPrior:
    """Shapes are the AIRS-mean-removed spectra, FGS1 offset included, each divided by its own amplitude; so a
    planet with strong features teaches as much as a flat one.

    Principal components carry their eigenvalue, shrunk for small N by the noise that N planets leave in them;
    what they leave over is a Gaussian process in wavelength. With few planets the default kernel is mixed in.
    Raises DataError where ``depths`` and ``wavelength_um`` do not fit.

    Parameters
    ----------
    depths : (N, W) labels; rows that are not finite and positive are left out
    stars : N star-table rows, optional: ln of the amplitude is then a line in `amplitude_features`
    """
    depths, wave = np.asarray(depths, dtype=np.float64), np.asarray(wavelength_um, dtype=np.float64)
    if depths.ndim != 2 or depths.shape[1] != len(wave):
        raise DataError(
            "labels and wavelengths do not fit",
            where="learn_spectral_prior",
            expected=f"(N, {len(wave)})",
            found=str(depths.shape),
            fix="pass depths (N, W) and wavelength_um (W,)",
        )
    default = default_spectral_prior(wave, nuisance=nuisance)
    good = np.isfinite(depths).all(1) & (depths > 0).all(1)
    depths, n = depths[good], int(good.sum())
    if n < _MIN_PLANETS:
        return replace(default, learned_from=n, mismatch=mismatch)
    level = depths[:, 1:].mean(1)
    shape = depths - level[:, None]
    amplitude, fgs1_unit = _amplitudes(shape)
    unit = shape / amplitude[:, None]
    mean_shape = unit.mean(0) * n / (n + _MEAN_PRIOR_PLANETS)
    covariance, notes = _covariance(unit - mean_shape, wave, fgs1_unit)
    few = _DEFAULT_PLANETS / (_DEFAULT_PLANETS + n)  # share of the default kernel
    covariance = (1.0 - few) * covariance + few * default.modes @ default.modes.T
    log_amplitude = np.log(amplitude)
    own_stars = None if stars is None else [star for star, ok in zip(stars, good) if ok]
    slopes, centre, width = _amplitude_line(log_amplitude, own_stars, level)
    return replace(
        default,
        modes=factors(covariance, share=1e-7),
        mean_shape=mean_shape,
        log_amplitude=float(log_amplitude.mean()),
        amplitude_width=max(width, 0.15),
        amplitude_slopes=slopes,
        amplitude_centre=centre,
        level=float(level.mean()),
        level_width=float(level.std() + 1e-4),
        learned_from=n,
        mismatch=mismatch,
        notes={**notes, "fgs1_unit": fgs1_unit, "amplitude_spread": float(log_amplitude.std())},
    )


def _amplitudes(shape: np.ndarray) -> tuple[np.ndarray, float]:
    """One amplitude per planet (N,) from both sensors, and what the FGS1 offset usually is of it.

    AIRS variance and FGS1 offset weigh 4 : 1.
    """
    airs, fgs1 = shape[:, 1:].var(1), shape[:, 0]
    fgs1_unit = max(float(np.sqrt(np.median(fgs1**2 / np.maximum(airs, 1e-14)))), 0.1)
    return np.sqrt(0.8 * airs + 0.2 * (fgs1 / fgs1_unit) ** 2).clip(1e-6), fgs1_unit


def _amplitude_line(
    log_amplitude: np.ndarray, stars: Sequence[Mapping[str, float]] | None, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Slopes (4,) on the `amplitude_features`, their centre (4,), and the width about the line."""
    if stars is None or len(stars) < _MIN_FOR_SLOPES:
        return np.zeros(4), np.zeros(4), float(log_amplitude.std())
    features = [amplitude_features(star, depth) for star, depth in zip(stars, level.tolist())]
    return _ridge(np.array(features), log_amplitude)


def _covariance(unit: np.ndarray, wave: np.ndarray, fgs1_unit: float) -> tuple[np.ndarray, dict[str, float]]:
    """Of shapes of amplitude 1 (N, W), their mean removed: principal components and a smooth rest, (W, W)."""
    n = len(unit)
    block = np.ones(len(wave))
    block[0] = math.sqrt(len(wave) - 1.0) / max(fgs1_unit, 1e-3)  # FGS1 weighs as much as the AIRS block
    _, values, vectors = np.linalg.svd(unit * block / math.sqrt(n), full_matrices=False)
    k = int(min(_COMPONENTS, max(1, n // 4)))
    eigen = values[:k] ** 2 * n / (n + 2.0 * np.arange(1, k + 1))
    parts = (vectors[:k] * np.sqrt(eigen)[:, None]).T / block[:, None]
    rest = unit - (unit * block) @ vectors[:k].T @ vectors[:k] / block
    # in-sample residuals are too small: each component has taken one planet's worth of them
    grow = n / max(n - k, 1)
    airs_var, fgs1_var = (float((part**2).mean()) * grow for part in (rest[:, 1:], rest[:, 0]))
    length = _correlation_length(rest[:, 1:], wave[1:])
    smooth = 0.8 * matern52(wave[1:], length) + 0.2 * squared_exponential(wave[1:], 3.0 * length)
    kernel = shape_covariance(airs_var * smooth, fgs1=max(fgs1_var, 1e-3))
    notes = {"components": float(k), "airs_rest": airs_var, "fgs1_rest": fgs1_var, "length_um": length}
    return parts @ parts.T + kernel, notes


def _correlation_length(rest: np.ndarray, wave: np.ndarray) -> float:
    """Distance (um) at which the residual shapes' correlation falls to one half, times a Matern's factor."""
    variance = (rest**2).mean() + 1e-30
    for lag in range(1, len(wave) // 2):
        if (rest[:, lag:] * rest[:, :-lag]).mean() < 0.5 * variance:
            return float(np.clip(1.05 * (wave[lag:] - wave[:-lag]).mean(), 0.01, 1.0))
    return 0.5


def _ridge(features: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Slopes, centre and leave-one-out residual width; zero slopes where they do not help."""
    centre = features.mean(0)
    x, y = features - centre, target - target.mean()
    gram = x.T @ x + 2.0 * np.diag(x.var(0) + 1e-9)
    slopes = np.linalg.solve(gram, x.T @ y)
    hat = np.einsum("nf,fg,ng->n", x, np.linalg.inv(gram), x) + 1.0 / len(y)
    width = float(np.sqrt(np.mean(((y - x @ slopes) / (1.0 - hat)) ** 2)))
    if not width < 0.97 * float(y.std()):
        return np.zeros(features.shape[1]), centre, float(y.std())
    return slopes, centre, width
