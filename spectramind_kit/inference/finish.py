"""End of training: score every stage on planets that it has not seen, fit the sigma scale, pack the
bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.configs.target import to_plain
from spectramind_kit.detector.layout import AdcInfo, read_adc_info
from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import to_text
from spectramind_kit.inference.bundle import save_bundle, table_fingerprints
from spectramind_kit.inference.flat_depth import fit_flat_baseline, flat_depths
from spectramind_kit.inference.uncertainty import fit_sigma_scale
from spectramind_kit.metric import N_BINS, array_score
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.runtime import say
from spectramind_kit.training.anchors import CrossFittedAnchors
from spectramind_kit.training.folds import Network
from spectramind_kit.training.labels import Labels
from spectramind_kit.whole_file import whole_file

if TYPE_CHECKING:
    from spectramind_kit.detector import LightCurve


def finish_training(
    run: RunFolder,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    anchors: CrossFittedAnchors,
    labels: Labels,
    network: Network | None,
) -> dict[str, float]:
    """Out-of-fold scores of each stage (official, unclipped), ``predictions/oof.npz`` and ``bundle/``."""
    depth, naive = labels.of(anchors.planet_ids), labels.naive
    anchor_depth, anchor_err = anchors.stacked()
    flat = flat_depths({int(p): light_curves[int(p)] for p in anchors.planet_ids})
    flat = np.array([flat[int(p)] for p in anchors.planet_ids])
    scores = {"naive": 0.0, "flat depth": _flat_score(depth, flat, anchors.fold, naive)}
    common = {"anchor_err": anchor_err, "fold": anchors.fold, "naive": naive}
    anchor_fit = fit_sigma_scale(depth, anchor_depth, **common)
    scores["anchor"] = anchor_fit.cross_fitted_score
    fit, predicted = anchor_fit, {}
    if network is not None:
        mean, sigma = network.predicted["depth_mean"], network.predicted["depth_sigma"]
        scores["network"] = array_score(depth, mean, sigma, clip=False, **naive)
        fit = fit_sigma_scale(depth, anchor_depth, network_mean=mean, network_sigma=sigma, **common)
        predicted = {
            "network_depth_mean": mean,
            "network_depth_sigma": sigma,
            **{name: network.predicted[name] for name in ("fused", "fgs1_embedding", "airs_embedding")},
        }
        run.log(
            "network_share",
            shares=fit.shares,
            chosen=fit.scale.network_share,
            gain=fit.gain,
            gain_error=fit.gain_error,
        )
        say(_verdict(fit))
    scores["final"] = fit.cross_fitted_score
    final_mean, final_sigma = fit.scale.apply(
        anchor_depth,
        anchor_err,
        network_mean=predicted.get("network_depth_mean"),
        network_sigma=predicted.get("network_depth_sigma"),
    )
    save_predictions(
        run.root / "predictions" / "oof.npz",
        planet_id=anchors.planet_ids,
        fold=anchors.fold,
        depth=depth,
        wavelength_um=next(iter(light_curves.values()))[0].wavelength_um,
        depth_mean=final_mean,
        depth_sigma=final_sigma,
        anchor_depth=anchor_depth,
        anchor_err=anchor_err,
        made_from=np.array(to_text(anchors.made_from)),
        **predicted,
    )
    config = {name: to_plain(run.config[name]) for name in ("data", "anchor", "model")}
    bundle = save_bundle(
        run.root / "bundle",
        config=config,
        naive=naive,
        prior=anchors.prior,
        calibration=anchors.calibration,
        anchor_scale=anchor_fit.scale,
        network_scale=fit.scale,
        network=network,
        flat=fit_flat_baseline(depth, flat, naive=naive),
        time_flip=bool(run.config.train.time_flip),
        adc=_converters(run),
        made_from=anchors.made_from,
        tables=table_fingerprints(run.data_dir),
    )
    for name, value in scores.items():
        run.log("score", name=name, split="train, out of fold", score=value, planets=len(depth))
        say(f"out-of-fold score (not clipped at 0), {name}: {value:.4f}")
    run.record_stage(
        out_of_fold_scores=scores,
        sigma_scale=fit.scale.to_dict(),
        bundle=read_json(bundle / "bundle.json")["fingerprint"],
    )
    return scores


def save_predictions(path: Path, **arrays: np.ndarray) -> Path:
    """``predictions/*.npz``, atomically; the names are those of `diagnostics.run_folder.Predictions`."""
    with whole_file(path) as part, open(part, "wb") as handle:
        np.savez_compressed(handle, **arrays)
    return path


def _converters(run: RunFolder) -> AdcInfo | None:
    try:
        return read_adc_info(run.data_dir, tell=run.tell)
    except DataError:  # the light curves may come from a kernel that had it
        return None


def _flat_score(depth: np.ndarray, flat: np.ndarray, fold: np.ndarray, naive: Mapping[str, float]) -> float:
    """The flat-depth baseline, its ratio and sigma fitted on the other folds; planets without one count as
    naive."""
    mean, sigma = np.full(depth.shape, naive["naive_mean"]), np.full(depth.shape, naive["naive_sigma"])
    for k in np.unique(fold):
        ratio, constant = fit_flat_baseline(depth[fold != k], flat[fold != k], naive=naive)
        inside = (fold == k) & np.isfinite(flat)
        mean[inside], sigma[inside] = np.repeat(ratio * flat[inside, None], N_BINS, axis=1), constant
    return array_score(depth, mean, sigma, clip=False, **naive)


def _verdict(fit) -> str:
    gain = f"{fit.gain:+.4f} ± {fit.gain_error:.4f} over the anchor, on planets that no fit has seen"
    if fit.scale.network_share:
        return f"the network is used with weight {fit.scale.network_share:g}: {gain}"
    if fit.gain <= 0.0:
        return (
            "the network is left out: no weight of it is better than the anchor on planets that no fit "
            "has seen"
        )
    return f"the network is left out: its best weight gives {gain}, too little against its error"
