"""The pictures of one visit's steps, drawn from arrays whose content is known."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.frames import select_pixels
from spectramind_kit.detector.instrument import AIRS
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.trace import Trace
from spectramind_kit.detector.visit_frames import CalibratedFrames
from spectramind_kit.diagnostics.figures.frames import (
    plot_calibrated_frame,
    plot_light_curve,
    plot_raw_frame,
    plot_trace,
)


@pytest.fixture
def frames() -> CalibratedFrames:
    """Twenty exposures of one electron a pixel, but two in row 15, and pixel (10, 41) dead with 999."""
    selection = select_pixels(AIRS, DetectorSettings())
    flux = np.where(selection.row == 15, 2.0, 1.0)[: selection.n_grid].astype(np.float32)
    bad = (selection.row == 10) & (selection.column == 41)
    flux[bad[: selection.n_grid]] = 999.0
    clean = np.zeros(len(selection), dtype=bool)
    noise, time = np.ones(len(selection)), np.linspace(0.0, 7.5, 20)
    rest = np.zeros(len(selection) - selection.n_grid)
    return CalibratedFrames(np.tile(flux, (20, 1)), rest, selection, bad, clean, noise, time, (), {})


def image_of(axis) -> np.ndarray:
    return np.asarray(axis.images[0].get_array().filled(np.nan))


def test_the_raw_frames_are_those_of_one_exposure(run):
    """Guards against a last read less another exposure's first one, and rows and columns exchanged."""
    counts = np.zeros((12, AIRS.n_pixels), dtype=np.uint16)
    counts[6], counts[7] = 40, 50  # of the fourth exposure of six
    counts[7, 356 * 3 + 7] = 90
    figure = plot_raw_frame(run, counts=counts, instrument=AIRS)
    first, last, difference = (image_of(axis) for axis in figure.axes[:3])
    assert figure.path.name == "00_raw_frame.png" and "AIRS-CH0" in figure.caption
    assert (first == 40).all() and last[3, 7] == 90
    assert difference[3, 7] == 50 and np.median(difference) == 10, "unsigned counts do not wrap around"


def test_bad_pixels_are_blank_and_not_in_the_sums(run, frames):
    """Guards against a dead pixel that sets the colours, and a picture at other rows than the detector's."""
    figure = plot_calibrated_frame(run, frames=frames)
    time, across, image = figure.axes[:3]
    shown = image_of(image)
    assert np.isnan(shown[10 - 8, 41 - 39]) and np.isnan(shown).sum() == 1
    assert image.images[0].get_extent()[2:] == [7.5, 23.5]
    np.testing.assert_allclose(time.lines[0].get_ydata(), 1.0)
    np.testing.assert_array_equal(across.lines[0].get_ydata(), [1.0] * 7 + [2.0] + [1.0] * 8)


def test_a_column_that_is_left_out_is_a_gap(run, frames):
    """Guards against a logarithm of zero, and a foreground that is not that of the summed rows."""
    flux = np.full((20, 282), 500.0, dtype=np.float32)
    per_pixel = np.full(282, 16.0)
    flux[:, 5], per_pixel[5] = 0.0, 0.0
    one = np.ones(282)
    trace = Trace(flux, one, np.full(20, 15.5), 3 * one, 4 * one, per_pixel, 0 * one)
    figure = plot_trace(run, trace=trace, frames=frames, wavelength_um=np.linspace(3.9, 1.95, 282))
    by_name = {line.get_label(): line.get_ydata() for axis in figure.axes for line in axis.lines}
    assert np.isnan(by_name["star"][5]) and np.nanmax(by_name["star"]) == 500
    assert by_name["foreground, subtracted"][0] == 48 and by_name["light in the edge rows"][0] == 7


def test_gaps_of_a_light_curve_blank_nothing_else(run, gappy):
    """Guards against one missing wavelength or sensor that empties the figure."""
    figure = plot_light_curve(run, light_curve=gappy)
    assert not figure.empty_because and f"Planet {gappy.planet_id}" in figure.caption
    share = figure.axes[1].lines[0].get_ydata()
    assert np.isnan(share[4]) and np.isfinite(np.delete(share, 4)).all()
