"""Real frames and real calibration products of one train planet (only where ARIEL_REFERENCE_DATA names
them)."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.airs_flux import read_airs
from spectramind_kit.detector.calibrate import calibrate_frames, choose_adc_direction, interpolate_bad_pixels
from spectramind_kit.detector.calibration_set import find_hot_pixels, read_calibration
from spectramind_kit.detector.extraction import extract_light_curve
from spectramind_kit.detector.fgs1_flux import read_fgs1
from spectramind_kit.detector.frames import all_pixels
from spectramind_kit.detector.instrument import AIRS, FGS1, INSTRUMENTS
from spectramind_kit.detector.layout import AxisInfo, VisitFiles, find_visits, read_adc_info, read_axis_info
from spectramind_kit.detector.raw_visit import VisitSource
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import read_shared_tables
from spectramind_kit.detector.visit_frames import calibrate_visit

RAW = {AIRS.name: "AIRS", FGS1.name: "FGS1"}
# Electrons per CDS frame of this star: AIRS-CH0 over the cut in 4.5 s, FGS1 in 0.1 s.
EXPECTED = {AIRS.name: 16.26e6, FGS1.name: 221e3}


@pytest.fixture(scope="module")
def frames(reference_data):
    with np.load(reference_data / "raw_frames_342072318_first50.npz") as archive:
        return {name: archive[key] for name, key in RAW.items()}


@pytest.fixture(scope="module")
def data_dir(reference_data, frames, tmp_path_factory):
    """The 50 frames and the calibration set as one visit of the official layout."""
    root = tmp_path_factory.mktemp("real")
    for path in (reference_data / "metadata").iterdir():
        shutil.copy(path, root)
    folder = root / "train" / "342072318"
    for instrument in INSTRUMENTS:
        shutil.copytree(
            reference_data / "calibration" / instrument.name, folder / instrument.calibration_folder(0)
        )
        values = frames[instrument.name]
        pq.write_table(
            pa.table({f"column_{i}": values[:, i] for i in range(values.shape[1])}),
            folder / instrument.signal_file(0),
        )
    return root


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda i: i.name)
def test_totals_per_exposure_are_this_stars(data_dir, frames, instrument):
    """Guards the recipe on real data: 25 CDS frames whose totals are those that participants found, within 1
    %."""
    visit = find_visits(data_dir, "train")[0]
    calibration = read_calibration(visit, instrument)
    adc = read_adc_info(data_dir)
    time = np.tile([0.1, 4.6] if instrument.name == AIRS.name else [0.1, 0.2], 25)
    exposures = calibrate_frames(
        frames[instrument.name],
        calibration,
        gain=adc.gain(instrument),
        offset=adc.offset(instrument),
        integration_time_s=time,
    )
    assert exposures.shape == (25, *instrument.shape)
    cut = exposures[:, :, instrument.cut]
    total = np.nansum(cut, axis=(1, 2)).mean()
    assert total == pytest.approx(EXPECTED[instrument.name], rel=0.01)
    filled = interpolate_bad_pixels(cut, calibration.unusable[:, instrument.cut]).sum(axis=(1, 2)).mean()
    assert filled == pytest.approx(EXPECTED[instrument.name], rel=0.01)

    fast = calibrate_visit(
        visit, instrument, settings=DetectorSettings(cosmic_rays=False), selection=all_pixels(instrument)
    )
    good = ~calibration.unusable
    assert len(fast.flux) == 25
    # the local expansion of the linearity polynomial: noise is 13 e⁻ and more
    np.testing.assert_allclose(fast.images[:, good], exposures[:, good], atol=1.0)
    assert np.abs(fast.images[:, good] - exposures[:, good]).mean() < 2e-3
    assert fast.images[:, :, instrument.cut][:, good[:, instrument.cut]].sum(
        axis=1, dtype=float
    ).mean() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda i: i.name)
def test_products_are_usable(data_dir, instrument):
    """Guards the limits of a working pixel: no live pixel of a real detector may be lost to them."""
    c = read_calibration(find_visits(data_dir, "train")[0], instrument)
    assert c.dead.sum() in range(1, 50) and (c.unusable & ~c.dead).sum() == 0
    assert 0 < find_hot_pixels(c.dark).mean() < 0.05


def test_adc_direction_of_real_frames(data_dir, frames):
    """Guards the automatic ADC direction: real files are e = ADU / gain + offset."""
    adc = read_adc_info(data_dir)
    for instrument in INSTRUMENTS:
        level = frames[instrument.name].reshape(-1, *instrument.shape)[::2, :2]
        assert (
            choose_adc_direction(level, gain=adc.gain(instrument), offset=adc.offset(instrument)) == "divide"
        )


def test_light_curve_of_real_frames(data_dir):
    """Guards the whole chain on real pixels: 25 exposures of AIRS and the 25 of FGS1 (2 s and 120 s of the
    visit apart)."""
    visit = find_visits(data_dir, "train")[0]
    real = read_axis_info(data_dir)
    # 50 FGS1 frames last 10 s, 50 AIRS frames 120 s: give FGS1 the times of AIRS, to have both on one grid
    axis = AxisInfo(real.airs_time_h, real.airs_time_h, real.airs_wavelength_um, real.airs_integration_time_s)
    lc = extract_light_curve(visit, axis=axis)
    assert lc.flux.shape == (24, 283) and np.isfinite(lc.flux).all() and (lc.flux_err > 0).all()
    assert lc.fgs1.mean() == pytest.approx(EXPECTED[FGS1.name], rel=0.05)
    assert lc.white_airs.mean() == pytest.approx(EXPECTED[AIRS.name], rel=0.05)
    assert isinstance(visit, VisitFiles) and lc.wavelength_um[1] == pytest.approx(1.9518, abs=1e-3)
    # photon noise and the pixels' read noise account for the scatter of white AIRS on this star (265 ppm
    # measured, 238 photon)
    scatter = lc.white_airs.std() / lc.white_airs.mean()
    assert 150e-6 < scatter < 450e-6


def test_foreground_of_real_frames(data_dir):
    """Guards against rings of the star that pass for foreground: 27, 5, 23, 4, −3, 19, 10 e⁻ per pixel from
    2.1 to 3.9 µm before. Two minutes show no transit, so this is the usual level."""
    tables = read_shared_tables(data_dir)
    settings = DetectorSettings(target_bins=25)
    source = VisitSource(find_visits(data_dir, "train")[0], settings, tables.axis, tables.adc)
    trace = read_airs(source, None, instrument=AIRS).trace
    assert trace.foreground.mean() == pytest.approx(10.7, abs=1.5)
    assert (trace.foreground > 3.0).all() and (np.diff(trace.foreground) > 0).all(), "falls with wavelength"
    assert np.abs(np.diff(trace.foreground, 2)).max() < 0.02
    assert (trace.edge_star_light > 0.0).mean() > 0.99
    corner = read_fgs1(source).window.plan.foreground
    assert 0.5 < corner.level < 2.5 and corner.star_light > 0.0


def test_the_real_tables_are_in_order(reference_data):
    """Guards against limits that a real star, axis or sample would cross: nothing is told of the
    competition's own tables."""
    from spectramind_kit.detector import read_shared_tables, read_star_info
    from spectramind_kit.submission import read_submission

    told = []
    folder = reference_data / "metadata"
    assert [len(read_star_info(folder, split, tell=told.append)) for split in ("train", "test")] == [1100, 1]
    assert read_shared_tables(folder, tell=told.append).adc.values == (-1000.0, 0.4369, -1000.0, 0.4369)
    assert read_submission(folder / "sample_submission.csv").shape == (1, 567) and told == []
