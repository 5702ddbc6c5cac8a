"""What predicts how wrong an anchor is (docs/decisions.md D5): for its calibration and for the network."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement

# nuisances that are features, and what they usually are
_NUISANCES = {
    "u1_fgs1": ("fgs1_u1", 0.48),
    "u2_fgs1": ("fgs1_u2", 0.12),
    "u1_airs": ("airs_u1", 0.12),
    "u2_airs": ("airs_u2", 0.13),
    "impact2": ("impact2", 0.1),
}


def anchor_features(
    anchor: Anchor, measurement: DepthMeasurement, raw_covariance: np.ndarray, *, grid: Mapping[str, float]
) -> dict[str, float]:
    """All finite, depths in units of depth. ``grid``: what the mixture found of its own coordinates."""
    airs, gap = anchor.depth[1:], anchor.raw_depth - anchor.depth
    weight = 1.0 / np.maximum(anchor.raw_err[1:], 1e-9) ** 2
    found = {
        "depth": float(airs.mean()),
        "mean_err": _mean_err(anchor.covariance),
        "fgs1_err": float(anchor.depth_err[0]),
        "airs_err": float(np.sqrt(np.mean(anchor.depth_err[1:] ** 2))),
        "spread": float(airs.std()),
        "fgs1_offset": float(anchor.depth[0] - airs.mean()),
        **grid,
        "raw_gap": float(np.sqrt(np.average(gap[1:] ** 2, weights=weight) * weight.mean())),
        "raw_gap_mean": float(np.average(gap[1:], weights=weight)),
        "raw_gap_fgs1": float(gap[0]),
        "raw_mean_err": _mean_err(raw_covariance),
        **{name: anchor.nuisance.get(own, usual) for name, (own, usual) in _NUISANCES.items()},
        "n_flags": float(len(anchor.flags)),
        **{f"quality_{name}": float(value) for name, value in measurement.quality.items()},
    }
    return {name: value if math.isfinite(value) else 0.0 for name, value in found.items()}


def _mean_err(covariance: np.ndarray) -> float:
    """1 sigma of the mean of AIRS-CH0."""
    return math.sqrt(max(float(covariance[1:, 1:].mean()), 1e-20))
