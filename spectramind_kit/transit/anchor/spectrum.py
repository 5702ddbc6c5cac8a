"""The anchor itself: a spectrum with its covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spectramind_kit.transit.record_file import RecordFile, put_together, taken_apart

_FILE = RecordFile("an anchor", 1, "fit it again")
# What a bin's variance has for itself, beside what the bins share: 1e-9 of it, 2e-3 ppm. The prior on spectra
# is smooth, so a posterior alone has directions of no variance at all, and no inverse.
_OF_A_BIN_ALONE = 1e-9


@dataclass(frozen=True)
class Anchor:
    """A spectrum with its covariance; W = 283, FGS1 first, dimensionless depths.

    The covariance is positive definite: ``np.linalg.cholesky(anchor.covariance)`` draws spectra. It is close
    to singular, since spectra are smooth in the prior: a χ² against a spectrum that is rougher than any train
    planet's is dominated by what the prior rules out; use ``depth_err`` there.
    """

    planet_id: int
    wavelength_um: np.ndarray  # (W,)
    depth: np.ndarray  # (W,)
    covariance: np.ndarray  # (W, W), positive definite
    raw_depth: np.ndarray  # (W,) knows no prior on the spectrum
    raw_err: np.ndarray  # (W,) its 1 sigma
    features: Mapping[str, float] = field(default_factory=dict)  # predict the true error: `anchor_features`
    nuisance: Mapping[str, float] = field(default_factory=dict)  # posterior means
    flags: tuple[str, ...] = ()

    @property
    def depth_err(self) -> np.ndarray:
        """(W,) 1 sigma."""
        return np.sqrt(np.diagonal(self.covariance).clip(0.0))

    def save(self, path: str | Path) -> None:
        """Write to one ``.npz``, atomically."""
        _FILE.write(path, *taken_apart(self, "a"))

    @classmethod
    def load(cls, path: str | Path) -> Anchor:
        """Read what `save` wrote; DataError if it is something else."""
        return _FILE.read(path, lambda arrays, text: put_together(cls, "a", arrays, text))


def positive_definite(covariance: np.ndarray) -> np.ndarray:
    """The same (W, W) with a little variance of each bin's own."""
    return covariance + np.diag(_OF_A_BIN_ALONE * np.diagonal(covariance))
