"""End of training: score every stage on unseen planets, fit the sigma scale, pack the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spectramind_kit.configs.target import to_plain
from spectramind_kit.detector import LightCurve
from spectramind_kit.detector.layout import AdcInfo, read_adc_info
from spectramind_kit.errors import DataError
from spectramind_kit.inference.bundle import Learned, save_bundle, table_fingerprints
from spectramind_kit.inference.flat_depth import fit_flat_baseline, flat_depths
from spectramind_kit.inference.uncertainty import ANCHOR, BOTH, NETWORK, SigmaFit, fit_sigma_scale
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.files import OUT_OF_FOLD
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.predictions import EMBEDDINGS, Predictions
from spectramind_kit.runtime import say
from spectramind_kit.training.anchors import CrossFittedAnchors
from spectramind_kit.training.folds import Network
from spectramind_kit.training.labels import Labels
from spectramind_kit.training.pretrained import is_direct


def finish_training(
    run: RunFolder,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    anchors: CrossFittedAnchors,
    labels: Labels,
    network: Network | None,
) -> dict[str, float]:
    """Out-of-fold scores of each stage (official, not clipped at 0), ``predictions/oof.npz``, ``bundle/``."""
    depth, metric, planets = labels.of(anchors.planet_ids), labels.metric, anchors.planet_ids.tolist()
    anchor = anchors.stacked()
    found = flat_depths({p: light_curves[p] for p in planets})
    flat = np.array([found[p] for p in planets])
    anchor_fit = fit_sigma_scale(depth, anchor, fold=anchors.fold, metric=metric)
    scores = {
        "naive": 0.0,
        "flat depth": _flat_score(depth, flat, anchors.fold, metric),
        "anchor": anchor_fit.cross_fitted_score,
    }
    fit = anchor_fit
    if network is not None:
        of_network = network.predicted["depth_mean"], network.predicted["depth_sigma"]
        model = to_plain(run.config.model)
        alone = is_direct(model) and not model["decoder"]["combine"]
        fit = fit_sigma_scale(depth, anchor, of_network, fold=anchors.fold, metric=metric, alone=alone)
        _tell_share(run, fit)
    wavelength_um = next(iter(light_curves.values()))[0].wavelength_um
    predictions = _out_of_fold(anchors, depth, wavelength_um, fit=fit, network=network)
    predictions.save(run.root / OUT_OF_FOLD)
    if network is not None:
        name = "direct" if is_direct(model) else "network"
        scores[name] = metric.score(depth, *predictions.stage("network"), clip=False)
        scores["both"] = fit.shares[BOTH]
    scores["final"] = fit.cross_fitted_score
    learned = Learned(
        config={name: to_plain(run.config[name]) for name in ("data", "anchor", "model")},
        metric=metric,
        prior=anchors.prior,
        calibration=anchors.calibration,
        anchor_scale=anchor_fit.scale,
        network_scale=fit.scale,
        flat=fit_flat_baseline(depth, flat, metric=metric),
        time_flip=bool(run.config.train.time_flip),
        adc=_converters(run),
        made_from=anchors.made_from,
        tables=table_fingerprints(run.data_dir),
    )
    bundle = save_bundle(run.root / "bundle", learned, network=network)
    for name, value in scores.items():
        run.log("score", name=name, split="train, out of fold", score=value, planets=len(depth))
    run.record_stage(out_of_fold_scores=scores, sigma_scale=fit.scale.to_dict(), bundle=bundle)
    return scores


def _out_of_fold(
    anchors: CrossFittedAnchors,
    depth: np.ndarray,
    wavelength_um: np.ndarray,
    *,
    fit: SigmaFit,
    network: Network | None,
) -> Predictions:
    anchor, of_network, embeddings = anchors.stacked(), None, {}
    if network is not None:
        of_network = network.predicted["depth_mean"], network.predicted["depth_sigma"]
        embeddings = {name: network.predicted[name] for name in EMBEDDINGS}
    depth_mean, depth_sigma = fit.scale.apply(anchor, of_network)
    return Predictions(
        planet_id=anchors.planet_ids,
        wavelength_um=wavelength_um,
        depth_mean=depth_mean,
        depth_sigma=depth_sigma,
        anchor_depth=anchor[0],
        anchor_err=anchor[1],
        network_depth_mean=of_network[0] if of_network else None,
        network_depth_sigma=of_network[1] if of_network else None,
        depth=depth,
        fold=anchors.fold,
        made_from=anchors.made_from,
        **embeddings,
    )


def _converters(run: RunFolder) -> AdcInfo | None:
    try:
        return read_adc_info(run.data_dir, tell=run.tell)
    except DataError:  # the light curves may come from a kernel that had it
        return None


def _flat_score(depth: np.ndarray, flat: np.ndarray, fold: np.ndarray, metric: Metric) -> float:
    """The flat-depth baseline, fitted on the other folds; planets without a flat depth count as naive."""
    mean, sigma = metric.naive(depth.shape)
    for k in np.unique(fold):
        baseline = fit_flat_baseline(depth[fold != k], flat[fold != k], metric=metric)
        inside = (fold == k) & np.isfinite(flat)
        mean[inside], sigma[inside] = baseline.spectra(flat[inside])
    return metric.score(depth, mean, sigma, clip=False)


def _tell_share(run: RunFolder, fit: SigmaFit) -> None:
    """Whether the network counts, how far, and why."""
    scale = fit.scale
    chosen = NETWORK if scale.alone else BOTH if scale.uses_network else ANCHOR
    run.log("network_share", shares=fit.shares, chosen=chosen, gain=fit.gain, gain_error=fit.gain_error)
    gain = f"{fit.gain:+.4f} ± {fit.gain_error:.4f} over the anchor, on planets that no fit has seen"
    if chosen == NETWORK:
        say(f"the network alone is submitted, as configured: {gain}")
    elif chosen == BOTH:
        say(f"anchor and network are combined: {gain}")
    elif fit.gain <= 0.0:
        say("the anchor alone is submitted: on planets that no fit has seen, the network adds nothing to it")
    else:
        say(f"the anchor alone is submitted: with the network {gain}, too little against its error")
