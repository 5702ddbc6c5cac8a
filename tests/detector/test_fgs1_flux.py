"""FGS1 from its files to a flux per exposure."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.fgs1_flux import read_fgs1
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.raw_visit import VisitSource
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import read_shared_tables


def source(data, **settings) -> VisitSource:
    files, tables = find_visits(data, "train")[0], read_shared_tables(data)
    return VisitSource(files, DetectorSettings(**settings), tables.axis, tables.adc)


def test_flux_is_the_light_of_each_exposure(make_competition, kit):
    """Guards the scale, the exposures' order and the noise that is predicted, in electrons."""
    fgs1 = read_fgs1(source(make_competition()))
    expected = kit.scene()[1].sum() * kit.truth(kit.Shape())[1]
    assert fgs1.good.all() and fgs1.centre_h.shape == expected.shape and fgs1.flags == ()
    pull = (
        fgs1.window.flux - expected * (fgs1.window.flux / expected).mean()
    ) / fgs1.window.plan.predicted_noise
    assert pull.std() == pytest.approx(1.0, abs=0.1) and np.abs(pull).max() < 6
    assert (fgs1.window.flux / expected).mean() == pytest.approx(1.0, abs=5e-3)
    assert fgs1.info["fgs1_saturated_share"] == 0.0


@pytest.mark.parametrize("foreground", ("plain", "off"))
def test_a_step_of_the_foreground_is_taken_out(make_competition, kit, foreground):
    """Guards against a foreground that changes with the transit and passes for it; and the switch."""
    data = make_competition(fresh=True)
    path = find_visits(data, "train")[0].signal(FGS1)
    counts = pq.read_table(path).to_pandas().to_numpy().copy()
    late = np.arange(len(counts) // 2) > 700
    counts[1::2] += (8 * late).astype(counts.dtype)[:, None]
    kit.parquet(counts, path)
    fgs1 = read_fgs1(source(data, foreground=foreground))
    flux = fgs1.window.flux / kit.truth(kit.Shape())[1]
    step = flux[late].mean() / flux[~late].mean() - 1
    added = 8 / kit.GAIN * 256 / kit.scene()[1].sum()
    if foreground == "off":
        assert step > 0.2 * added and fgs1.flags == ()
    else:
        assert abs(step) < 0.05 * added and "foreground varies" in fgs1.flags[-1]
