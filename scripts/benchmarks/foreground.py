"""Foreground of stage 1 against the truth, on frames with diffraction rings, and what its error costs."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectramind_kit.runtime import progress

SEED = 313
KINDS = ("dilution", "wing_removed", "plain")  # `DetectorSettings.foreground`
AIRS_EXPOSURE_S, FGS1_EXPOSURE_S = 4.5, 0.1


@dataclass(frozen=True)
class Cost:
    """What the foreground's error does to one visit."""

    depth: float  # mean over the columns
    off_e: np.ndarray  # (C,) e⁻ per pixel and exposure
    bias_sigmas: np.ndarray  # (C,) bias of each column's depth over the depth's own error
    white_ppm: float  # bias of the white depth
    fgs1_off_e: float
    fgs1_ppm: float
    cpu_s: float  # of both sensors, frames to fluxes


def run(*, quick: bool = False) -> dict[str, float]:
    """40 visits at reduced cadence (noise per hour is that of the full one); quick: 4.

    A depth is biased by depth · rows · error / flux of the column. Worst: of any visit and wavelength.
    """
    from spectramind_kit.simulator import simulate_competition
    from spectramind_kit.simulator.settings import Settings

    n = 2 if quick else 20
    with tempfile.TemporaryDirectory(prefix="spectramind_foreground_") as folder:
        made = simulate_competition(
            Path(folder), n_train=n, n_test=n, seed=SEED, settings=Settings(two_visit_fraction=0.0)
        )
        return study(made)


def study(made) -> dict[str, float]:
    """Figures of all visits of a simulation, by kind."""
    from spectramind_kit.detector import find_visits

    files = [visit for split in ("train", "test") for visit in find_visits(made.data_dir, split)]
    costs: dict[str, list[Cost]] = {kind: [] for kind in KINDS}
    for visit in progress(files, desc="foreground", unit="visits"):
        truth = made.visits(visit.planet_id)[visit.visit]
        for kind in KINDS:
            costs[kind].append(_cost(visit, truth, kind))
    return {f"{kind}.{name}": value for kind in KINDS for name, value in _summary(costs[kind]).items()}


def _summary(costs: list[Cost]) -> dict[str, float]:
    off, bias = (np.array([getattr(cost, name) for cost in costs]) for name in ("off_e", "bias_sigmas"))
    white, fgs1_ppm = (
        np.array([getattr(cost, name) for cost in costs]) for name in ("white_ppm", "fgs1_ppm")
    )
    deep = np.array([cost.depth for cost in costs]) > 0.01
    return {
        "visits": len(costs),
        "off_e_rms": _rms(off),
        "off_e_rms_depth_over_1_percent": _rms(off[deep]),
        "off_e_rms_at_the_worst_wavelength": np.sqrt((off**2).mean(axis=0)).max(),
        "off_e_worst": np.abs(off).max(),
        "bias_sigmas_rms": _rms(bias),
        "bias_sigmas_worst": np.abs(bias).max(),
        "bias_over_a_tenth_sigma": (np.abs(bias) > 0.1).mean(),
        "white_ppm_rms": _rms(white),
        "white_ppm_worst": np.abs(white).max(),
        "white_over_10_ppm": (np.abs(white) > 10.0).mean(),
        "fgs1_off_e_rms": _rms(np.array([cost.fgs1_off_e for cost in costs])),
        "fgs1_ppm_worst": np.abs(fgs1_ppm).max(),
        "cpu_s_per_visit": np.mean([cost.cpu_s for cost in costs]),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean())) if values.size else float("nan")


def _cost(files, truth, kind: str) -> Cost:
    from spectramind_kit.detector import DetectorSettings, read_shared_tables
    from spectramind_kit.detector.airs_flux import read_airs
    from spectramind_kit.detector.fgs1_flux import read_fgs1
    from spectramind_kit.detector.instrument import AIRS
    from spectramind_kit.detector.raw_visit import VisitSource

    tables = read_shared_tables(files.folder.parent.parent)
    source = VisitSource(files, DetectorSettings(foreground=kind), tables.axis, tables.adc)
    started = time.process_time()
    fgs1 = read_fgs1(source)
    airs = read_airs(source, fgs1, instrument=AIRS)
    spent = time.process_time() - started
    trace, plan, depth = airs.trace, fgs1.window.plan, truth.depth[1:][AIRS.cut]
    off = trace.foreground - truth.foreground[1:][AIRS.cut] * AIRS_EXPOSURE_S
    level = trace.flux.mean(axis=0, dtype=np.float64)
    bias = depth * trace.per_pixel * off / level
    fgs1_off = plan.foreground.level - truth.foreground[0] * FGS1_EXPOSURE_S
    fgs1_share = plan.projection[:, 0].sum() * fgs1_off / fgs1.window.flux.mean()
    return Cost(
        depth=float(depth.mean()),
        off_e=off,
        bias_sigmas=bias / _depth_error(airs, truth),
        white_ppm=1e6 * float((bias * level).sum() / level.sum()),
        fgs1_off_e=float(fgs1_off),
        fgs1_ppm=1e6 * float(truth.depth[0] * fgs1_share),
        cpu_s=spent,
    )


def _depth_error(airs, truth) -> np.ndarray:
    """(C,) 1σ of a column's depth from its bins' errors, inside against outside of the true transit."""
    from dataclasses import replace

    from spectramind_kit.detector.noise import measure_flux_err
    from spectramind_kit.simulator import true_light_curve

    time_h, width_h = airs.bins.centre_h[airs.counts > 0], airs.bins.width_h
    planetless = replace(truth, depth=np.full_like(truth.depth, 1e-12))
    dip = [true_light_curve(t, time_h, exposure_h=width_h)[:, 1:].sum(axis=1) for t in (truth, planetless)]
    dip = 1.0 - dip[0] / dip[1]
    inside = dip > 0.5 * dip.max()
    flux = airs.trace.flux
    predicted = airs.trace.predicted_noise / np.sqrt(np.median(airs.counts))
    error = measure_flux_err(flux, predicted, counts=airs.counts[airs.counts > 0])
    relative = np.median(error, axis=0) / flux.mean(axis=0)
    return relative * np.sqrt(1.0 / inside.sum() + 1.0 / (~inside).sum())
