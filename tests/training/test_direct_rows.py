"""Light curves as the input of the direct prediction, which no table and no fit may reach."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.models.batch import SERIES, check_batch
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.direct_rows import (
    PHASE_EDGES,
    PHASES,
    UNITS_OF_A_DEPTH,
    direct_row,
    direct_rows,
)
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.transit.white_transit import WhiteTransit, find_white_transit, white_curve
from tests.transit.synthetic import make_light_curve, make_planet, with_flux


@pytest.fixture(scope="module")
def planet():
    return make_planet(1)


@pytest.fixture(scope="module")
def curve(planet):
    return make_light_curve(planet, seed=1)


@pytest.fixture(scope="module")
def row(curve, planet):
    return direct_row(curve, star=planet.star)


def without(curve, where):
    """The same light curve with points missing."""
    flux, flux_err = curve.flux.copy(), curve.flux_err.copy()
    flux[where], flux_err[where] = np.nan, np.nan
    return replace(curve, flux=flux, flux_err=flux_err)


DAMAGES = {
    "no AIRS": np.s_[:, 1:],
    "no FGS1": np.s_[:, :1],
    "a bin": np.s_[:, 77],
    "points": (np.array([3, 3, 90, 120]), np.array([0, 50, 200, 8])),
    "begins late": np.s_[:50],
    "ends early": np.s_[-60:],
    "lost steps": np.s_[80:84],
    "ends early, no AIRS": np.s_[100:, 1:],
}


def finite(row) -> bool:
    names = (*SERIES, "bins", "reference_depth", "reference_err")
    return all(np.isfinite(row[name]).all() for name in names)


def same(found, wanted, names=(*SERIES, "bins"), **tolerance):
    for name in names:
        np.testing.assert_allclose(found[name], wanted[name], err_msg=name, **tolerance)


def test_rows_obey_the_batch_contract(curve, planet):
    """Guards against names, shapes and units that the models do not expect."""
    rows = direct_rows({1: [curve, replace(curve, visit=1)]}, stars=pd.DataFrame([planet.star], index=[1]))
    batch = VisitDataset(rows, normaliser=Normaliser.fit(rows)).batch([0, 1])
    check_batch(batch)
    assert [row["visit"] for row in rows] == [0, 1] and batch["visit_of"][0] == batch["visit_of"][1]
    assert batch["weight"].sum(1).numpy() == pytest.approx(1.0)
    assert batch["mask"].any() and not batch["weight"][~batch["mask"]].any()
    assert (np.diff(PHASES) > 0).all() and -PHASE_EDGES[0] == PHASE_EDGES[-1]
    assert (batch["transit_shape"][:, np.abs(PHASES) < 0.8] == -1.0).all(), "phase 1 is mid-egress"


@pytest.mark.parametrize("where", DAMAGES.values(), ids=DAMAGES)
def test_what_is_missing_costs_itself_only(curve, planet, row, where):
    """Guards against NaN in the network, and against a visit that is lost over a sensor or a few steps."""
    damaged = direct_row(without(curve, where), star=planet.star)
    assert finite(damaged) and damaged["weight"].sum() == pytest.approx(1.0)
    dataset = VisitDataset([row, damaged], normaliser=Normaliser.fit([row, damaged]))
    check_batch(dataset.batch([0, 1]))
    assert dataset.tensors["bins"].isfinite().all() and dataset.tensors["star"].isfinite().all()
    assert damaged["reference_depth"][5] == pytest.approx(row["reference_depth"][5], rel=0.15)


def test_a_missing_sensor_is_said(curve, planet, row):
    """Guards against a flat curve of a sensor that was not there, which passes for one that was."""
    no_airs, no_fgs1 = (
        direct_row(without(curve, DAMAGES[name]), star=planet.star) for name in ("no AIRS", "no FGS1")
    )
    assert not no_airs["airs"].any() and no_airs["fgs1"].any() and no_airs["white"].any()
    assert not no_fgs1["fgs1"].any() and no_fgs1["airs"].any()
    for name in ("no_airs", "no_fgs1"):
        assert [found["star"][name] for found in (row, no_airs, no_fgs1)] == [
            0.0, float(name == "no_airs"), float(name == "no_fgs1")
        ]  # fmt: skip
    same(no_fgs1, row, ("airs", "white", "time", "mask", "weight", "reference_depth"), rtol=1e-9)


def test_the_brightness_of_the_star_does_not_matter(curve, planet, row):
    """Guards against electrons in the input: a star ten times as bright, with ten times the errors."""
    bright = replace(curve, flux=10.0 * curve.flux, flux_err=10.0 * curve.flux_err)
    # float32 has seven digits
    found = direct_row(bright, star=planet.star)
    same(found, row, ("transit_shape", "mask", "weight"), rtol=1e-4, atol=1e-4)
    for name in ("fgs1", "white", "airs"):
        assert np.abs(found[name] - row[name]).max() < 0.02 * np.abs(row[name]).max()
    assert found["reference_depth"][0] == pytest.approx(row["reference_depth"][0], rel=1e-4)


def test_the_throughput_of_a_bin_does_not_matter(curve, planet, row):
    """Guards against a bin that is read by its level: each is over its own."""
    factor = np.exp(np.random.default_rng(0).normal(0, 0.02, 283)).astype(np.float32)
    factor[1:] = factor[5]  # the white curve, and with it the timing, stays
    found = direct_row(
        replace(curve, flux=curve.flux * factor, flux_err=curve.flux_err * factor), star=planet.star
    )
    assert np.abs(found["fgs1"] - row["fgs1"]).max() < 0.02 * np.abs(row["fgs1"]).max()


def test_the_star_table_moves_no_light_curve(curve, planet, row):
    """Guards against timing or depth that is taken from a table, which may be off, or may not be there."""
    wrong = planet.star | {"P": 3.0 * planet.star["P"], "sma": 0.5 * planet.star["sma"], "i": 70.0}
    for star in (wrong, {}, dict.fromkeys(planet.star, np.nan)):
        found = direct_row(curve, star=star)
        for name in (*SERIES, "bins", "reference_depth", "reference_err"):
            np.testing.assert_array_equal(found[name], row[name])
    assert direct_row(curve, star=wrong)["star"]["i"] == 70.0
    assert set(direct_row(curve, star={})["star"]) == set(row["star"]), "a feature that is missing has a name"


def test_a_planet_that_no_table_knows_has_its_rows(curve):
    """Guards against a KeyError, and warnings of NumPy's, where the star table lacks a planet or is empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = direct_rows({1: [curve]}, stars=pd.DataFrame())
        dataset = VisitDataset(rows, normaliser=Normaliser.fit(rows))
    assert len(rows) == 1 and dataset.tensors["star"].isfinite().all()


def test_the_unit_is_a_thirtieth_of_the_white_depth(curve, row):
    """Guards against a correction whose unit is not that of the series."""
    white = find_white_transit(curve.time, white_curve(curve))
    assert (row["reference_depth"] == white.depth).all()
    np.testing.assert_allclose(row["reference_err"], white.depth / UNITS_OF_A_DEPTH)


def test_a_deeper_bin_shows_its_depth(planet):
    """Guards against a sign or a unit: one bin deeper by a tenth of the white depth is three units deeper in
    transit, and the others stay."""
    deep = np.full(283, 0.012)
    flat = make_light_curve(planet, seed=1, noise=0.0, drift=0.0, depth=deep)
    deep[100] *= 1.1
    changed = make_light_curve(planet, seed=1, noise=0.0, drift=0.0, depth=deep)
    one, other = (direct_row(curve, star=planet.star) for curve in (flat, changed))
    moved = other["airs"] - one["airs"]
    inside, outside = np.abs(PHASES) < 0.7, np.abs(PHASES) > 1.3
    assert moved[inside & one["mask"], 99].mean() == pytest.approx(-0.1 * UNITS_OF_A_DEPTH, rel=0.15)
    assert moved[inside & one["mask"], 99].mean() < 10.0 * moved[outside & one["mask"], 99].min()
    others = np.delete(moved, 99, axis=1)
    assert np.abs(others).max() < 0.1
    assert other["bins"][100, 2] - one["bins"][100, 2] == pytest.approx(3.0, rel=0.15)


def test_the_drift_of_the_telescope_is_taken_out(planet):
    """Guards against a drift that is learned as a planet's: with and without one, the same input."""
    with_drift, without_drift = (
        direct_row(make_light_curve(planet, seed=1, noise=0.0, drift=drift), star=planet.star)
        for drift in (3e-4, 0.0)
    )
    shift = np.abs(with_drift["white"] - without_drift["white"])[with_drift["mask"]]
    assert shift.max() < 0.35, "of 3e-4, which is a unit"


def test_fgs1_has_a_drift_of_its_own(curve, planet, row):
    """Guards against FGS1's drift left in its curve, or taken from AIRS, which drifts in another way."""
    ramp = np.linspace(0.995, 1.005, len(curve.time), dtype=np.float32)
    flux = curve.flux.copy()
    flux[:, 0] *= ramp
    found = direct_row(with_flux(curve, flux), star=planet.star)
    assert np.abs(found["fgs1"] - row["fgs1"]).max() < 0.5, "the ramp is 15 units"
    same(found, row, ("white", "airs"), rtol=1e-9)


def test_a_transit_that_is_a_trapezoid_leaves_nothing(curve, planet):
    """Guards against a network that has to learn the white transit once more, planet by planet."""
    true = WhiteTransit(mid_time=3.6, length=2.4, ingress=0.15, depth=0.012)
    flux = 1e4 * (1.0 + true.depth * true.shape(curve.time))[:, None] * np.ones(283)
    found = direct_row(with_flux(curve, flux), star=planet.star)
    # a fortieth of the transit, where the grid's ingress is not quite the true one; a tenth would be 3
    assert max(np.abs(found[name]).max() for name in ("fgs1", "white", "airs")) < UNITS_OF_A_DEPTH / 40


@pytest.mark.parametrize("factor", [0.0, 3.0])
def test_one_point_that_is_off_does_not_own_the_input(curve, planet, row, factor):
    """Guards against one pixel of one step, hit or gone, that is worth more than the transit."""
    flux = curve.flux.copy()
    flux[90, 7] *= factor
    found = direct_row(with_flux(curve, flux), star=planet.star)
    assert finite(found) and np.abs(found["airs"]).max() <= 5.0 * UNITS_OF_A_DEPTH
    assert found["reference_depth"][0] == pytest.approx(row["reference_depth"][0], rel=0.03)


def test_points_without_an_error_are_missing(curve, planet):
    """Guards against the confidence of an error of zero."""
    flux_err = curve.flux_err.copy()
    flux_err[:, 40] = 0.0
    gone = np.where(flux_err > 0, curve.flux, np.nan), np.where(flux_err > 0, flux_err, np.nan)
    found = direct_row(replace(curve, flux_err=flux_err), star=planet.star)
    expected = direct_row(replace(curve, flux=gone[0], flux_err=gone[1]), star=planet.star)
    np.testing.assert_array_equal(found["airs"], expected["airs"])
    np.testing.assert_array_equal(found["bins"], expected["bins"])
    assert direct_row(replace(curve, flux_err=0.0 * curve.flux_err), star=planet.star) is None


@pytest.mark.parametrize("damage", ["flat", "dark", "short"])
def test_a_visit_without_a_transit_has_no_row(curve, planet, damage):
    """Guards against phases of a transit that is not there, and against one such visit that ends the run."""
    flux = np.broadcast_to(np.float32(1e4), curve.flux.shape).copy()
    if damage == "dark":
        flux[:] = 0.0
    elif damage == "short":
        flux = np.where(np.arange(len(flux))[:, None] < 8, curve.flux, np.nan)
    bad = with_flux(curve, flux)
    assert direct_row(bad, star=planet.star) is None
    rows = direct_rows({1: [bad, curve], 2: [bad]}, stars=pd.DataFrame())
    assert len(rows) == 1
