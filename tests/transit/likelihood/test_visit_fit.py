from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.transit import DepthMeasurement, light_curve_model


def test_model_flux_explains_the_light_curve(curve: LightCurve, measurement: DepthMeasurement) -> None:
    """Guards against a network fed with residuals to another model than the fit's."""
    visit = measurement.visits[0]
    residual = (curve.flux - visit.model_flux) / curve.flux_err
    assert residual.shape == (187, 283)
    assert 0.9 < residual[:, 1:].std() < 1.1
    assert abs(residual[:, 1:].mean()) < 0.02
    assert np.all(visit.baseline_flux >= visit.model_flux - 1e-6)
    assert visit.transit_shape.min() > -1.3 and abs(visit.transit_shape[0]).max() < 1e-9


def test_the_transit_is_that_of_the_fitted_orbit(measurement: DepthMeasurement) -> None:
    """Guards against an orbit that is written for another radius or clock than it was fitted with."""
    visit = measurement.visits[0]
    for k, mid_time in ((0, visit.fgs1_mid_transit_time), (150, visit.mid_transit_time)):
        expected = light_curve_model(
            visit.time,
            mid_transit_time=mid_time,
            period_d=visit.period_d,
            semi_major_axis=visit.semi_major_axis,
            impact_parameter=visit.impact_parameter,
            radius_ratio=visit.depth[k] ** 0.5,
            u1=visit.u1[k],
            u2=visit.u2[k],
            exposure_h=visit.exposure_h,
        )
        assert np.abs(visit.transit()[:, k] - expected.numpy()).max() < 1e-6


def test_another_spectrum_scales_the_transit(measurement: DepthMeasurement) -> None:
    """Guards against the reference spectrum in place of the anchor's; no drift is no change of the level."""
    visit = measurement.visits[0]
    deeper = visit.transit(1.1 * visit.depth)
    assert (1.0 - deeper)[90].mean() == pytest.approx(1.1 * (1.0 - visit.transit())[90].mean(), rel=0.01)
    calm = replace(visit, airs_drift=0.0 * visit.airs_drift, fgs1_drift=0.0 * visit.fgs1_drift)
    assert np.allclose(calm.baseline_flux, visit.level)
