"""Simulate, calibrate, compare: the chain against the kit's simulator, whose truth is known."""

from __future__ import annotations

import os

import numpy as np
import pytest

from spectramind_kit.detector import DetectorSettings, extract_light_curve, find_visits
from spectramind_kit.detector.noise import measure_scatter

simulator = pytest.importorskip("spectramind_kit.simulator.competition")
from spectramind_kit.simulator.settings import Settings, noise_free  # noqa: E402
from spectramind_kit.simulator.star_flux import true_light_curve  # noqa: E402


def light_curves(out_dir, settings, *, n: int, **switches):
    """(light curve, truth (T, 283) scaled per wavelength to the light that the window sees) of every
    visit."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    made = simulator.simulate_competition(out_dir, n_train=n, n_test=n, seed=11, settings=settings)
    pairs = []
    for split in ("train", "test"):
        for files in find_visits(made.data_dir, split):
            lc = extract_light_curve(files, settings=DetectorSettings(**switches))
            truth = true_light_curve(
                made.visits(files.planet_id)[files.visit], lc.time, exposure_h=lc.exposure_h
            )
            pairs.append((lc, truth))
    return pairs


def test_without_noise_the_light_curves_are_the_truth(tmp_path):
    """Guards every correction at once: dead pixels, linearity, dark, flat, foreground, drift and jitter,
    undone to 1e-4."""
    for lc, truth in light_curves(tmp_path, noise_free(Settings(two_visit_fraction=0.0)), n=1):
        ratio = lc.flux / truth
        relative = ratio / ratio.mean(axis=0) - 1
        assert np.abs(relative[:, 0]).max() < 1e-4
        white = lc.white_airs / truth[:, 1:].sum(axis=1)
        assert np.abs(white / white.mean() - 1).max() < 1e-4
        bright = truth[:, 1:].mean(axis=0) > 2e4
        assert np.sqrt((relative[:, 1:][:, bright] ** 2).mean()) < 1e-4
        assert 0.94 < ratio.mean() < 1.0, "rows 8:24 and the FGS1 window hold 94–98 % of the light"


def test_with_noise_the_pulls_are_standard(tmp_path):
    """Guards flux_err: pulls of the light curves against the truth have mean 0 and width 1 within their
    errors."""
    pulls, inside = [], []
    for lc, truth in light_curves(tmp_path, Settings(two_visit_fraction=0.0), n=2):
        scale = (lc.flux / truth).mean(axis=0)
        pulls.append((lc.flux - truth * scale) / lc.flux_err)
        inside.append(truth[:, 1:].sum(axis=1) < 0.998 * truth[:, 1:].sum(axis=1).max())
    pulls, inside = np.concatenate(pulls), np.concatenate(inside)
    assert 100 < inside.sum() < 600
    for z, slack in ((pulls[:, 1:], 0.01), (pulls[:, 0], 0.03)):
        n = z.size
        # the scale per wavelength is fitted: one of 187 degrees of freedom
        # the mean of all is zero by the fitted scale; inside the transit it is not: there it is the bias of
        # the depth
        assert (
            abs(z.mean()) < 4 / np.sqrt(n) + slack
            and abs(z[inside].mean()) < 4 / np.sqrt(z[inside].size) + slack
        )
        # width of a Gaussian sample to 4 σ, and what flux_err, itself measured, may be off by
        assert z.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * n) + 0.05)
    assert measure_scatter(pulls[:187, 1:]).mean() == pytest.approx(1.0, abs=0.1)
