"""Anchors with errors of a known size, without a light curve."""

from __future__ import annotations

import numpy as np

from spectramind_kit.metric import Metric
from spectramind_kit.transit import Anchor
from tests.transit.synthetic import WAVELENGTH
from tests.transit.train_planets import spectra


def make_anchors(n: int, *, scale: float = 1.0, bias: float = 0.0) -> tuple[list[Anchor], np.ndarray]:
    """Anchors whose errors are ``scale`` times what they say, a relative bias; their labels (n, 283)."""
    rng = np.random.default_rng(0)
    base = np.full((283, 283), (3e-5) ** 2) + np.eye(283) * (2e-5) ** 2
    root, depths, anchors = np.linalg.cholesky(base), spectra(n), []
    for k, depth in enumerate(depths):
        guess = depth * (1.0 + bias) + scale * root @ rng.normal(size=283)
        features = {
            "depth": guess[1:].mean(),
            "spread": 5e-5,
            "fgs1_offset": 1e-5,
            "u1_fgs1": 0.48,
            "quality_log_flux": 16.0,
            "quality_airs_chi2": 1.0,
            "quality_n_out_of_transit": 80.0 + k % 7,
            "amplitude_surprise": rng.normal(),
            "raw_gap": 2e-5,
            "airs_err": 3.6e-5,
            "impact2": rng.uniform(0, 0.5),
            "quality_n_visits": 1.0,
        }
        err = np.sqrt(np.diagonal(base))
        anchors.append(Anchor(k, WAVELENGTH, guess, base, raw_depth=guess, raw_err=err, features=features))
    return anchors, depths


def stacked(anchors) -> tuple[np.ndarray, np.ndarray]:
    """Depths and errors (n, 283)."""
    return np.array([a.depth for a in anchors]), np.array([a.depth_err for a in anchors])


def score(anchors, depths: np.ndarray, metric: Metric) -> float:
    return metric.score(depths, *stacked(anchors))
