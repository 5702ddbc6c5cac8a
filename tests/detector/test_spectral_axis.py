"""Which columns carry the spectrum and which way they run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector import extract_light_curve, find_visits
from spectramind_kit.detector.flags import AXIS_TURNED
from spectramind_kit.detector.instrument import AIRS
from spectramind_kit.detector.spectral_axis import against_the_light, bin_order, spectral_axis
from spectramind_kit.errors import DataError

COLUMNS = np.linspace(4.08, 1.63, 356) ** 1.01
BINS = np.r_[0.7, COLUMNS[39:321][::-1]]


def test_the_competitions_own_order():
    found = spectral_axis(COLUMNS, BINS)
    assert found.airs is AIRS and found.reverse and not found.unusual
    np.testing.assert_array_equal(found.orient(COLUMNS[found.airs.cut]), BINS[1:])


@pytest.mark.parametrize(
    "columns, bins",
    [
        (COLUMNS[::-1], BINS),
        (COLUMNS, np.r_[0.7, BINS[:0:-1]]),
        (COLUMNS[::-1], np.r_[0.7, BINS[:0:-1]]),
        (COLUMNS, np.round(BINS, 4)),
    ],
)
def test_every_column_comes_to_its_wavelength(columns, bins):
    """Guards against a mirrored spectrum, and against the right direction four columns off."""
    found = spectral_axis(columns, bins)
    np.testing.assert_allclose(found.orient(columns[found.airs.cut]), bins[1:], atol=1e-4)
    assert bool(found.unusual) == (columns[0] < columns[-1] or bins[1] > bins[-1])


@pytest.mark.parametrize("bins", [BINS + 0.003, np.r_[0.7, np.linspace(1.95, 3.9, 282)], BINS * 1000])
def test_other_wavelengths_are_an_error(bins):
    """Guards against columns that are paired with wavelengths which they do not have."""
    with pytest.raises(DataError, match="do not fit"):
        spectral_axis(COLUMNS, bins)


def test_the_order_of_known_bins():
    """Guards against a prior that was learned on bins in another order than the rerun's."""
    turned = np.r_[0.7, BINS[:0:-1]]
    np.testing.assert_allclose(BINS[bin_order(turned, BINS)], turned)
    assert (bin_order(np.round(BINS, 4), BINS) == np.arange(283)).all()
    assert bin_order(BINS + 0.01, BINS) is None and bin_order(BINS[:10], BINS) is None


def test_the_light_tells_the_direction():
    wave = BINS[1:]
    star = np.tile(wave[::-1] ** 3, (5, 1))
    assert not against_the_light(star, wave) and not against_the_light(star[:, ::-1], wave[::-1])
    assert against_the_light(star[:, ::-1], wave)
    assert not against_the_light(np.ones((5, 282)), wave), "no colour, no verdict"
    assert not against_the_light(np.full((5, 282), np.nan), wave)


def turn_axis(data):
    axis = pq.read_table(data / "axis_info.parquet").to_pandas()
    um = axis["AIRS-CH0-axis2-um"].to_numpy(copy=True)
    um[:356] = um[:356][::-1]
    axis.assign(**{"AIRS-CH0-axis2-um": um}).to_parquet(data / "axis_info.parquet")


def turn_frames(folder, kit):
    for path in sorted(folder.rglob("*.parquet")):
        if "AIRS-CH0" in str(path.relative_to(folder)):
            values = pq.read_table(path).to_pandas().to_numpy()
            turned = values.reshape(len(values), -1, 356)[..., ::-1].reshape(values.shape)
            kit.parquet(turned, path)


@pytest.mark.parametrize("case", ["detector", "axis alone", "wavelengths"])
def test_light_curves_follow_wavelengths_csv(make_competition, kit, case):
    """Guards against a fixed flip: each of the three tables and frames may run the other way; the right light
    curve is known."""
    data = make_competition(fresh=True)
    usual = extract_light_curve(find_visits(data, "train")[0])
    if case != "wavelengths":
        turn_axis(data)
    if case == "detector":
        turn_frames(data / "train" / "11", kit)
    if case == "wavelengths":
        table = pd.read_csv(data / "wavelengths.csv")
        pd.DataFrame([np.r_[0.7, table.to_numpy()[0, :0:-1]]], columns=table.columns).to_csv(
            data / "wavelengths.csv", index=False
        )
    found = extract_light_curve(find_visits(data, "train")[0])
    order = np.argsort(found.wavelength_um)
    np.testing.assert_allclose(found.wavelength_um[order], usual.wavelength_um)
    np.testing.assert_allclose(
        found.flux[:, order], usual.flux, rtol=1e-3
    )  # the fit of the foreground has a direction
    assert (AXIS_TURNED in found.flags) == (case == "axis alone")
