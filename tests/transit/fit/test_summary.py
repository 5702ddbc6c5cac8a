from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.transit import DepthMeasurement, apply_prior, flags, measure_depths
from tests.transit.synthetic import Planet, make_light_curve, with_flux


def _with_a_wave(planet: Planet, *, error: slice, factor: float) -> DepthMeasurement:
    """The model misses the flux of some bins by a slow wave that the noise scale does not see."""
    curve = make_light_curve(planet, seed=1)
    flux = curve.flux.copy()
    flux[:, error] *= 1.0 + factor * np.sin(2 * np.pi * curve.time / 0.7)[:, None]
    return measure_depths([with_flux(curve, flux)], planet.star)


def test_each_sensor_answers_for_its_own_chi2(planet: Planet, measurement: DepthMeasurement) -> None:
    """Guards against FGS1's information divided by AIRS-CH0's chi^2, and the other way round."""
    airs = _with_a_wave(planet, error=slice(1, None), factor=6e-3)
    visit = airs.visits[0]
    assert visit.airs_chi2 > 2.0 and visit.fgs1_chi2 < 1.6 and flags.POOR_FIT in airs.flags
    ratio = airs.depth_information / measurement.depth_information
    assert np.median(ratio[1:]) == pytest.approx(1.0 / visit.airs_chi2, rel=0.15)
    assert ratio[0] > 2.0 * ratio[1:].max()  # its transit leans on the orbit that AIRS-CH0 tells
    fgs1 = _with_a_wave(planet, error=slice(0, 1), factor=2e-3)
    assert np.median(fgs1.depth_information[1:] / measurement.depth_information[1:]) == pytest.approx(
        1.0, rel=0.03
    )
    assert fgs1.depth_information[0] < 0.5 * measurement.depth_information[0]


def test_a_clean_visit_keeps_all_its_information(measurement: DepthMeasurement) -> None:
    """Guards against a chi^2 of chance that costs information."""
    visit = measurement.visits[0]
    assert visit.airs_chi2 == pytest.approx(1.0, abs=0.05) and visit.fgs1_chi2 == pytest.approx(1.0, abs=0.25)
    assert np.median(visit.noise_scale) == pytest.approx(1.0, abs=0.05) and visit.slow_noise < 1.0


def test_lost_frames_reach_the_error(planet: Planet) -> None:
    """Guards against a light curve whose time stamps are wrong behind a gap that nobody can place, with the
    error of a whole one."""
    curve = make_light_curve(planet, seed=1)
    keep = np.r_[0:84, 103:187]
    cut = dataclasses.replace(
        curve,
        time=curve.time[:168],
        flux=curve.flux[keep],
        flux_err=curve.flux_err[keep],
        flags=("AIRS-CH0: 10125 of 11250 frames", "FGS1: 121500 of 135000 frames"),
        info={"airs_frames_lost": 0.1, "fgs1_frames_lost": 0.1},
    )
    anchor = apply_prior(measure_depths([cut], planet.star))
    assert any("of 11250 frames" in f for f in anchor.flags)
    assert np.abs((anchor.depth - planet.depth) / anchor.depth_err).max() < 4.0
    assert (
        anchor.depth_err[1:].min() > 0.01 * planet.depth.mean()
        and anchor.depth_err[0] > 0.03 * planet.depth[0]
    )


def test_what_stage_1_says_of_a_visit_reaches_the_planet(planet: Planet) -> None:
    """Guards against a flag of the light curve that ends there; harmless remarks stay there."""
    curve = make_light_curve(planet, seed=1)
    told = dataclasses.replace(
        curve, flags=("FGS1: 3 saturated pixels", "FGS1: ADC read as e = ADU · gain + offset")
    )
    assert measure_depths([told], planet.star).flags == ("FGS1: 3 saturated pixels",)
    both = measure_depths([told, make_light_curve(planet, seed=5, visit=1)], planet.star)
    assert "FGS1: 3 saturated pixels (visit 0)" in both.flags


def test_a_short_second_visit_is_no_gap(planet: Planet) -> None:
    """Guards against a second visit of half the length whose missing frames spoil the whole first one."""
    whole, second = make_light_curve(planet, seed=1), make_light_curve(planet, seed=5, visit=1)
    half = slice(0, 120)
    short = dataclasses.replace(
        second,
        time=second.time[half],
        flux=second.flux[half],
        flux_err=second.flux_err[half],
        info={"airs_frames_lost": 0.36, "fgs1_frames_lost": 0.36},
    )
    alone, both = (apply_prior(measure_depths(curves, planet.star)) for curves in ([whole], [whole, short]))
    assert both.depth_err.mean() < alone.depth_err.mean()
