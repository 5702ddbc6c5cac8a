"""The gallery of stage 1, drawn from light curves in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.figures.gallery import _smoothed, out_of_transit, plot_light_curve_gallery


def test_a_column_for_each_planet_spread_over_all(measured_run, gappy, texts):
    """Guards against missing points that blank a panel, and the first planets of many only."""
    light_curves = {planet: [replace(gappy, planet_id=planet)] for planet in range(10)} | {10: []}
    figure = plot_light_curve_gallery(measured_run, light_curves=light_curves, count=3)
    assert not figure.empty_because and figure.path.name == "00_light_curves.png"
    shown = [axis.get_title(loc="left") for axis in figure.axes]
    assert [title for title in shown if title] == ["planet 0", "planet 4", "planet 9"]
    airs = figure.axes[3].lines[0].get_ydata()
    assert np.isnan(airs[10:12]).all()


def test_the_level_is_that_outside_the_transit(gappy):
    """Guards against a long transit whose bottom is drawn at 1, and one that fills the visit."""
    flux, time = np.ones_like(gappy.flux), gappy.time
    for first, last in ((0.2, 0.9), (-0.05, 0.98)):
        inside = (time > first * time[-1]) & (time < last * time[-1])
        flux[:] = np.where(inside, 0.99, 1.0)[:, None]
        outside = out_of_transit(replace(gappy, flux=flux, flux_err=np.ones_like(flux)))
        assert outside.sum() >= 3 and not (outside & inside).sum() > 0.2 * outside.sum()
    flux[1:] = np.nan  # one step is left: no transit can be found
    assert out_of_transit(replace(gappy, flux=flux, flux_err=flux)).all()


def test_without_a_light_curve_the_figure_says_where_to_look(measured_run):
    """Guards against a traceback after a stage in which all visits failed."""
    assert "run.json" in plot_light_curve_gallery(measured_run, light_curves={3: []}).empty_because


def test_smoothing_keeps_a_constant_to_its_edges():
    """Inverse: 1 stays 1, also at the ends and where a wavelength is missing; a spike is shared."""
    relative = np.ones((3, 40))
    relative[1, 7] = np.nan
    relative[2, 20] = 9.0
    found = _smoothed(relative)
    np.testing.assert_allclose(found[:2], 1.0, atol=1e-12)
    assert found[2].max() == pytest.approx(2.0) and (found[2] > 1.5).sum() == 8
