"""AIRS-CH0 summed across the dispersion, against the scene that was put in."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.foreground import trace_foreground
from spectramind_kit.detector.instrument import AIRS
from spectramind_kit.detector.light_beside import columns_beside
from spectramind_kit.detector.raw_visit import Sample
from spectramind_kit.detector.trace import extract_trace
from spectramind_kit.detector.visit_frames import calibrate_raw

EDGES = np.arange(0, 81, 4)


def extract(raw, sample=None):
    frames = calibrate_raw(raw, bin_edges=EDGES, sample=sample)
    given = {"wavelength_um": np.linspace(3.9, 1.95, 282), "kind": raw.settings.foreground}
    foreground = trace_foreground(frames, columns_beside(raw, EDGES), **given)
    return extract_trace(frames, foreground, settings=raw.settings)


@pytest.mark.parametrize("settings", [{}, {"airs_extraction": "optimal"}, {"foreground": "off"}])
def test_flux_row_and_noise(open_visit, kit, settings):
    """Guards the scale of the sum, its unit, the row of the trace, and the noise that is predicted for it."""
    trace = extract(open_visit(AIRS, **settings))
    light = kit.scene()[0][:, AIRS.cut].sum(axis=0)
    curve = kit.truth(kit.Shape())[0].reshape(20, 4).mean(axis=1)
    np.testing.assert_allclose(trace.flux, curve[:, None] * light, rtol=0.02)
    assert trace.centroid.mean() == pytest.approx(15.5, abs=0.05)
    read = 16 * 2 * 12.0**2 * (settings.get("airs_extraction") != "optimal")
    assert (trace.predicted_noise**2 / (light + read)).mean() == pytest.approx(1.0, abs=0.1)
    assert (trace.saturated_share == 0).all()


def test_saturated_light_is_measured(open_visit):
    """Guards against a wavelength that has lost most of its light and passes for a good one."""
    raw = open_visit(AIRS)
    saturated = np.zeros(len(raw.selection), bool)
    columns = raw.selection.column[: raw.selection.n_grid].reshape(raw.selection.grid)[0]
    rows = np.abs(raw.selection.row - 15.5) < 3.0
    saturated[rows & (np.abs(raw.selection.column - columns[150]) < 6)] = True
    trace = extract(raw, Sample(raw.sample().mean, saturated))
    assert (trace.saturated_share[145:156] > 0.9).all() and (trace.saturated_share[:140] == 0).all()
    assert (trace.per_pixel[145:156] == 10).all() and (trace.per_pixel[:140] == 16).all(), (
        "left out, not filled"
    )
