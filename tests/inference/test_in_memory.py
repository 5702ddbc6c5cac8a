"""Spectra in one call; that they are those of 03_submit stands in test_predictors.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.errors import DataError
from spectramind_kit.inference import load_bundle, network_inputs, predict
from spectramind_kit.simulator import simulate_light_curves
from tests.inference.shipped_bundle import write_shipped_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(write_shipped_bundle(tmp_path_factory.mktemp("in_memory") / "bundle"))


@pytest.fixture(scope="module")
def planets():
    """Two of them, new to the bundle."""
    return list(simulate_light_curves(2, seed=3, start=30).planets())


@pytest.fixture(scope="module")
def stars(planets):
    return pd.DataFrame([planet.star for planet in planets])


@pytest.fixture(scope="module")
def curves(planets):
    return [curve for planet in planets for curve in planet.curves]


@pytest.fixture(scope="module")
def spectra(bundle, curves, stars):
    return predict(bundle, curves, stars=stars, device="cpu")


def test_spectra_are_those_of_the_planets(spectra, planets):
    """Guards against planets that are exchanged, and errors of another size."""
    assert spectra.planet_id.tolist() == [planet.planet_id for planet in planets]
    assert spectra.source.tolist() == ["both", "both"] and len(spectra.flags) == 2
    for row, planet in enumerate(planets):
        assert spectra.depth[row].mean() == pytest.approx(planet.label.mean(), rel=0.05)
    assert (spectra.sigma > 0).all() and (spectra.sigma < 3e-3).all()


@pytest.mark.parametrize("form", ["mapping", "one by one"])
def test_visits_and_stars_may_come_in_every_form(bundle, spectra, planets, curves, stars, form):
    """Guards against a planet whose numbers depend on how it was handed over."""
    if form == "mapping":
        by_planet = {planet.planet_id: planet.curves for planet in planets}
        found = [predict(bundle, by_planet, stars=stars.set_index("planet_id"), device="cpu")]
    else:
        found = [predict(bundle, p.curves, stars=pd.Series(p.star), device="cpu") for p in planets]
    depth = np.concatenate([one.depth for one in found])
    np.testing.assert_allclose(depth, spectra.depth, rtol=1e-6)


def test_bins_may_run_the_other_way(bundle, spectra, curves, stars):
    """Guards against a mirrored spectrum for a wavelengths.csv in another order."""
    turn = np.r_[0, 282:0:-1]
    turned = [
        replace(c, flux=c.flux[:, turn], flux_err=c.flux_err[:, turn], wavelength_um=c.wavelength_um[turn])
        for c in curves
    ]
    found = predict(bundle, turned, stars=stars, device="cpu")
    np.testing.assert_allclose(found.wavelength_um, spectra.wavelength_um[turn])
    np.testing.assert_allclose(found.depth, spectra.depth[:, turn], rtol=1e-6)


def test_without_a_bundle_the_network_of_the_kit_predicts(curves, stars, planets):
    """Guards against a newcomer without a training who gets nothing."""
    found = predict(None, curves, stars=stars, device="cpu")
    assert found.source.tolist() == ["network", "network"] and found.stages.anchor_depth is None
    labels = np.array([planet.label.mean() for planet in planets])
    assert found.depth.mean(axis=1) == pytest.approx(labels, rel=0.05)


def test_without_a_bundle_it_is_said_what_is_missing(curves, stars):
    """Guards against a flat depth, or a network that knows no star, without a word."""
    turned = {name: getattr(curves[0], name)[..., ::-1] for name in ("flux", "flux_err", "wavelength_um")}
    other = replace(curves[1], wavelength_um=1.1 * curves[1].wavelength_um)
    known = stars.set_index("planet_id")
    first = predict(None, replace(curves[0], **turned), stars=known, device="cpu")
    assert first.source[0] == "network", "the same bins, the other way round"
    usual = predict(None, curves[0], stars=known, device="cpu")
    np.testing.assert_allclose(first.depth[0, ::-1], usual.depth[0], rtol=1e-5)
    found = predict(None, other, stars=known, device="cpu")
    assert found.source[0] == "flat depth" and "no network" in found.flags[0][0]
    assert found.stages.flags[0] == found.flags[0][0]


def test_anything_but_a_bundle_is_refused(curves, stars):
    """Guards against an AttributeError for the path of a bundle."""
    for call in (predict, network_inputs):
        with pytest.raises(DataError, match="no bundle was given.*load_bundle"):
            call("runs/quick/bundle", curves, stars=stars)


def test_what_breaks_costs_its_planet_and_says_why(bundle, spectra, curves, stars, tmp_path):
    """Guards against one file that costs all planets, or that is left out without a word."""
    lost = VisitFiles(77, 0, "test", tmp_path / "data" / "test" / "77")
    dark = replace(curves[0], planet_id=88, flux=np.zeros_like(curves[0].flux))
    found = predict(bundle, [*curves, lost, dark], stars=stars, device="cpu")
    np.testing.assert_allclose(found.depth[:2], spectra.depth, rtol=1e-6)
    assert found.planet_id.tolist()[2:] == [77, 88] and found.source[2] == "naive"
    assert "visit 0 cannot be read" in found.flags[2][0]
    assert {"no information", "star table incomplete"} <= set(found.flags[3])


def test_a_bundle_without_a_network_gives_its_anchors(bundle, spectra, curves, stars):
    """Guards against an exception, or stacked numbers, where model=anchor was trained."""
    alone = replace(bundle, weights=(), normaliser=None)
    found = predict(alone, curves, stars=stars, device="cpu")
    assert found.source.tolist() == ["anchor", "anchor"]
    np.testing.assert_array_equal(found.depth, spectra.stages.anchor_depth)
    with pytest.raises(DataError, match="has no network"):
        network_inputs(alone, curves, stars=stars)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda curves, stars: ([], stars), "no visit was given"),
        (lambda curves, stars: ([curves[0].flux], stars), "a visit is no visit.*found: ndarray"),
        (lambda curves, stars: (None, stars), "a visit is no visit.*found: NoneType"),
        (lambda curves, stars: ({1: curves[:1]}, stars), "another planet's id.*expected: planet 1"),
        (lambda curves, stars: (curves, stars.set_index("planet_id").rename(index=str)), "no texts"),
        (lambda curves, stars: (curves, stars.iloc[:0]), "holds none of the planets"),
        (lambda curves, stars: (curves, pd.concat([stars, stars])), "in the star table twice"),
        (lambda curves, stars: (curves, stars.drop(columns=["P", "i"])), "the star has no P, i"),
        (lambda curves, stars: (curves, dict(stars.iloc[0])), "one row .* is of one planet"),
        (
            lambda curves, stars: ([replace(curves[0], wavelength_um=np.arange(1.0, 284.0))], stars),
            "other wavelengths.*visit 0.*found: 1, 2 … 283",
        ),
    ],
)
def test_mistakes_of_the_caller_are_errors(bundle, curves, stars, change, words):
    """Guards against typical values for a table of other planets, and a spectrum in the wrong bins."""
    visits, table = change(curves, stars)
    with pytest.raises(DataError, match=words):
        predict(bundle, visits, stars=table, device="cpu")
