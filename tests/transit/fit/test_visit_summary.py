from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.transit import DepthMeasurement, measure_depths
from spectramind_kit.transit.orbit import transit_duration
from tests.transit.synthetic import Planet, make_light_curve, make_planet, with_flux


def test_a_visit_is_counted_and_timed(planet: Planet, measurement: DepthMeasurement) -> None:
    """Guards against times that count twice or not at all, and a T14 of another orbit."""
    visit = measurement.visits[0]
    assert visit.n_in_transit + visit.n_out_of_transit == len(visit.time) == 187
    true = transit_duration(
        period_d=planet.star["P"],
        semi_major_axis=planet.axis,
        radius_ratio=np.sqrt(planet.depth.mean()),
        impact_parameter=planet.impact,
    )
    assert visit.duration_h == pytest.approx(float(true), rel=0.01)
    assert visit.n_in_transit * visit.exposure_h == pytest.approx(visit.duration_h, abs=2 * visit.exposure_h)
    assert visit.coverage == 1.0 and 0.0 <= visit.outlier_share < 0.02


def test_half_a_transit_is_half_covered() -> None:
    """Guards against a share that counts hours outside the visit, or outside the transit."""
    planet = make_planet(2, mid_time=0.0)
    visit = measure_depths([make_light_curve(planet, seed=2)], planet.star).visits[0]
    assert visit.coverage == pytest.approx(0.5, abs=0.1)


def test_missing_times_are_not_seen(planet: Planet, curve) -> None:
    """Guards against a baseline of points without a value."""
    flux = curve.flux.copy()
    flux[:20] = np.nan
    visit = measure_depths([with_flux(curve, flux)], planet.star).visits[0]
    assert visit.n_in_transit + visit.n_out_of_transit == 167 and len(visit.time) == 187
