"""White light curves: the planets that are asked for, or the two ends of what the anchor has to fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectramind_kit.diagnostics.figures.light_curves import _deep_and_shallow, plot_white_light_curves
from spectramind_kit.diagnostics.visits import planets_with_light_curves
from spectramind_kit.run_folder import Predictions


def with_depths(run, depth: dict[int, float]):
    """The run with test predictions of these depths."""
    mean = np.array([*depth.values()])[:, None] * np.ones(283)
    return replace(run, test=Predictions(np.array([*depth]), np.ones(283), mean, mean))


def test_both_sensors_are_drawn_with_what_the_model_leaves(measured_run, texts):
    """Guards against a panel without a curve, and residuals whose scatter is not told."""
    figure = plot_white_light_curves(measured_run)
    assert not figure.empty_because and len(figure.axes) == 8 and all(axis.has_data() for axis in figure.axes)
    written = texts(figure)
    assert written.count("rms") == 4 and "anchor's model" in written


def test_the_deepest_comes_first_then_the_shallowest(measured_run):
    """Guards against two planets alike, and one planet shown twice."""
    one, two = planets_with_light_curves(measured_run)
    assert _deep_and_shallow(with_depths(measured_run, {one: 0.01, two: 0.02}), 3) == [two, one]
    assert _deep_and_shallow(with_depths(measured_run, {one: 0.02, two: 0.01}), 1) == [one]


def test_a_sensor_without_frames_is_called_missing(measured_run, gappy, texts):
    """Guards against one dead sensor that blanks the figure of the other."""
    path = next(measured_run.root.glob(f"store/*/{gappy.planet_id}_{gappy.visit}.npz"))
    gappy.save(path)
    figure = plot_white_light_curves(measured_run, planets=[gappy.planet_id])
    assert (
        not figure.empty_because and texts(figure).count("missing") == 1 and texts(figure).count("rms") == 1
    )


def test_a_planet_that_was_not_measured_is_named(measured_run):
    """Guards against a blank figure for a misspelt planet."""
    assert "planet 5" in plot_white_light_curves(measured_run, planets=[5]).empty_because
