"""What spectra look like: level free, FGS1 offset, smooth shapes and principal components, an amplitude per
planet.

    depth = level + s * (mean shape + c0 e_FGS1 + sum_j c_j m_j + smooth rest),     s from a distribution of
    amplitudes

Planets differ in the amplitude s of their features far more than in shape, so the prior is a scale mixture
(docs/decisions.md D15): Gaussian in shape given s, with s integrated over the train planets' amplitudes,
expected from the star table where that helps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.transit.priors.label_mismatch import LabelMismatch
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior
from spectramind_kit.whole_file import whole_file

_FORMAT = 2
_DEFAULT_AMPLITUDE = 6e-5  # median std within a spectrum, where no labels are: docs/decisions.md D15
_MEAN_PRIOR_PLANETS = 4.0  # that the mean shape is shrunk by: docs/decisions.md D18
_DEFAULT_WIDTH = 0.8  # of ln(amplitude)
_JUPITER_IN_SUN_RADII, _SUN_GRAVITY = 0.10276, 27400.0  # cm s^-2


@dataclass(frozen=True)
class SpectralPrior:
    """Gaussian shapes with a distribution of amplitudes.

    modes : (W, J) covariance of a spectrum of amplitude 1 is ``modes @ modes.T`` (FGS1 first; level not
    included).
    mean_shape : (W,) its mean: molecules only ever add opacity, so spectra agree in more than their variance.
    log_amplitude, amplitude_width : mean and sd of ln s; ``amplitude_slopes`` (F,) on `amplitude_features`,
    centred. level, level_width : mean and sd of the level; only used to keep a planet without information in
    bounds.
    nuisance : priors on orbit, limb darkening and drift that were learned with it.
    mismatch : how far shown depths are from labels; None (no label was seen): the anchor is the depth that is
    shown.
    """

    wavelength_um: np.ndarray
    modes: np.ndarray
    mean_shape: np.ndarray
    log_amplitude: float
    amplitude_width: float
    amplitude_slopes: np.ndarray
    amplitude_centre: np.ndarray
    level: float
    level_width: float
    learned_from: int
    nuisance: NuisancePrior = field(default_factory=NuisancePrior)
    mismatch: LabelMismatch | None = None
    notes: Mapping[str, float] = field(default_factory=dict)

    def expected_log_amplitude(self, star: Mapping[str, float], depth: float) -> float:
        """Mean of ln s for a planet, from the star table and the depth that the light curve shows."""
        features = amplitude_features(star, depth)
        return self.log_amplitude + float(self.amplitude_slopes @ (features - self.amplitude_centre))

    def level_surprise(self, level: float) -> float:
        """How many widths of ln depth a level is from the middle of the population, log-normal of the mean
        and width known."""
        width2 = math.log1p((self.level_width / self.level) ** 2)
        return (math.log(max(level, 1e-6) / self.level) + 0.5 * width2) / math.sqrt(width2)

    def save(self, path: str | Path) -> None:
        """Write to one ``.npz``, atomically."""
        arrays, text = {}, {"format": _FORMAT, "nuisance": {}, "mismatch": None}
        owners = [("s_", self, text), ("n_", self.nuisance, text["nuisance"])]
        if self.mismatch is not None:
            text["mismatch"] = {}
            owners.append(("m_", self.mismatch, text["mismatch"]))
        for prefix, owner, plain in owners:
            for f in fields(owner):
                value = getattr(owner, f.name)
                if isinstance(value, np.ndarray):
                    arrays[prefix + f.name] = value
                elif f.name not in ("nuisance", "mismatch"):
                    plain[f.name] = dict(value) if isinstance(value, Mapping) else value
        with whole_file(path) as part, open(part, "wb") as handle:
            np.savez(handle, text=np.array(json.dumps(text)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> SpectralPrior:
        """Read what `save` wrote; DataError if it is something else."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                text = json.loads(str(archive["text"]))
                arrays = {name: archive[name] for name in archive.files if name != "text"}
        except (OSError, KeyError, ValueError) as error:
            raise DataError(
                "a spectral prior cannot be read",
                where=str(path),
                found=str(error),
                fix="run the training stage again",
            ) from error
        if text.pop("format", None) != _FORMAT:
            raise DataError(
                "a spectral prior of another version", where=str(path), fix="run the training stage again"
            )
        own, nuisance, mismatch = (
            {k[2:]: v for k, v in arrays.items() if k.startswith(p)} for p in ("s_", "n_", "m_")
        )
        plain = text.pop("mismatch")
        return cls(
            nuisance=NuisancePrior(**text.pop("nuisance"), **nuisance),
            **text,
            **own,
            mismatch=None if plain is None else LabelMismatch(**plain, **mismatch),
        )


def amplitude_features(star: Mapping[str, float], depth: float) -> np.ndarray:
    """ln of depth, of the equilibrium temperature, of the scale-height signal 2 r H / Rs, and of the planet's
    mass, (4,).

    H = k T_eq / (mu g), g = G Mp / Rp^2, T_eq = Ts sqrt(Rs / 2a). Missing entries take the competition's
    medians.
    """

    def get(key: str, default: float, low: float, high: float) -> float:
        value = float(star.get(key, default))
        return value if low < value < high else default

    ts, axis = get("Ts", 5850.0, 1000.0, 40000.0), get("sma", 10.5, 1.5, 2000.0)
    mass, rs = get("Mp", 0.94, 1e-4, 100.0), get("Rs", 1.23, 0.02, 200.0)
    depth = min(max(depth, 1e-4), 0.2)
    temperature = ts * math.sqrt(0.5 / axis)
    radius = math.sqrt(depth) * rs / _JUPITER_IN_SUN_RADII  # Jupiter radii
    gravity = 2479.0 * mass / radius**2  # cm s^-2
    height = 8.314e7 * temperature / (2.3 * gravity) / (rs * 6.957e10)
    return np.array(
        [math.log(depth), math.log(temperature), math.log(2.0 * math.sqrt(depth) * height), math.log(mass)]
    )


def matern52(x: np.ndarray, length: float) -> np.ndarray:
    """Matern-5/2 correlation matrix of the points ``x``."""
    u = math.sqrt(5.0) * np.abs(x[:, None] - x[None, :]) / length
    return (1.0 + u + u**2 / 3.0) * np.exp(-u)


def squared_exponential(x: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-0.5 * ((x[:, None] - x[None, :]) / length) ** 2)


def _factors(covariance: np.ndarray, *, share: float) -> np.ndarray:
    """Columns F with F F' equal to the covariance up to ``share`` of its largest eigenvalue."""
    values, vectors = np.linalg.eigh(covariance)
    keep = values > share * values.max()
    return vectors[:, keep] * np.sqrt(values[keep])


def default_spectral_prior(
    wavelength_um: np.ndarray, *, nuisance: NuisancePrior | None = None
) -> SpectralPrior:
    """A prior without labels: smooth shapes, an FGS1 offset, the usual amplitudes."""
    wave = np.asarray(wavelength_um, dtype=np.float64)
    kernel = np.zeros((len(wave), len(wave)))
    kernel[1:, 1:] = 0.7 * matern52(wave[1:], 0.25) + 0.5 * squared_exponential(wave[1:], 0.8)
    kernel[0, 0] = 4.0  # FGS1 - AIRS is about twice the std within AIRS (docs/decisions.md D7, D15)
    return SpectralPrior(
        wavelength_um=wave,
        modes=_factors(kernel, share=1e-5),
        mean_shape=np.zeros(len(wave)),
        log_amplitude=math.log(_DEFAULT_AMPLITUDE),
        amplitude_width=_DEFAULT_WIDTH,
        amplitude_slopes=np.zeros(4),
        amplitude_centre=np.zeros(4),
        level=0.0147,
        level_width=0.0107,
        learned_from=0,
        nuisance=nuisance or NuisancePrior(),
    )


def learn_spectral_prior(
    depths: np.ndarray,
    wavelength_um: np.ndarray,
    *,
    stars: Sequence[Mapping[str, float]] | None = None,
    nuisance: NuisancePrior | None = None,
    mismatch: LabelMismatch | None = None,
    components: int = 8,
) -> SpectralPrior:
    """The prior that the spectra of the train planets show; labels only, no light curve.

    Shapes are the AIRS-mean-removed spectra, FGS1 offset included, each divided by its own amplitude; so a
    planet with strong features teaches as much as a flat one. Principal components carry their eigenvalue,
    shrunk for small N by the noise that N planets leave in them; what they leave over is a Gaussian process
    in wavelength (Matern-5/2 and squared exponential, FGS1 apart) of the remaining variance. With few planets
    the default kernel is mixed in.

    Parameters
    ----------
    depths : (N, W) labels; rows that are not finite are left out
    stars : N star-table rows, optional: the amplitude is then expected from scale height, depth and
    temperature
    components : at most so many principal components

    Raises
    ------
    DataError
        ``depths`` and ``wavelength_um`` do not fit.
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
    if n < 5:
        return replace(default, learned_from=n, mismatch=mismatch)
    level = depths[:, 1:].mean(1, keepdims=True)
    shape = depths - level
    fgs1_unit = max(float(np.sqrt(np.median(shape[:, 0] ** 2 / np.maximum(shape[:, 1:].var(1), 1e-14)))), 0.1)
    # one amplitude per planet from both sensors: AIRS variance and FGS1 offset (in its usual ratio) weigh 4 :
    # 1
    amplitude = np.sqrt(0.8 * shape[:, 1:].var(1) + 0.2 * (shape[:, 0] / fgs1_unit) ** 2).clip(1e-6)
    unit = shape / amplitude[:, None]
    block = np.ones(len(wave))
    block[0] = math.sqrt(len(wave) - 1.0) / max(fgs1_unit, 1e-3)  # FGS1 weighs as much as the AIRS block
    mean_shape = unit.mean(0) * n / (n + _MEAN_PRIOR_PLANETS)
    unit = unit - mean_shape
    _, values, vectors = np.linalg.svd(unit * block / math.sqrt(n), full_matrices=False)
    k = int(min(components, max(1, n // 4)))
    eigen = values[:k] ** 2 * n / (n + 2.0 * np.arange(1, k + 1))
    parts = (vectors[:k] * np.sqrt(eigen)[:, None]).T / block[:, None]
    rest = unit - (unit * block) @ vectors[:k].T @ vectors[:k] / block
    # in-sample residuals are too small: each component has taken one planet's worth of them
    grow = n / max(n - k, 1)
    airs_var = float((rest[:, 1:] ** 2).mean()) * grow
    fgs1_var = float((rest[:, 0] ** 2).mean()) * grow
    few = 10.0 / (10.0 + n)  # share of the default kernel
    length = _correlation_length(rest[:, 1:], wave[1:])
    kernel = np.zeros((len(wave), len(wave)))
    kernel[1:, 1:] = airs_var * (
        0.8 * matern52(wave[1:], length) + 0.2 * squared_exponential(wave[1:], 3.0 * length)
    )
    kernel[0, 0] = max(fgs1_var, 1e-3)
    total = (1.0 - few) * (parts @ parts.T + kernel) + few * default.modes @ default.modes.T
    log_amplitude = np.log(amplitude)
    slopes, centre, width = np.zeros(4), np.zeros(4), float(log_amplitude.std())
    if stars is not None and n >= 30:
        rows = [s for s, ok in zip(stars, good) if ok]
        features = np.array([amplitude_features(s, float(d)) for s, d in zip(rows, level[:, 0])])
        slopes, centre, width = _ridge(features, log_amplitude)
    return SpectralPrior(
        wavelength_um=wave,
        modes=_factors(total, share=1e-7),
        mean_shape=mean_shape,
        log_amplitude=float(log_amplitude.mean()),
        amplitude_width=max(width, 0.15),
        amplitude_slopes=slopes,
        amplitude_centre=centre,
        level=float(level.mean()),
        level_width=float(level.std() + 1e-4),
        learned_from=n,
        nuisance=nuisance or NuisancePrior(),
        mismatch=mismatch,
        notes={
            "components": float(k),
            "airs_rest": airs_var,
            "fgs1_rest": fgs1_var,
            "length_um": length,
            "fgs1_unit": fgs1_unit,
            "amplitude_spread": float(log_amplitude.std()),
        },
    )


def _correlation_length(rest: np.ndarray, wave: np.ndarray) -> float:
    """Distance in wavelength (um) at which the residual shapes' correlation falls to one half, times a
    Matern's factor."""
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


__all__ = ["SpectralPrior", "amplitude_features", "asdict", "default_spectral_prior", "learn_spectral_prior"]
