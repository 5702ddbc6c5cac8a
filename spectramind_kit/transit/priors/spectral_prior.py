"""What spectra look like: level free, FGS1 offset, smooth shapes and principal components, an amplitude each.

    depth = level + s * (mean shape + c0 e_FGS1 + sum_j c_j m_j + smooth rest),     s from a distribution

Planets differ in the amplitude s of their features far more than in shape, so the prior is a scale mixture
(docs/decisions.md D15): Gaussian in shape given s, with s integrated over the train planets' amplitudes,
expected from the star table where that helps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spectramind_kit.transit.priors.label_mismatch import LabelMismatch
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior
from spectramind_kit.transit.record_file import Arrays, RecordFile, put_together, taken_apart

_FILE = RecordFile("a spectral prior", 3, "run the training stage again")
_DEFAULT_AMPLITUDE = 6e-5  # median std within a spectrum, where no labels are: docs/decisions.md D15
_DEFAULT_WIDTH = 0.8  # of ln(amplitude)
_NESTED = {"nuisance": "n", "mismatch": "m"}  # fields that are dataclasses, prefixes of their arrays
_JUPITER_IN_SUN_RADII, _SUN_GRAVITY = 0.10276, 27400.0  # cm s^-2


@dataclass(frozen=True)
class SpectralPrior:
    """Gaussian shapes with a distribution of amplitudes s, the std within a spectrum. FGS1 first."""

    wavelength_um: np.ndarray  # (W,)
    modes: np.ndarray  # (W, J) modes @ modes.T is the covariance at amplitude 1, level not included
    # (W,) its mean: molecules only ever add opacity, so spectra agree in more than their variance
    mean_shape: np.ndarray
    log_amplitude: float  # mean of ln s
    amplitude_width: float  # its sd
    amplitude_slopes: np.ndarray  # (4,) of ln s on `amplitude_features`
    amplitude_centre: np.ndarray  # (4,) features at which they are 0
    level: float  # mean depth; it and its width only keep a planet without information in bounds
    level_width: float
    learned_from: int  # planets
    nuisance: NuisancePrior = field(default_factory=NuisancePrior)  # learned with it
    # how far shown depths are from labels; None (no label was seen): the anchor is the depth that is shown
    mismatch: LabelMismatch | None = None
    notes: Mapping[str, float] = field(default_factory=dict)

    def expected_log_amplitude(self, star: Mapping[str, float], depth: float) -> float:
        """Mean of ln s for a planet, from the star table and the depth that the light curve shows."""
        features = amplitude_features(star, depth)
        return self.log_amplitude + float(self.amplitude_slopes @ (features - self.amplitude_centre))

    def level_surprise(self, level: float) -> float:
        """How many widths of ln depth a level is from the middle of a log-normal population."""
        width2 = math.log1p((self.level_width / self.level) ** 2)
        return (math.log(max(level, 1e-6) / self.level) + 0.5 * width2) / math.sqrt(width2)

    def save(self, path: str | Path) -> None:
        """Write to one ``.npz``, atomically."""
        arrays, text = taken_apart(self, "s")
        for name, prefix in _NESTED.items():
            part = text[name]
            if part is not None:
                own, text[name] = taken_apart(part, prefix)
                arrays |= own
        _FILE.write(path, arrays, text)

    @classmethod
    def load(cls, path: str | Path) -> SpectralPrior:
        """Read what `save` wrote; DataError if it is something else."""

        def build(arrays: Arrays, text: dict) -> SpectralPrior:
            for name, kind in (("nuisance", NuisancePrior), ("mismatch", LabelMismatch)):
                if text[name] is not None:
                    text[name] = put_together(kind, _NESTED[name], arrays, text[name])
            return put_together(cls, "s", arrays, text)

        return _FILE.read(path, build)


def amplitude_features(star: Mapping[str, float], depth: float) -> np.ndarray:
    """What goes with the amplitude of a spectrum, (4,): ln of depth, of the equilibrium temperature, of the
    scale-height signal 2 r H / Rs, and of the planet's mass.

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
    return np.log([depth, temperature, 2.0 * math.sqrt(depth) * height, mass])


def matern52(x: np.ndarray, length: float) -> np.ndarray:
    """Matern-5/2 correlation matrix of the points ``x``."""
    u = math.sqrt(5.0) * np.abs(x[:, None] - x[None, :]) / length
    return (1.0 + u + u**2 / 3.0) * np.exp(-u)


def squared_exponential(x: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-0.5 * ((x[:, None] - x[None, :]) / length) ** 2)


def shape_covariance(airs: np.ndarray, *, fgs1: float) -> np.ndarray:
    """(W, W): FGS1 with a variance of its own, apart from the covariance of AIRS-CH0 (W - 1, W - 1)."""
    whole = np.zeros((len(airs) + 1,) * 2)
    whole[0, 0], whole[1:, 1:] = fgs1, airs
    return whole


def factors(covariance: np.ndarray, *, share: float) -> np.ndarray:
    """Columns F with F F' equal to the covariance up to ``share`` of its largest eigenvalue."""
    values, vectors = np.linalg.eigh(covariance)
    keep = values > share * values.max()
    return vectors[:, keep] * np.sqrt(values[keep])


def default_spectral_prior(
    wavelength_um: np.ndarray, *, nuisance: NuisancePrior | None = None
) -> SpectralPrior:
    """A prior without labels: smooth shapes, an FGS1 offset, the usual amplitudes."""
    wave = np.asarray(wavelength_um, dtype=np.float64)
    smooth = 0.7 * matern52(wave[1:], 0.25) + 0.5 * squared_exponential(wave[1:], 0.8)
    # FGS1 - AIRS is about twice the std within AIRS (docs/decisions.md D7, D15)
    return SpectralPrior(
        wavelength_um=wave,
        modes=factors(shape_covariance(smooth, fgs1=4.0), share=1e-5),
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
