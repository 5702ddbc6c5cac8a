"""Anchors and network of new planets, from a bundle: one spectrum a planet over all folds and visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from spectramind_kit.detector import LightCurve
from spectramind_kit.errors import in_words
from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.models.build import build_model
from spectramind_kit.runtime import Device, progress
from spectramind_kit.training.checkpoint import load_checkpoint
from spectramind_kit.training.dataset import VisitDataset, planet_rows
from spectramind_kit.training.evaluation import evaluate_rows, planets_of_rows
from spectramind_kit.training.precision import Precision
from spectramind_kit.transit import Anchor, DepthMeasurement, apply_prior, calibrate

_BATCH = 16  # visits


def predict_anchors(
    bundle: Bundle, measurements: Mapping[int, DepthMeasurement]
) -> tuple[dict[int, Anchor], dict[int, str]]:
    """Calibrated anchors by planet, and the reason for each planet that gave none."""
    anchors, failed = {}, {}
    for planet, measurement in measurements.items():
        try:
            anchor = calibrate(apply_prior(measurement, bundle.prior), bundle.calibration)
            if not (np.isfinite(anchor.depth).all() and (np.diag(anchor.covariance) > 0).all()):
                raise ValueError("the anchor is not finite")
            anchors[planet] = anchor
        except Exception as error:  # one planet must not cost the run: it falls back to the flat depth
            failed[planet] = in_words(error)
    return anchors, failed


def load_fold(bundle: Bundle, weights: Path, dataset: VisitDataset) -> nn.Module:
    """The network of one fold, for the features of a dataset; on the CPU."""
    model = build_model(bundle.config["model"], **dataset.features)
    model.load_state_dict(load_checkpoint(weights, digest=bundle.digest)["model"])
    return model


def predict_network(
    bundle: Bundle,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measurements: Mapping[int, DepthMeasurement],
    anchors: Mapping[int, Anchor],
    stars: pd.DataFrame,
    device: Device,
) -> dict[str, np.ndarray]:
    """The folds' predictions, averaged: depths and log sigmas over folds, visits as in `combine_visits`.

    Returns ``planet_id`` (N,), ``depth_mean``, ``depth_sigma`` (N, 283) and pooled embeddings (N, D).
    """
    rows = planet_rows(light_curves, measurements=measurements, anchors=anchors, stars=stars)
    dataset = VisitDataset(rows, normaliser=bundle.normaliser)
    sums: dict[str, np.ndarray] = {}
    for path in progress(bundle.weights, desc="network", unit="fold"):
        found = evaluate_rows(
            load_fold(bundle, path, dataset).to(device.name),
            dataset,
            np.arange(len(dataset)),
            precision=Precision.of(device),
            batch_size=_BATCH,
            flip_average=bundle.time_flip,
        )
        found["depth_sigma"] = np.log(found["depth_sigma"])
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value / len(bundle.weights)
    sums["depth_sigma"] = np.exp(sums["depth_sigma"])
    return planets_of_rows(dataset.planet_id, sums)
