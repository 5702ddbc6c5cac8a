"""Stage 1 with the truth known: bias of the depth and scatter, each correction switched off in turn."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from spectramind_kit.runtime import progress

VARIANTS = {
    "all corrections": {},
    "dead pixels not filled": {"fill_dead": False},
    "hot pixels masked": {"mask_hot": True},
    "linearity off": {"linearity": False},
    "dark off": {"dark_timing": "off"},
    "flat off": {"flat": False},
    "cosmic rays left in": {"cosmic_rays": False},
    "foreground with the wing": {"foreground": "plain"},
    "foreground by a fitted wing": {"foreground": "wing_removed"},
    "foreground off": {"foreground": "off"},
    "FGS1 jitter left in": {"fgs1_jitter": False},
    "AIRS jitter left in": {"airs_jitter": False},
    "FGS1 plain sum": {"fgs1_extraction": "sum"},
    "AIRS the other extraction": {"airs_extraction": "other"},
}
READ_NOISE_E = 13.3  # median of the read-noise maps, per read


def run(*, quick: bool = False) -> dict[str, float]:
    """Two sets of reduced-cadence planets, 40 and 12 (quick: 6 and 4).

    One without shot, reset and read noise (cosmic rays, dead and hot pixels, linearity, flat, dark,
    foreground, drift and jitter on) shows biases far below a single planet's error bar; one with all noise
    the scatter against what shot and read noise allow.
    """
    from spectramind_kit.simulator import simulate_competition
    from spectramind_kit.simulator.settings import Settings

    n_quiet, n_noisy = (3, 2) if quick else (20, 6)
    with tempfile.TemporaryDirectory(prefix="spectramind_corrections_") as folder:
        loud = Settings(two_visit_fraction=0.0)
        quiet = replace(loud, effects=loud.effects.without("shot_noise", "ktc_noise", "read_noise"))
        sets = {
            "quiet": simulate_competition(
                Path(folder) / "quiet", n_train=n_quiet, n_test=n_quiet, seed=21, settings=quiet
            ),
            "noisy": simulate_competition(
                Path(folder) / "noisy", n_train=n_noisy, n_test=n_noisy, seed=21, settings=loud
            ),
        }
        return study(sets)


def study(sets: dict) -> dict[str, float]:
    """Print the table for the two sets and return its figures."""
    figures: dict[str, float] = {}
    print(f"{'':26s} {'bias / error bar':>27s} {'|bias| / error bar':>27s} {'scatter / limit':>17s}")
    columns = ("FGS1", "white", "AIRS λ", "FGS1", "white", "AIRS λ", "FGS1", "white")
    print(_line("", columns, ">{}s"))
    for name, switches in progress(VARIANTS.items(), desc="corrections", unit="variants"):
        bias = np.array([b for b, _ in _each(sets["quiet"], switches, some=bool(switches))])  # (planets, 3)
        scatter = np.array(
            [s for _, s in _each(sets["noisy"], switches, some=bool(switches))]
        )  # (planets, 2)
        found = {
            "bias": bias.mean(axis=0),
            "size": np.abs(bias).mean(axis=0),
            "scatter_over_limit": np.median(scatter, axis=0),
        }
        print(_line(name, np.concatenate(list(found.values())), "{}.3f"), flush=True)
        for what, values in found.items():
            for where, value in zip(("fgs1", "white", "airs"), values):
                figures[f"{name.replace(' ', '_')}.{what}_{where}"] = float(value)
    return figures


def _line(name: str, values, form: str) -> str:
    """A row of the table; ``form`` takes a column's width."""
    cells = (format(v, form.format(width)) for v, width in zip(values, (8, 9, 8, 8, 9, 8, 8, 8), strict=True))
    return " ".join([f"{name:26s}", *cells])


def _each(made, switches: dict, *, some: bool):
    """(bias in error bars: FGS1, white, mean over AIRS wavelengths), (scatter over limit: FGS1, white).

    Of every visit; ``some``: of every third (what a switch costs shows on fewer planets).
    """
    from spectramind_kit.detector import DetectorSettings, extract_light_curve, find_visits

    switches = dict(switches)
    base = DetectorSettings()
    if switches.get("airs_extraction") == "other":
        switches["airs_extraction"] = "sum" if base.airs_extraction == "optimal" else "optimal"
    for split in ("train", "test"):
        for files in find_visits(made.data_dir, split)[:: 3 if some else 1]:
            lc = extract_light_curve(files, settings=replace(base, **switches))
            yield _compare(lc, made.visits(files.planet_id)[files.visit])


def _compare(lc, visit):
    from spectramind_kit.detector.noise import measure_scatter
    from spectramind_kit.simulator import true_light_curve

    truth = true_light_curve(visit, lc.time, exposure_h=lc.exposure_h)  # (T, 283) with drift and transit
    base = true_light_curve(
        replace(visit, depth=np.full_like(visit.depth, 1e-12)), lc.time, exposure_h=lc.exposure_h
    )
    exposures = 5625.0 / 188.0  # real exposures behind a bin of the reduced cadence
    rows, pixels = 16, 256
    variance = np.empty(283)
    variance[0] = (truth[:, 0].mean() + pixels * 2 * READ_NOISE_E**2) / (12 * exposures)
    variance[1:] = (truth[:, 1:].mean(axis=0) + rows * 2 * READ_NOISE_E**2) / exposures
    series = [
        (lc.fgs1, truth[:, 0], base[:, 0], variance[0]),
        (lc.white_airs, truth[:, 1:].sum(axis=1), base[:, 1:].sum(axis=1), variance[1:].sum()),
    ]
    bias, scatter = [], []
    for flux, true, star, var in series:
        bias.append(_depth_bias(flux, true, star, var))
        relative = flux / true
        scatter.append(float(measure_scatter(relative / relative.mean())) / (np.sqrt(var) / true.mean()))
    each = [_depth_bias(lc.flux[:, k], truth[:, k], base[:, k], variance[k]) for k in range(1, 283)]
    return (*bias, float(np.mean(each))), scatter


def _depth_bias(flux, truth, star, variance) -> float:
    """(κ − 1) over its error, by least squares of flux / star = a + a·κ·(transit shape)."""
    shape = truth / star - 1.0
    y = flux / star
    design = np.stack([np.ones_like(shape), shape], axis=1)
    (a, b), *_ = np.linalg.lstsq(design, y, rcond=None)
    sigma = np.sqrt(variance) / truth.mean()
    error = sigma * np.sqrt(np.linalg.inv(design.T @ design)[1, 1])
    return float((b / a - 1.0) / error)
