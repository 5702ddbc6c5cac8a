from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.transit import DepthMeasurement, fit_anchor, flags, measure_depths
from tests.transit.synthetic import Planet, make_light_curve


def _without_transit(planet: Planet, visit: int) -> LightCurve:
    return make_light_curve(planet, seed=9, visit=visit, depth=np.full_like(planet.depth, 1e-9))


def _part(curve: LightCurve, part: slice) -> LightCurve:
    return dataclasses.replace(
        curve, time=curve.time[part], flux=curve.flux[part], flux_err=curve.flux_err[part]
    )


@pytest.mark.parametrize("empty", [0, 1])
def test_a_visit_without_a_transit_costs_that_visit(planet: Planet, empty: int) -> None:
    """Guards against +- 50 ppm that become +- 8,000: half of the difference to nothing was added to the
    error."""
    good = make_light_curve(planet, seed=5, visit=1 - empty)
    curves = sorted([good, _without_transit(planet, empty)], key=lambda c: c.visit)
    anchor, alone = fit_anchor(curves, planet.star), fit_anchor(good, planet.star)
    assert f"visit {empty} not used: it shows no transit" in anchor.flags
    assert np.abs((anchor.depth - planet.depth) / anchor.depth_err).max() < 4.0
    assert anchor.depth_err.mean() == pytest.approx(alone.depth_err.mean(), rel=0.05)
    assert [v.visit for v in measure_depths(curves, planet.star).visits] == [1 - empty]


def test_two_empty_visits_are_no_detection(planet: Planet) -> None:
    """Guards against one of two visits without a transit being taken for the one that shows it."""
    anchor = fit_anchor([_without_transit(planet, 0), _without_transit(planet, 1)], planet.star)
    assert anchor.flags and not any("not used" in f for f in anchor.flags)


def _second(planet: Planet, kind: str) -> LightCurve:
    whole = make_light_curve(planet, seed=5, visit=1)
    return {
        "shorter": lambda: _part(whole, slice(0, 110)),
        "far shorter": lambda: _part(whole, slice(0, 60)),
        "coarser": lambda: make_light_curve(planet, seed=5, visit=1, n_times=94),
        "finer": lambda: make_light_curve(planet, seed=5, visit=1, n_times=600),
        "ten times fainter": lambda: dataclasses.replace(
            make_light_curve(planet, seed=5, visit=1, noise=3.2),
            flux=make_light_curve(planet, seed=5, visit=1, noise=3.2).flux * 0.1,
            flux_err=make_light_curve(planet, seed=5, visit=1, noise=3.2).flux_err * 0.1,
        ),
    }[kind]()


@pytest.mark.parametrize("kind", ["shorter", "far shorter", "coarser", "finer", "ten times fainter"])
def test_a_second_visit_never_makes_it_worse(planet: Planet, kind: str) -> None:
    """Guards against visits of other length, cadence or brightness that spoil the good one."""
    good = make_light_curve(planet, seed=5, visit=0)
    anchor, alone = fit_anchor([good, _second(planet, kind)], planet.star), fit_anchor(good, planet.star)
    assert np.abs((anchor.depth - planet.depth) / anchor.depth_err).max() < 4.0
    assert anchor.depth_err[1:].mean() < 1.15 * alone.depth_err[1:].mean()


@pytest.mark.parametrize(
    ("name", "sign", "at_start"),
    [(flags.START_LEFT_OUT, 1, True), (flags.START_LEFT_OUT, -1, True), (flags.END_LEFT_OUT, 1, False)],
)
def test_an_end_that_has_not_settled_is_left_out(
    planet: Planet, name: str, sign: int, at_start: bool
) -> None:
    """Guards against a ramp of 0.3 % that bends the drift into the transit (2.8 of an error bar that was
    twice too large)."""
    curve = make_light_curve(planet, seed=1)
    since = curve.time - curve.time[0] if at_start else curve.time[-1] - curve.time
    ramp = 1.0 + sign * 0.003 * np.exp(-since / 0.4)[:, None]
    anchor = fit_anchor(dataclasses.replace(curve, flux=curve.flux * ramp), planet.star)
    assert name in anchor.flags
    assert np.abs((anchor.depth - planet.depth) / anchor.depth_err).max() < 4.0
    assert anchor.depth_err.mean() < 1.5 * fit_anchor(curve, planet.star).depth_err.mean()


def test_a_clean_visit_is_left_as_it_is(measurement: DepthMeasurement) -> None:
    """Guards against a second look at everything: it costs four more fits."""
    assert measurement.flags == ()


def test_slow_noise_that_no_cut_cures_is_flagged(planet: Planet) -> None:
    """Guards against noise of half an hour in the middle of a visit that nobody is told of."""
    curve = make_light_curve(planet, seed=1)
    wave = 1.0 + 4e-4 * np.sin(2 * np.pi * curve.time / 0.8)[:, None]
    anchor = fit_anchor(dataclasses.replace(curve, flux=curve.flux * wave), planet.star)
    assert flags.SLOW_NOISE in anchor.flags
    assert np.abs((anchor.depth - planet.depth) / anchor.depth_err).max() < 4.0
