"""Anchors and network of new planets, from a bundle: one spectrum a planet over all folds and visits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from torch import nn

from spectramind_kit.detector import LightCurve
from spectramind_kit.detector.spectral_axis import bin_order
from spectramind_kit.errors import in_words
from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.inference.rerun_inputs import in_order
from spectramind_kit.runtime import Device, probe_device, progress
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.direct_rows import direct_rows
from spectramind_kit.training.evaluation import evaluate_rows, planets_of_rows
from spectramind_kit.training.network_rows import network_rows
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.pretrained import Pretrained
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


def as_read(
    bundle: Bundle,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measurements: Mapping[int, DepthMeasurement],
    anchors: Mapping[int, Anchor],
    stars: pd.DataFrame,
) -> VisitDataset | None:
    """What the bundle's network reads, a row per visit; None where it can read none."""
    given = {"measurements": measurements, "anchors": anchors, "stars": stars}
    rows = network_rows(bundle.config["model"], light_curves, **given)
    return VisitDataset(rows, normaliser=bundle.normaliser) if rows else None


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

    A direct network reads every planet with light curves in which a transit is found, another one those with
    an anchor. Returns ``planet_id`` (N,), ``depth_mean``, ``depth_sigma`` (N, 283) and pooled embeddings
    (N, D); an empty dictionary where there is no such planet.
    """
    given = {"measurements": measurements, "anchors": anchors, "stars": stars}
    dataset = as_read(bundle, light_curves, **given)
    if dataset is None:
        return {}
    folds = progress(bundle.networks(), desc="network", total=len(bundle.weights), unit="fold")
    return _averaged(folds, dataset, device=device, flip_average=bundle.time_flip)


def predict_untrained(
    start: Pretrained,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    stars: pd.DataFrame,
    device: Device | None = None,
) -> dict[str, np.ndarray]:
    """The same with weights that have seen simulated planets alone: no label, no training, no anchor.

    ``stars``: the star table, by planet; without a planet's row the network does with the rest. An empty
    dictionary also where the wavelengths are others than those of the weights; their order does not matter,
    the spectra have that of the first light curve. By default on the CPU.
    """
    known = np.asarray(start.card["wavelength_um"])
    curves = [curve for own in light_curves.values() for curve in own]
    order = bin_order(curves[0].wavelength_um, known) if curves else None
    turned = order is not None and not np.array_equal(order, np.arange(len(known)))
    if turned:
        light_curves = {p: [in_order(curve, known) for curve in own] for p, own in light_curves.items()}
    rows = direct_rows(light_curves, stars=stars)
    if not rows or not start.knows(rows[0]["wavelength_um"]):
        return {}
    dataset = VisitDataset(rows, normaliser=start.normaliser)
    found = _averaged([start.model()], dataset, device=device or probe_device("cpu"), flip_average=True)
    return found | {name: found[name][:, order] for name in ("depth_mean", "depth_sigma") if turned}


def _averaged(
    models: Iterable[nn.Module], dataset: VisitDataset, *, device: Device, flip_average: bool
) -> dict[str, np.ndarray]:
    """Means over the models, of sigma geometric ones, by planet."""
    parts = []
    for model in models:
        found = evaluate_rows(
            model.to(device.name),
            dataset,
            np.arange(len(dataset)),
            precision=Precision.of(device),
            batch_size=_BATCH,
            flip_average=flip_average,
        )
        parts.append(found | {"depth_sigma": np.log(found["depth_sigma"])})
    means = {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
    return planets_of_rows(dataset.planet_id, means | {"depth_sigma": np.exp(means["depth_sigma"])})
