"""The trapezoid in a white light curve."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.transit.white_transit import (
    LEAST_STEPS,
    WhiteTransit,
    drift_basis,
    find_white_transit,
    white_curve,
)
from tests.transit.synthetic import make_light_curve, with_flux

TIME = (np.arange(187) + 0.5) * 7.5 / 187
TRUE = WhiteTransit(mid_time=3.6, length=2.4, ingress=0.15, depth=0.012)


def seen(
    transit: WhiteTransit = TRUE,
    *,
    time: np.ndarray = TIME,
    noise: float = 0.0,
    drift: float = 2e-3,
    seed: int = 0,
) -> np.ndarray:
    """A white light curve: drift × (1 + depth × shape), and noise."""
    x = np.linspace(-1.0, 1.0, len(time))
    flux = (1.0 + drift * x - 0.5 * drift * x**2) * (1.0 + transit.depth * transit.shape(time))
    return 1e5 * flux * (1.0 + noise * np.random.default_rng(seed).normal(size=len(time)))


def check(found: WhiteTransit | None, true: WhiteTransit = TRUE, *, tolerance: float = 1.0) -> None:
    """Time and length to a few minutes, depth to a few parts in a thousand."""
    assert found is not None
    assert abs(found.mid_time - true.mid_time) < 0.03 * tolerance
    assert found.length == pytest.approx(true.length, rel=0.02 * tolerance)
    assert found.depth == pytest.approx(true.depth, rel=0.01 * tolerance)
    assert found.ingress == pytest.approx(true.ingress, rel=0.25 * tolerance)


@pytest.mark.parametrize("noise", [0.0, 2e-4])
@pytest.mark.parametrize("mid_time", [2.2, 3.6, 5.5])
@pytest.mark.parametrize("length", [1.2, 3.0])
def test_a_trapezoid_is_found(mid_time, length, noise):
    """Guards against a search that knows only transits in the middle, or of one length."""
    true = TRUE._replace(mid_time=mid_time, length=length)
    check(find_white_transit(TIME, seen(true, noise=noise)), true, tolerance=1.0 if noise == 0 else 2.0)


@pytest.mark.parametrize("mid_time", [0.9, 6.6, 7.0])
def test_a_transit_at_the_end_of_a_visit_is_found(mid_time):
    """Guards against a search that stops before the ends: of a transit that a visit does not hold whole, the
    edge that is seen has its time."""
    true, side = TRUE._replace(mid_time=mid_time), 0.5 if mid_time < 3.75 else -0.5
    found = find_white_transit(TIME, seen(true, noise=1e-4))
    assert found.depth == pytest.approx(true.depth, rel=0.1)
    edge, wanted = (one.mid_time + side * one.length for one in (found, true))
    assert edge == pytest.approx(wanted, abs=0.03)


def test_missing_steps_are_left_out():
    """Guards against one NaN that loses the transit, and against steps whose time moves when others go."""
    flux = seen(noise=1e-4)
    flux[[3, 60, 61, 100]] = np.nan
    flux[-25:] = np.nan
    check(find_white_transit(TIME, flux), tolerance=2.0)
    good = np.isfinite(flux)
    assert find_white_transit(TIME, flux) == find_white_transit(TIME[good], flux[good])


def test_the_brightness_of_the_star_does_not_matter():
    """Guards against a depth in electrons, or a grid that is refined by how bright a star is."""
    flux = seen(noise=2e-4)
    one, other = (find_white_transit(TIME, factor * flux) for factor in (1.0, 1e-7))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_the_clock_may_start_anywhere():
    """Guards against times that count from the start of a visit and nothing else."""
    flux = seen(noise=2e-4)
    one, later = find_white_transit(TIME, flux), find_white_transit(TIME + 1000.0, flux)
    assert later.mid_time - 1000.0 == pytest.approx(one.mid_time, abs=1e-3)
    np.testing.assert_allclose(one[1:], later[1:], rtol=1e-3)


def test_a_visit_reads_the_same_backwards():
    """Guards against a search that prefers one end of the visit."""
    flux = seen(noise=2e-4)
    one, back = find_white_transit(TIME, flux), find_white_transit(TIME, flux[::-1])
    assert TIME[0] + TIME[-1] - back.mid_time == pytest.approx(one.mid_time, abs=0.02)
    assert back.depth == pytest.approx(one.depth, rel=5e-3)


def test_a_drift_is_no_transit():
    """Guards against a depth that is read off the telescope's drift."""
    steep, none = (find_white_transit(TIME, seen(noise=1e-4, drift=drift)) for drift in (2e-2, 0.0))
    assert steep.depth == pytest.approx(none.depth, rel=0.02)


@pytest.mark.parametrize(
    "flux",
    [
        np.full(187, 1e5),
        np.full(187, np.nan),
        np.zeros(187),
        -seen(),
        np.where(np.arange(187) < LEAST_STEPS - 1, seen(), np.nan),
    ],
    ids=("flat", "missing", "dark", "negative", "too few steps"),
)
def test_where_there_is_none_none_is_found(flux):
    """Guards against a transit that is made of rounding, and against an error over a visit without flux."""
    found = find_white_transit(TIME, flux)
    assert found is None or found.depth < 1e-10


def test_a_brightening_is_no_transit():
    """Guards against a depth below zero, whose logarithm nobody can take."""
    flare = seen(TRUE._replace(depth=-0.01))
    found = find_white_transit(TIME, flare)
    assert found is None or found.depth > 0


def test_least_steps_are_enough():
    """Guards against an index error in the shortest visit that is not refused."""
    time = np.linspace(0.2, 7.3, LEAST_STEPS)
    found = find_white_transit(time, seen(time=time))
    assert found.depth == pytest.approx(TRUE.depth, rel=0.2)


def test_the_shape_is_a_trapezoid():
    """Guards against a length that is not counted between the middles of ingress and egress."""
    half = 0.5 * TRUE.length
    inner, outer = half * (1 - TRUE.ingress), half * (1 + TRUE.ingress)
    at = TRUE.mid_time + np.array([0.0, -inner, inner, -half, half, -outer, outer, 3.0])
    np.testing.assert_allclose(TRUE.shape(at), [-1, -1, -1, -0.5, -0.5, 0, 0, 0], atol=1e-12)


def test_the_white_curve_is_that_of_airs_where_there_is_one(curve):
    """Guards against FGS1's noise in place of 282 bins, and against a visit without AIRS that has no time."""
    np.testing.assert_array_equal(white_curve(curve), curve.white_airs)
    flux = curve.flux.copy()
    flux[:, 1:] = np.nan
    np.testing.assert_array_equal(white_curve(with_flux(curve, flux)), curve.fgs1)


def test_a_curved_transit_has_its_time(planet):
    """Guards against a time that limb darkening or an orbit's geometry moves: from another transit model than
    the trapezoid, to a minute."""
    light_curve = make_light_curve(planet, seed=4)
    found = find_white_transit(light_curve.time, white_curve(light_curve))
    assert abs(found.mid_time - planet.mid_time) < 1.5 / 60
    assert found.depth == pytest.approx(planet.depth[1:].mean(), rel=0.3)


def test_the_drift_is_quadratic():
    """Guards against a basis that depends on the clock."""
    basis = drift_basis(TIME)
    np.testing.assert_allclose(basis, drift_basis(24.0 * TIME + 5.0), atol=1e-9)
    assert basis.shape == (187, 3) and np.abs(basis).max() == pytest.approx(1.0)
    fitted = basis @ np.linalg.lstsq(basis, TIME**2, rcond=None)[0]
    np.testing.assert_allclose(fitted, TIME**2, atol=1e-9)
