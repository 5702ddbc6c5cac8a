from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spectramind_kit.transit import AnchorSettings, DepthMeasurement, flags
from spectramind_kit.transit.fit.flagging import outlier_share, planet_flags, visit_flags
from spectramind_kit.transit.likelihood.visit_data import VisitData, prepare_visit


@pytest.fixture(scope="module")
def data(curve) -> VisitData:
    return prepare_visit(curve, settings=AnchorSettings())


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (dict(coverage=0.98), flags.INCOMPLETE_TRANSIT),
        (dict(duration_h=7.2), flags.LITTLE_BASELINE),
        (dict(mid_transit_time=6.2), flags.LITTLE_BASELINE),
        (dict(outlier_share=0.03), flags.OUTLIERS),
        (dict(airs_chi2=1.3), flags.POOR_FIT),
        (dict(fgs1_chi2=1.7), flags.POOR_FIT),
        (dict(airs_chi2=1.2, fgs1_chi2=1.5, outlier_share=0.015, coverage=0.99), None),
    ],
)
def test_a_visit_earns_a_flag_beyond_its_threshold(
    change: dict, flag: str | None, measurement: DepthMeasurement, data: VisitData
) -> None:
    """Guards against a flag that is never raised, or that a sound visit gets."""
    fit, weight = replace(measurement.visits[0], **change), data.weight.T
    assert visit_flags(fit, data, weight, torch.ones_like(weight)) == (() if flag is None else (flag,))


def test_what_is_not_there_is_flagged(measurement: DepthMeasurement, data: VisitData) -> None:
    """Guards against a sensor that is missing without a word, and times that are lost one by one."""
    fit, weight, robust = measurement.visits[0], data.weight.T.clone(), torch.ones_like(data.weight.T)
    weight[0] = 0.0
    robust[1:, [20, 60, 61]] = 0.3
    told = visit_flags(fit, replace(data, missing=0.1), weight, robust)
    assert told == (flags.OUTLIERS, flags.sensor_missing("FGS1"), flags.MISSING_POINTS)
    assert outlier_share(robust) == pytest.approx(282 * 3 / robust.numel())


@pytest.mark.parametrize(
    ("change", "depth", "flag"),
    [
        (dict(impact_parameter=0.85), 0.01, flags.NEAR_GRAZING),
        (dict(level_sigma=1e-6), 9e-4, flags.SHALLOW_TRANSIT),
        (dict(level_sigma=1e-3), 0.012, flags.SHALLOW_TRANSIT),
        (dict(log_axis_shift=-0.25), 0.01, flags.ORBIT_FAR),
        (dict(visit_gap_sigma=4.0), 0.01, flags.VISITS_DISAGREE),
        (dict(converged=0.0), 0.01, flags.NOT_CONVERGED),
        (dict(impact_parameter=0.75, log_axis_shift=0.15, visit_gap_sigma=3.0), 0.01, None),
    ],
)
def test_a_planet_earns_a_flag_beyond_its_threshold(change: dict, depth: float, flag: str | None) -> None:
    """Guards against a doubt of the anchor that is never told of."""
    quality = flags.Quality(**{"converged": 1.0, "level_sigma": 1e-5, **change})
    assert planet_flags([], quality, depth=depth) == (() if flag is None else (flag,))


def test_a_deep_planet_grazes_earlier(measurement: DepthMeasurement) -> None:
    """Guards against a limit of b that forgets the planet's own radius; the visits' flags come first."""
    quality = flags.Quality(converged=1.0, level_sigma=1e-5, impact_parameter=0.83)
    visits = [replace(measurement.visits[0], visit=v, flags=(flags.POOR_FIT,)) for v in (0, 1)]
    told = planet_flags(visits, quality, depth=0.04)
    assert told == ("poor fit (visit 0)", "poor fit (visit 1)", flags.NEAR_GRAZING, flags.GRAZING)
    assert flags.GRAZING not in planet_flags([], quality, depth=0.01)
