"""Anchor and network of new planets, from a bundle: folds and visits are averaged to one spectrum per
planet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.models.build import build_model
from spectramind_kit.runtime import Device, progress
from spectramind_kit.training.anchors import Measured
from spectramind_kit.training.checkpoint import load_checkpoint
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import combine_visits, evaluate_rows
from spectramind_kit.training.folds import planet_rows
from spectramind_kit.training.loop import amp_context
from spectramind_kit.transit import apply_prior, calibrate

if TYPE_CHECKING:
    import pandas as pd

    from spectramind_kit.detector import LightCurve
    from spectramind_kit.transit import Anchor


def predict_anchors(bundle: Bundle, measured: Measured) -> tuple[dict[int, Anchor], dict[int, str]]:
    """Calibrated anchors by planet, and the reason for each planet that gave none."""
    anchors, failed = {}, {}
    for planet, measurement in measured.measurements.items():
        try:
            anchor = calibrate(apply_prior(measurement, bundle.prior), bundle.calibration)
            if not (np.isfinite(anchor.depth).all() and (np.diag(anchor.covariance) > 0).all()):
                raise ValueError("the anchor is not finite")
            anchors[planet] = anchor
        except Exception as error:  # one planet must not cost the run: it falls back to the flat depth
            failed[planet] = f"{type(error).__name__}: {error}"
    return anchors, failed


def predict_network(
    bundle: Bundle,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measured: Measured,
    anchors: Mapping[int, Anchor],
    stars: pd.DataFrame,
    device: Device,
    batch_size: int = 16,
) -> dict[str, np.ndarray]:
    """The folds' predictions, averaged: depths and log sigmas over folds, visits as in `combine_visits`.

    Returns ``planet_id`` (N,), ``depth_mean``, ``depth_sigma`` (N, 283) and pooled embeddings (N, D).
    """
    dataset = VisitDataset(
        planet_rows(light_curves, measured=measured, anchors=anchors, stars=stars),
        normaliser=bundle.normaliser,
    )
    rows = np.arange(len(dataset))
    autocast, _ = amp_context(device, "auto")
    sums: dict[str, np.ndarray] = {}
    for path in progress(bundle.weights, desc="network", unit="fold"):
        model = build_model(
            bundle.config["model"],
            bin_features=dataset.tensors["bins"].shape[-1],
            star_features=dataset.tensors["star"].shape[-1],
        )
        model.load_state_dict(load_checkpoint(path, digest=bundle.digest)["model"])
        found = evaluate_rows(
            model.to(device.name),
            dataset,
            rows,
            device=device.name,
            autocast=autocast,
            batch_size=batch_size,
            flip_average=bundle.time_flip,
        )
        found["depth_sigma"] = np.log(found["depth_sigma"])
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value / len(bundle.weights)
    planets, mean, sigma = combine_visits(dataset.planet_id, sums["depth_mean"], np.exp(sums["depth_sigma"]))
    pooled = {
        name: np.stack([sums[name][dataset.planet_id == p].mean(0) for p in planets])
        for name in ("fused", "fgs1_embedding", "airs_embedding")
    }
    return {"planet_id": planets, "depth_mean": mean, "depth_sigma": sigma, **pooled}
