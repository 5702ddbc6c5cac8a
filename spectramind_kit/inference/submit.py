"""The rerun: rows from the test folder, something valid at once, then as much as the time allows.

Each planet takes the best that it got: network, anchor, flat depth, naive. Too little time leaves out the
network first, then the anchors of the planets that are still to come, then their light curves; what broke for
one planet is recorded. Nothing here raises for what data can do: a notebook that raises is a failed
submission, whatever CSV it left.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.detector.layout import SharedTables
from spectramind_kit.detector.spectral_axis import bin_order
from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.fingerprint import fingerprint, to_text
from spectramind_kit.inference.bundle import Bundle, bundle_doubts, load_bundle
from spectramind_kit.inference.finish import save_predictions
from spectramind_kit.inference.flat_depth import flat_depths
from spectramind_kit.inference.predict import predict_anchors, predict_network
from spectramind_kit.inference.rerun_inputs import (
    in_order,
    planets_of_test,
    stars_of_test,
    tables_of_test,
    wavelengths_of_test,
)
from spectramind_kit.metric import OFFICIAL_NAIVE_MEAN, OFFICIAL_NAIVE_SIGMA, Metric
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.runtime import cpu_count, say
from spectramind_kit.submission import build_submission, fallback_submission, write_submission
from spectramind_kit.training.anchors import Measured, measure_planets
from spectramind_kit.training.folds import set_threads
from spectramind_kit.training.light_curves import extract_light_curves

CHUNK = 64  # planets between two looks at the clock
WITHOUT_BUNDLE = (1.0, 1e-3)  # flat depth as it is, and an error on the safe side: docs/decisions.md D68


@dataclass(frozen=True)
class Prediction:
    """Depths and sigmas (N, 283) of ``planet_ids``, and what each planet's come from."""

    planet_ids: list[int]
    depth_mean: np.ndarray
    depth_sigma: np.ndarray
    source: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(self.source.tolist()))


def write_fallback(run: RunFolder) -> list[int]:
    """Write the naive prediction for every test planet, so that whatever happens next, there is a valid
    CSV."""
    planet_ids = planets_of_test(run.data_dir, tell=run.tell)
    bundle = _find_bundle(run)
    metric = Metric.from_dict(bundle.naive) if bundle else None
    write_submission(
        fallback_submission(planet_ids, metric=metric), run.root / "submission.csv", planet_ids=planet_ids
    )
    with suppress(OSError):  # predictions and scores of an earlier submission
        (run.root / "predictions" / "test.npz").unlink(missing_ok=True)
        run.record(test_scores={}, test_scores_of="")
    say(f"fallback written: {len(planet_ids)} planets, {run.root / 'submission.csv'}")
    return planet_ids


def predict_test(run: RunFolder, planet_ids: Sequence[int]) -> Prediction:
    """Predict every planet as well as data and time allow; never raises.

    Light curves and anchors are made with the settings that the bundle was trained with.
    """
    try:
        return _predict(run, planet_ids)
    except Exception as error:  # unforeseen: the naive prediction is a submission, an exception is none
        say(f"the prediction failed, every planet is left naive: {type(error).__name__}: {error}")
        run.record_stage(prediction_failed=f"{type(error).__name__}: {error}")
        shape = (len(planet_ids), N_BINS)
        return Prediction(
            [int(p) for p in planet_ids],
            np.full(shape, OFFICIAL_NAIVE_MEAN),
            np.full(shape, OFFICIAL_NAIVE_SIGMA),
            np.full(len(planet_ids), "naive", dtype=object),
        )


def write_prediction(run: RunFolder, prediction: Prediction) -> Path:
    """Validate and write ``submission.csv`` over the fallback, which stays where the prediction cannot be
    used."""
    path = run.root / "submission.csv"
    try:
        frame = build_submission(
            prediction.planet_ids, prediction.depth_mean, depth_sigma=prediction.depth_sigma
        )
        write_submission(frame, path, planet_ids=prediction.planet_ids)
    except Exception as error:
        say(
            "the fallback stays in submission.csv, the prediction cannot be written: "
            f"{type(error).__name__}: {error}"
        )
        run.record_stage(write_failed=f"{type(error).__name__}: {error}")
        return path
    run.record(test_scores={}, test_scores_of="")  # of an earlier submission; the truth is read after this
    run.record_stage(sources=prediction.counts)
    say(
        "planets by what their prediction comes from: "
        + ", ".join(f"{n} {name}" for name, n in prediction.counts.items())
    )
    return path


# ---------------------------------------------------------------- the parts


def _predict(run: RunFolder, planet_ids: Sequence[int]) -> Prediction:
    bundle = _find_bundle(run)
    if bundle is not None:
        _take_settings(run, bundle)
        _say_doubts(run, bundle)
    stars, tables, order = stars_of_test(run), tables_of_test(run, bundle), None
    if bundle is not None and tables is not None:
        # prior and weights know the bins in the order of their training, the submission in wavelengths.csv's
        order = bin_order(tables.wavelength_um, bundle.prior.wavelength_um)
        if order is None:
            run.tell("the bundle was trained on other wavelengths than wavelengths.csv has; flat depths only")
            bundle = None
        else:
            tables = replace(tables, wavelength_um=bundle.prior.wavelength_um)
    light_curves, flat, measurements = {}, {}, {}
    todo = list(planet_ids)
    use_anchor = bundle is not None
    size = 2 * cpu_count()  # a small first chunk: it tells what a planet costs
    while todo:
        chunk, todo = todo[:size], todo[size:]
        if not run.budget.fits("light_curves", units=len(chunk)):
            say(f"{len(chunk) + len(todo)} planets are left as they are: no time for their light curves")
            run.record_stage(left_naive=len(chunk) + len(todo))
            break
        start = time.monotonic()
        found = _light_curves(run, chunk, tables)
        if order is not None and (order != np.arange(N_BINS)).any():  # of an earlier kernel
            found = {
                p: [in_order(curve, tables.wavelength_um) for curve in curves] for p, curves in found.items()
            }
        run.budget.charge("light_curves", units=len(chunk), seconds=time.monotonic() - start)
        flat.update(flat_depths(found))
        cost = sum((run.budget.seconds_per_unit(part) or 0.0) for part in ("light_curves", "anchor"))
        if (
            use_anchor
            and cost * len(todo) + (run.budget.seconds_per_unit("anchor") or 0.0) * len(chunk)
            > run.budget.left_s
        ):
            say("the anchor is left out for the remaining planets: no time for it")
            run.record_stage(anchor_left_out_for=len(chunk) + len(todo))
            use_anchor = False
        if use_anchor:
            measured = _measured(run, found, stars)
            measurements.update(measured)
            light_curves.update({p: found[p] for p in measured})
        size = CHUNK
    measured = Measured(measurements, ())
    return _assemble(
        run,
        planet_ids,
        bundle,
        stars=stars,
        flat=flat,
        light_curves=light_curves,
        measured=measured,
        tables=tables,
        order=order,
    )


def _find_bundle(run: RunFolder) -> Bundle | None:
    folder = run.find("bundle/bundle.json")
    if folder is None:
        run.tell(
            "no bundle of a training was found: flat depths only. Run 02_train first, or attach its output."
        )
        return None
    try:
        bundle = load_bundle(folder.parent)
        if not (
            np.isfinite(list(bundle.naive.values())).all()
            and {"data", "anchor", "model"} <= set(bundle.config)
        ):
            raise DataError(
                "the bundle is not complete",
                where=str(folder),
                fix="run 02_train again, or attach its output",
            )
        return bundle
    # damaged on its way (a cut file raises anything): it costs the anchor, not the submission
    except Exception as error:
        run.tell(f"the bundle cannot be used, flat depths only: {type(error).__name__}: {error}")
        run.record_stage(bundle_failed=f"{type(error).__name__}: {error}")
        return None


def _say_doubts(run: RunFolder, bundle: Bundle) -> None:
    try:
        doubts = bundle_doubts(bundle, root=run.root, data_dir=run.data_dir)
        others = [
            folder
            for folder in (run.root, *run.earlier)
            if read_json(folder / "bundle" / "bundle.json").get("fingerprint", bundle.fingerprint)
            != bundle.fingerprint
        ]
    except Exception as error:  # a doubt about a bundle must not cost what it predicts
        doubts, others = [f"what it belongs to cannot be told: {type(error).__name__}: {error}"], []
    for doubt in doubts:
        say(f"the bundle is used, but {doubt}: run 02_train again")
    for folder in others:
        say(f"the bundle of {bundle.folder.parent} is used, the other one in {folder} is not")
    run.record_stage(bundle=bundle.fingerprint, bundle_kit=bundle.kit, bundle_doubts=doubts)


def _light_curves(run: RunFolder, planet_ids: Sequence[int], tables: SharedTables | None) -> dict:
    try:
        return extract_light_curves(run, "test", planet_ids=planet_ids, tables=tables)
    except Exception as error:  # a table of the data set that is broken for all: the fallback must survive it
        run.failures(
            "light_curves_test", [PlanetFailure(p, f"{type(error).__name__}: {error}") for p in planet_ids]
        )
        return {}


def _take_settings(run: RunFolder, bundle: Bundle) -> None:
    """Prior, calibration and weights fit only what they were learned on."""
    from omegaconf import OmegaConf

    trained = OmegaConf.create({name: bundle.config[name] for name in ("data", "anchor")})
    if any(trained[name] != run.config[name] for name in ("data", "anchor")):
        say("light curves and anchors are made with the bundle's settings, which differ from this run's")
    run.config = OmegaConf.merge(run.config, trained)


def _measured(run: RunFolder, light_curves: dict, stars: pd.DataFrame) -> dict:
    try:
        return measure_planets(run, light_curves, stars=stars, split="test").measurements
    # worker processes that cannot start, a full disk: the flat depths must survive it
    except Exception as error:
        run.failures(
            "anchor_test", [PlanetFailure(p, f"{type(error).__name__}: {error}") for p in light_curves]
        )
        return {}


def _assemble(
    run: RunFolder,
    planet_ids: Sequence[int],
    bundle: Bundle | None,
    *,
    stars: pd.DataFrame,
    flat: dict[int, float],
    light_curves: dict,
    measured: Measured,
    tables: SharedTables | None,
    order: np.ndarray | None,
) -> Prediction:
    row = {int(p): k for k, p in enumerate(planet_ids)}
    shape = (len(row), N_BINS)
    naive = (
        bundle.naive if bundle else {"naive_mean": OFFICIAL_NAIVE_MEAN, "naive_sigma": OFFICIAL_NAIVE_SIGMA}
    )
    mean, sigma = np.full(shape, naive["naive_mean"]), np.full(shape, naive["naive_sigma"])
    source = np.full(len(row), "naive", dtype=object)
    ratio, constant = (bundle.flat_ratio, bundle.flat_sigma) if bundle else WITHOUT_BUNDLE
    flat_mean, flat_sigma = mean.copy(), sigma.copy()
    for planet, depth in flat.items():
        if np.isfinite(depth) and 0 < depth < 0.5:
            flat_mean[row[planet]], flat_sigma[row[planet]] = ratio * depth, constant
            mean[row[planet]], sigma[row[planet]], source[row[planet]] = ratio * depth, constant, "flat depth"
    arrays: dict[str, np.ndarray] = {}
    if bundle and measured.measurements:
        try:
            arrays = _anchors_and_network(
                run,
                bundle,
                light_curves,
                measured=measured,
                stars=stars,
                row=row,
                mean=mean,
                sigma=sigma,
                source=source,
            )
        # nobody foresaw it; a notebook that raises fails the submission, CSV or not
        except Exception as error:
            say(f"anchors or network failed: {type(error).__name__}: {error}; each planet keeps what it has")
            run.record_stage(anchors_failed=f"{type(error).__name__}: {error}")
    wavelength_um = wavelengths_of_test(run, tables)
    if order is not None and (order != np.arange(N_BINS)).any():
        mean, sigma, wavelength_um = mean[:, order], sigma[:, order], wavelength_um[order]
        arrays = {name: a[:, order] if a.shape == shape else a for name, a in arrays.items()}
    broken = ~(np.isfinite(mean).all(1) & np.isfinite(sigma).all(1))
    mean[broken], sigma[broken], source[broken] = naive["naive_mean"], naive["naive_sigma"], "naive"
    try:
        save_predictions(
            run.root / "predictions" / "test.npz",
            planet_id=np.array(list(row), dtype=np.int64),
            depth_mean=mean,
            depth_sigma=sigma,
            wavelength_um=wavelength_um,
            flat_depth_mean=flat_mean,
            flat_depth_sigma=flat_sigma,
            source=source.astype(str),
            made_from=np.array(to_text(_made_from(bundle, measured))),
            **arrays,
        )
    except Exception as error:  # a full disk costs the figures, not the submission
        say(f"predictions/test.npz cannot be written: {type(error).__name__}: {error}")
        run.record_stage(predictions_failed=f"{type(error).__name__}: {error}")
    return Prediction(list(row), mean, sigma, source)


def _made_from(bundle: Bundle | None, measured: Measured) -> dict[str, str]:
    """Fingerprints of the bundle and of every planet's light curves, star and settings."""
    return {
        "bundle": bundle.fingerprint if bundle else "",
        "measurements": fingerprint(
            {planet: dict(m.made_from) for planet, m in measured.measurements.items()}
        ),
    }


def _anchors_and_network(
    run: RunFolder,
    bundle: Bundle,
    light_curves: dict,
    *,
    measured: Measured,
    stars: pd.DataFrame,
    row: dict[int, int],
    mean: np.ndarray,
    sigma: np.ndarray,
    source: np.ndarray,
) -> dict[str, np.ndarray]:
    anchors, failed = predict_anchors(bundle, measured)
    run.failures("anchor_prior_test", [PlanetFailure(p, text) for p, text in failed.items()])
    anchor_depth, anchor_err = mean.copy(), sigma.copy()
    for planet, anchor in anchors.items():
        anchor_depth[row[planet]], anchor_err[row[planet]] = anchor.depth, anchor.depth_err
    have = [row[planet] for planet in anchors]
    mean[have], sigma[have] = bundle.anchor_scale.apply(anchor_depth[have], anchor_err[have])
    source[have] = "anchor"
    arrays = {"anchor_depth": anchor_depth, "anchor_err": anchor_err}
    if not (bundle.weights and anchors and run.config.model.use_network):
        return arrays
    if run.budget.left_s <= 0:
        say("the network is left out: no time for it")
        run.record_stage(network_left_out=True)
        return arrays
    set_threads(run)
    try:
        with run.step("network"):
            network = predict_network(
                bundle, light_curves, measured=measured, anchors=anchors, stars=stars, device=run.device()
            )
    except Exception as error:  # a GPU out of memory must not cost the anchors
        say(f"the network is left out: {type(error).__name__}: {error}")
        run.record_stage(network_failed=f"{type(error).__name__}: {error}")
        return arrays
    rows = [row[int(p)] for p in network["planet_id"]]
    if bundle.network_scale.network_share:
        mean[rows], sigma[rows] = bundle.network_scale.apply(
            anchor_depth[rows],
            anchor_err[rows],
            network_mean=network["depth_mean"],
            network_sigma=network["depth_sigma"],
        )
        source[rows] = "network"
    for name in ("depth_mean", "depth_sigma", "fused", "fgs1_embedding", "airs_embedding"):
        full = np.full((len(row), network[name].shape[1]), np.nan)
        full[rows] = network[name]
        arrays[f"network_{name}" if name.startswith("depth") else name] = full
    return arrays
