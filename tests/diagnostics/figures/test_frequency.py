"""Power spectra of the residuals, of planets that the anchor itself has fitted."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.diagnostics.figures.frequency import _merge_empty, plot_residual_fft, residual_spectra


def test_residuals_of_simulated_planets_are_white(measured_run, texts):
    """Inverse: but for what the fitted drift takes up at low frequency."""
    frequency, power = residual_spectra(measured_run)
    high = np.concatenate([rows[:, frequency > 2].ravel() for rows in power.values()])
    assert high.mean() == pytest.approx(1.0, abs=0.12)
    figure = plot_residual_fft(measured_run)
    assert not figure.empty_because and len(figure.axes) >= 4
    visits = len(power["AIRS"])
    assert f"Mean over {visits} visits" in figure.caption and "1 % false alarm" in texts(figure)


def test_a_planet_whose_fit_is_gone_is_left_out(measured_run):
    """Guards against one planet that fell back, which costs the figure of all others."""
    before = len(residual_spectra(measured_run)[1]["AIRS"])
    path = sorted(measured_run.root.glob("store/*/*.npz"))[0]
    path.with_name(f"999_{path.stem.split('_')[1]}.npz").write_bytes(path.read_bytes())
    assert len(residual_spectra(measured_run)[1]["AIRS"]) == before


def test_every_cell_of_the_map_holds_a_frequency():
    """Guards against a cell of NaN at low frequencies, where a logarithmic grid is finer than the data."""
    frequency = np.arange(1, 60) / 7.5
    edges = _merge_empty(frequency, np.geomspace(frequency[0] * 0.999, frequency[-1] * 1.001, 13))
    counts, _ = np.histogram(frequency, edges)
    assert (counts > 0).all() and counts.sum() == frequency.size
