from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import DepthMeasurement, apply_prior, fit_anchor, measure_depths, raw_spectrum
from tests.transit.synthetic import Planet, make_light_curve, make_planet, with_flux


def _pulls(curves, planet: Planet, depth: np.ndarray | None = None):
    anchor = fit_anchor(curves, planet.star)
    truth = planet.depth if depth is None else depth
    return anchor, (anchor.depth - truth) / anchor.depth_err


def test_finds_the_orbit_and_the_depths(planet: Planet, measurement: DepthMeasurement) -> None:
    """Guards against a fit that ends in another minimum or against derivatives of the wrong sign."""
    visit = measurement.visits[0]
    assert visit.mid_transit_time == pytest.approx(planet.mid_time, abs=0.005)
    assert visit.semi_major_axis == pytest.approx(planet.axis, rel=0.03)
    assert visit.airs_chi2 == pytest.approx(1.0, abs=0.05)
    raw, covariance = raw_spectrum(measurement)
    pull = (raw - planet.depth) / np.sqrt(np.diagonal(covariance))
    assert np.abs(pull).max() < 5.0 and 0.6 < pull.std() < 1.4
    assert measurement.flags == ()


def test_without_noise_the_spectrum_comes_back(planet: Planet) -> None:
    """Guards against a bias of the model, smearing and drift included: 5 ppm in every bin."""
    curve = make_light_curve(planet, seed=3, noise=0.01, drift=1e-4)
    raw, _ = raw_spectrum(measure_depths([curve], planet.star))
    assert np.abs(raw - planet.depth)[1:].mean() < 5e-6
    assert abs(raw[0] - planet.depth[0]) < 1e-5


HARD = {
    "only the second half": (dict(mid_time=0.3), {}, "incomplete transit"),
    "only the first half": (dict(mid_time=7.4), {}, "incomplete transit"),
    "grazing": (dict(impact=0.92), {}, "near grazing"),
    "shallow": (dict(level=6e-4, amplitude=1e-5), {}, "shallow transit"),
    "table far off": (dict(table_axis_factor=1.6), {}, "orbit far from the star table"),
    "drift ten times larger": ({}, dict(drift=3e-3), None),
    "few points": ({}, dict(n_times=40), None),
    "many points": ({}, dict(n_times=900), None),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_case(name: str) -> None:
    """Guards against an exception, an over-confident error bar or a missing flag where a transit is hard to
    measure."""
    fixed, curve, flag = HARD[name]
    for seed in (0, 2):
        planet = make_planet(seed, **fixed)
        anchor, pull = _pulls(make_light_curve(planet, seed=seed, **curve), planet)
        assert np.isfinite(anchor.depth).all() and (anchor.depth_err > 0).all()
        assert np.abs(pull).max() < 4.0
        assert flag is None or any(flag in f for f in anchor.flags)


def test_no_transit_at_all_is_no_shallow_one() -> None:
    """Guards against one odd planet that zeroes a score: a planet that misses its star (b > 1 + Rp/Rs) leaves
    nothing to fit."""
    for seed in (0, 1, 2, 3, 4):
        planet = make_planet(seed, impact=1.25)
        anchor, pull = _pulls(make_light_curve(planet, seed=seed), planet)
        assert np.abs(pull).max() < 4.0 and anchor.flags
    # where the fit is sound its depth is believed, odd as it is
    shallow = make_planet(0, level=6e-4, amplitude=1e-5)
    anchor, _ = _pulls(make_light_curve(shallow, seed=0), shallow)
    assert anchor.depth_err.max() < 2e-4


@pytest.mark.parametrize("impact", [1.02, 1.08, 1.13])
def test_beyond_the_limb_any_depth_is_possible(impact: float) -> None:
    """Guards against a confident depth where a larger planet further out gives the same light curve."""
    for seed in (0, 1, 2):
        planet = make_planet(seed, impact=impact, level=0.045)
        anchor, pull = _pulls(make_light_curve(planet, seed=seed), planet)
        assert np.abs(pull).max() < 4.0 and any("grazing" in f for f in anchor.flags)


def test_a_run_of_outliers(planet: Planet) -> None:
    """Guards against a glitch that bends the drift or fills the transit."""
    curve = make_light_curve(planet, seed=1)
    for part, factor in ((slice(5, 20), 0.99), (slice(60, 70), 1.004)):
        flux = curve.flux.copy()
        flux[part] *= factor
        anchor, pull = _pulls(with_flux(curve, flux), planet)
        assert np.abs(pull).max() < 4.0
        assert any("outliers" in f for f in anchor.flags)


def test_missing_points_and_dead_columns(planet: Planet) -> None:
    """Guards against NaN that spreads, and against stand-ins for missing points that look like a transit."""
    flux = make_light_curve(planet, seed=1).flux.copy()
    flux[:, 40], flux[100], flux[30:50, 100:120], flux[20:30, 0], flux[:, 90] = (
        np.nan,
        np.nan,
        np.nan,
        np.nan,
        -1.0,
    )
    anchor, pull = _pulls(with_flux(make_light_curve(planet, seed=1), flux), planet)
    assert np.isfinite(anchor.depth).all() and np.abs(pull).max() < 4.0


@pytest.mark.parametrize(("name", "part"), [("FGS1", slice(0, 1)), ("AIRS-CH0", slice(1, None))])
def test_one_sensor_is_enough(planet: Planet, name: str, part: slice) -> None:
    """Guards against a visit that is lost because one of its sensors is: the other still tells the
    transit."""
    curve = make_light_curve(planet, seed=1)
    flux = curve.flux.copy()
    flux[:, part] = np.nan
    anchor, pull = _pulls(with_flux(curve, flux), planet)
    assert (
        f"{name} missing" in anchor.flags
        and "no information" not in anchor.flags
        and np.abs(pull).max() < 4.0
    )
    both = fit_anchor(curve, planet.star)
    assert anchor.depth_err[part].mean() > both.depth_err[part].mean() and anchor.depth_err.max() < 1e-3


def test_two_visits_share_an_orbit_and_may_disagree(planet: Planet) -> None:
    """Guards against visits that are averaged although they contradict each other."""
    curves = [make_light_curve(planet, seed=5, visit=v) for v in (0, 1)]
    both, pull = _pulls(curves, planet)
    one = fit_anchor(curves[0], planet.star)
    assert np.abs(pull).max() < 4.0 and "visits disagree" not in both.flags
    assert both.features["mean_err"] < one.features["mean_err"]
    other = make_light_curve(planet, seed=5, visit=1, depth=1.04 * planet.depth)
    torn, pull = _pulls([curves[0], other], planet, 1.02 * planet.depth)
    assert "visits disagree" in torn.flags and np.abs(pull).max() < 4.0
    assert torn.features["airs_err"] > 5 * both.features["airs_err"]


def test_nothing_to_fit_is_flagged_not_raised(planet: Planet) -> None:
    """Guards against one broken visit that ends a run, and against a confident answer from no data."""
    curve = make_light_curve(planet, seed=1)
    dead = dataclasses.replace(curve, flux=np.zeros_like(curve.flux))
    measurement = measure_depths([dead], planet.star)
    assert "no information" in measurement.flags and any("no usable flux" in f for f in measurement.flags)
    anchor = apply_prior(measurement)
    assert np.isfinite(anchor.depth).all() and anchor.depth_err.min() > 0.005
    half = measure_depths([curve, dataclasses.replace(dead, visit=1)], planet.star)
    assert len(half.visits) == 1 and any("visit 1 not used" in f for f in half.flags)
    empty_table = measure_depths([curve], {})
    assert "star table incomplete" in empty_table.flags and len(empty_table.visits) == 1


def test_a_visit_that_was_copied_counts_once(planet: Planet) -> None:
    """Guards against errors that shrink by the square root of two because a file is there twice."""
    curve = make_light_curve(planet, seed=1)
    twice = fit_anchor([curve, dataclasses.replace(curve, visit=1)], planet.star)
    assert "visit 1 not used: it holds the frames of visit 0" in twice.flags
    assert np.allclose(twice.depth_err, fit_anchor(curve, planet.star).depth_err, rtol=1e-6)
    with pytest.raises(DataError, match="two light curves of one visit"):
        measure_depths([curve, make_light_curve(planet, seed=2)], planet.star)
