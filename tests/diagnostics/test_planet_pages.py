"""A planet's page: what it says and draws is of this planet."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics import planet_page
from spectramind_kit.diagnostics.planet_numbers import planet_numbers
from spectramind_kit.diagnostics.planet_pages import page_html
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder import open_run
from tests.run_example import write_predictions


@pytest.fixture
def measured_and_predicted(measured_run):
    """Two planets with light curves, fits and predictions."""
    planets = sorted({int(path.stem) for path in measured_run.glob("anchor/*/*.npz")})
    write_predictions(
        measured_run.root / "predictions/test.npz", n=2, first_id=planets[0], rng=np.random.default_rng(0)
    )
    run = open_run(measured_run.root)
    return replace(run, test=replace(run.test, planet_id=np.array(planets)))


def test_light_curves_spectrum_orbit_and_source(measured_and_predicted):
    """Guards against a page that lacks what it is opened for."""
    run = measured_and_predicted
    numbers = planet_numbers(run)[0]
    page = planet_page(run, numbers.planet_id)
    pictures = re.findall(r'<svg[^>]*aria-label="([^"]*)"', page.html)
    assert len(pictures) == 2 * numbers.visits + 1
    assert re.match(r"FGS1.*white light curve, model and residuals; rms \d+ ppm, expected \d+", pictures[0])
    assert f"period {numbers.period_d:.4g} d" in page.html and "Where the spectrum comes from: " in page.html
    assert f"<h4>planet {numbers.planet_id}</h4>" in page._repr_html_()


def test_the_legend_has_colours_in_a_notebook(run):
    """Guards against words without their dashes: a notebook knows nothing of ``report.css``."""
    shown = planet_page(run, int(run.test.planet_id[0]))._repr_html_()
    dashes = re.findall(r'<i style="([^"]*)"', shown)
    assert len(dashes) == shown.count("<span>") == 4
    assert all({"display:inline-block", "width:1.3rem", "height:0.4rem"} <= set(d.split(";")) for d in dashes)
    assert len({d.split("background:")[1] for d in dashes}) == 4


def test_a_planet_without_light_curves_says_so(run):
    """Guards against an empty page where a fit has failed."""
    numbers = replace(planet_numbers(run)[0], flags=("no star <here>",))
    page = page_html(run, numbers)
    assert page.count("<svg") == 1 and "No light curve is drawn: no anchor" in page
    assert "no star &lt;here&gt;" in page and "<here>" not in page


def test_numbers_alone_where_pictures_are_not_wanted(measured_and_predicted):
    """Guards against a report of a thousand planets that nobody can open."""
    numbers = planet_numbers(measured_and_predicted)[0]
    page = page_html(measured_and_predicted, numbers, pictures=False)
    assert "<svg" not in page and f"{numbers.airs_depth_ppm:.0f} ± " in page and len(page) < 2000


def test_an_unknown_planet_is_an_error_in_words(run):
    """Guards against a page of another planet."""
    with pytest.raises(DataError, match=r"no prediction of this planet .* planet 4"):
        planet_page(run, 4)


def test_a_gap_in_a_light_curve_is_a_gap(measured_and_predicted, gappy):
    """Guards against NaN in a path, which a browser does not draw at all."""
    run = measured_and_predicted
    gappy.save(next(iter(run.glob(f"store/*/{gappy.planet_id}_{gappy.visit}.npz"))))
    page = planet_page(run, gappy.planet_id).html
    assert "nan" not in page.lower() and ("no measurement" in page or "No light curve is drawn" in page)
