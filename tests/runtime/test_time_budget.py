"""`runtime.time_budget`: a run knows whether what is left to do fits."""

from __future__ import annotations

import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.runtime import TimeBudget


def test_time_budget_learns_what_a_unit_costs():
    """Guards against a run that finds out at hour nine that it is late."""
    now = [0.0]
    budget = TimeBudget(1.0, reserve=0.1, clock=lambda: now[0])
    assert budget.left_s == pytest.approx(3240) and budget.fits("anything", units=10**9)
    budget.charge("visit", units=2, seconds=20)
    assert budget.seconds_per_unit("visit") == pytest.approx(10)
    assert budget.fits("visit", units=323) and not budget.fits("visit", units=325)
    now[0] = 3000.0
    assert budget.fits("visit", units=23) and not budget.fits("visit", units=25)
    now[0] = 3500.0
    assert budget.left_s < 0 and not budget.fits("anything", units=0)


@pytest.mark.parametrize("hours", [0, -1.0, float("nan")])
def test_no_time_at_all_is_an_error(hours):
    """Guards against a budget that nothing fits into, found out after the data were read."""
    with pytest.raises(DataError, match="must be positive"):
        TimeBudget(hours)
