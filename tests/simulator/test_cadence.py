from __future__ import annotations

import pytest

from spectramind_kit.simulator.cadence import axis_times_h, timing
from spectramind_kit.simulator.constants import AIRS, FGS1, SENSORS


def test_pair_timing_matches_axis_info():
    """Guards against time axes that disagree with the frames: real pairs are 0.1 s apart, every 4.8 s and 0.4
    s."""
    airs, fgs1 = axis_times_h(AIRS, "full") * 3600, axis_times_h(FGS1, "full") * 3600
    assert len(airs) == 11_250 and len(fgs1) == 135_000
    assert airs[:4] == pytest.approx([0.1, 0.2, 4.9, 5.0]) and fgs1[:4] == pytest.approx([0.1, 0.2, 0.5, 0.6])
    for sensor in SENSORS:
        reduced = axis_times_h(sensor, "reduced")
        assert len(reduced) == 2 * timing(sensor, "reduced").pairs and 0 < reduced[0] < reduced[-1] < 7.5
        full = axis_times_h(sensor, "full")
        assert reduced[0::2].mean() == pytest.approx(full[0::2].mean(), abs=1e-9)


def test_the_real_axis_is_reproduced(reference_data):
    """Guards against a time or wavelength axis that is not the hosts'."""
    import pandas as pd

    from spectramind_kit.simulator.wavelengths import airs_column_wavelengths

    axis = pd.read_parquet(reference_data / "metadata" / "axis_info.parquet")
    for sensor in SENSORS:
        assert axis_times_h(sensor, "full") == pytest.approx(
            axis[f"{sensor.name}-axis0-h"].dropna().to_numpy(), abs=2e-9
        )
    assert airs_column_wavelengths() == pytest.approx(axis["AIRS-CH0-axis2-um"].dropna().to_numpy(), abs=1e-9)
