"""Weights of the optimal extraction."""

from __future__ import annotations

import numpy as np


def optimal_weights(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Weights (R, C) of least variance for a source of fixed shape (Horne 1986, PASP 98, 609), scaled so that
    the weighted sum of the mean image equals its plain sum."""
    shape = np.maximum(mean, 0.0)
    weight = shape / variance
    norm = (weight * mean).sum(axis=0)
    total = mean.sum(axis=0)
    scale = np.where(norm > 0, total / np.where(norm > 0, norm, 1.0), 0.0)
    return np.where(norm > 0, weight * scale, 1.0)
