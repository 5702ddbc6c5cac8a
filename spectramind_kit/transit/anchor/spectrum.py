"""The anchor itself: a spectrum with its covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Anchor:
    """A spectrum with its covariance; W = 283, FGS1 first, dimensionless depths.

    ``raw_depth`` and ``raw_err`` (W,) know no prior on the spectrum; ``nuisance`` maps names to posterior
    means. ``features`` are numbers that predict the true error: see `anchor_features`.
    """

    planet_id: int
    wavelength_um: np.ndarray
    depth: np.ndarray
    covariance: np.ndarray
    raw_depth: np.ndarray
    raw_err: np.ndarray
    features: Mapping[str, float] = field(default_factory=dict)
    nuisance: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def depth_err(self) -> np.ndarray:
        """(W,) 1 sigma."""
        return np.sqrt(np.diagonal(self.covariance).clip(0.0))
