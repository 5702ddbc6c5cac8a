"""The figure of one planet's anchor inside a run."""

from __future__ import annotations

from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.anchor_fit import plot_anchor_fit
from spectramind_kit.diagnostics.visits import (
    planets_with_light_curves,
    stored_light_curves,
    stored_measurement,
)
from spectramind_kit.transit import apply_prior
from spectramind_kit.transit.anchor.figure import COLOURS


def test_the_label_is_drawn_and_named_only_where_there_is_one(measured_run, texts):
    """Guards against a caption that explains a line which is not there."""
    planet = planets_with_light_curves(measured_run)[0]
    measurement = stored_measurement(measured_run, planet)
    given = {
        "light_curves": stored_light_curves(measured_run, planet),
        "measurement": measurement,
        "anchor": apply_prior(measurement),
    }
    figure = plot_anchor_fit(measured_run, **given)
    assert not figure.empty_because and figure.path.name == "00_anchor_fit.png"
    assert "label" not in figure.caption and "truth" not in texts(figure)
    figure = plot_anchor_fit(measured_run, **given, depth=given["anchor"].depth)
    assert "black is the label" in figure.caption and "truth" in texts(figure)


def test_its_colours_are_those_of_the_other_figures():
    """Guards against an anchor in another colour than in the report."""
    assert {name: style.COLOURS[name] for name in COLOURS} == COLOURS


def test_a_planet_of_which_no_visit_was_fitted_says_so(measured_run):
    """Guards against an exception in 02_train for one planet's picture."""
    measurement = stored_measurement(measured_run, planets_with_light_curves(measured_run)[0])
    figure = plot_anchor_fit(measured_run, light_curves=[], measurement=measurement, anchor=None)
    assert "could be fitted" in figure.empty_because
