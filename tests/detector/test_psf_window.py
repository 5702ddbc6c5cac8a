"""FGS1's window: flux and pointing of a PSF that moves by known steps."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.frames import select_pixels
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.psf_window import plan_window
from spectramind_kit.detector.settings import DetectorSettings

STAR = 2.5e5


def exposures(shift: np.ndarray, flux: np.ndarray, selection) -> np.ndarray:
    """(N, P) a Gaussian PSF at (15.4, 15.3) plus shift (N, 2), e⁻."""
    r = selection.row - 15.4 - shift[:, :1]
    c = selection.column - 15.3 - shift[:, 1:]
    return STAR * flux[:, None] * np.exp(-0.5 * (r**2 + c**2) / 1.8**2) / (2 * np.pi * 1.8**2)


@pytest.mark.parametrize("extraction", ("optimal", "sum"))
def test_flux_and_pointing_come_out(extraction):
    """Guards the signs and the unit of the offsets, and a flux that pointing or a dead pixel changes."""
    settings = DetectorSettings(fgs1_extraction=extraction, foreground="off")
    selection = select_pixels(FGS1, settings)
    rng = np.random.default_rng(0)
    shift, flux = 0.05 * rng.standard_normal((200, 2)), 1 + 0.01 * rng.standard_normal(200)
    images = exposures(shift, flux, selection)
    bad = np.zeros(len(selection), bool)
    bad[selection.n_grid // 2 + 3] = True
    images[:, bad] = 0.0
    noise = np.full(len(selection), 10.0)
    plan = plan_window(selection, images.mean(axis=0), bad=bad, read_noise=noise, settings=settings)
    window = plan.apply((images[:, : selection.n_grid] @ plan.projection).astype(np.float32))
    offset = window.offset_px - window.offset_px.mean(axis=0)
    np.testing.assert_allclose(offset, shift - shift.mean(axis=0), atol=4e-3)
    assert np.corrcoef(window.flux, flux)[0, 1] > 0.99
    assert window.flux.mean() == pytest.approx(STAR, rel=0.02)
    assert 1.0 < window.plan.predicted_noise / np.sqrt(STAR) < 1.2


def test_a_foreground_that_varies_is_subtracted():
    """Guards the exposures' own foreground: it must not be left in the flux, nor subtracted twice."""
    settings = DetectorSettings(foreground="plain")
    selection = select_pixels(FGS1, settings)
    sky = 3.0 + np.linspace(-1, 1, 50)
    images = exposures(np.zeros((50, 2)), np.ones(50), selection) + sky[:, None]
    plan = plan_window(
        selection,
        images.mean(axis=0),
        bad=np.zeros(len(selection), bool),
        read_noise=np.full(len(selection), 10.0),
        settings=settings,
    )
    assert plan.foreground.level == pytest.approx(3.0, abs=0.1)
    projected = (images[:, : selection.n_grid] @ plan.projection).astype(np.float32)
    left = plan.apply(projected).flux
    assert np.ptp(left) == pytest.approx(2.0 * plan.projection[:, 0].sum(), rel=0.01)
    assert np.ptp(plan.apply(projected, variation=sky - 3.0).flux) < 1e-3 * np.ptp(left)


def test_a_window_without_a_star_has_a_solution():
    """Guards against a singular matrix where there is nothing to fit: the check for a star comes later."""
    settings = DetectorSettings(foreground="off")
    selection = select_pixels(FGS1, settings)
    given = {"bad": np.zeros(len(selection), bool), "read_noise": np.full(len(selection), 10.0)}
    mean = 0.5 * np.random.default_rng(0).standard_normal(len(selection))
    plan = plan_window(selection, mean, **given, settings=settings)
    assert np.isfinite(plan.projection).all() and plan.predicted_noise > 0
