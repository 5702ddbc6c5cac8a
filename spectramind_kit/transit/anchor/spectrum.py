"""The anchor itself: a spectrum with its covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Anchor:
    """A spectrum with its covariance; W = 283, FGS1 first, dimensionless depths."""

    planet_id: int
    wavelength_um: np.ndarray  # (W,)
    depth: np.ndarray  # (W,)
    covariance: np.ndarray  # (W, W)
    raw_depth: np.ndarray  # (W,) knows no prior on the spectrum
    raw_err: np.ndarray  # (W,) its 1 sigma
    features: Mapping[str, float] = field(default_factory=dict)  # predict the true error: `anchor_features`
    nuisance: Mapping[str, float] = field(default_factory=dict)  # posterior means
    flags: tuple[str, ...] = ()

    @property
    def depth_err(self) -> np.ndarray:
        """(W,) 1 sigma."""
        return np.sqrt(np.diagonal(self.covariance).clip(0.0))
