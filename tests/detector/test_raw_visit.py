"""A sensor of a visit as it is read: what is left out, what is told, what the sample shows."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.raw_visit import VisitSource, read_raw_visit
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import read_shared_tables
from spectramind_kit.errors import DataError


def read(data, change, kit):
    """FGS1 of the first visit with its frames changed."""
    import pyarrow.parquet as pq

    files, tables = find_visits(data, "train")[0], read_shared_tables(data)
    frames = pq.read_table(files.signal(FGS1)).to_pandas().to_numpy().copy()
    kit.parquet(change(frames), files.signal(FGS1))
    return read_raw_visit(VisitSource(files, DetectorSettings(), tables.axis, tables.adc), FGS1)


@pytest.mark.parametrize("instrument", (AIRS, FGS1), ids=lambda i: i.name)
def test_the_sample_is_the_mean_image(open_visit, kit, instrument):
    """Guards against a sample in other units, or of pixels in another order than the selection's."""
    raw = open_visit(instrument)
    sample = raw.sample()
    scene, curve = (values[instrument.name == "FGS1"] for values in (kit.scene(), kit.truth(kit.Shape())))
    expected, good = np.median(curve) * raw.selection.take(scene), ~raw.pixels.bad
    np.testing.assert_allclose(sample.mean[good], expected[good], atol=15.0, rtol=0.03)
    assert not sample.saturated.any() and raw.flags == () and raw.n_exposures == len(curve)


def test_impossible_exposures_are_left_out_and_told(data, kit):
    """Guards against times of the good exposures that belong to others, and a loss that nothing tells."""

    def darken(frames):
        frames[40:60] = 0
        return frames

    raw = read(data, darken, kit)
    assert raw.n_exposures == 950 == len(raw.centre_h) and len(raw.exposures) == 960
    gap = np.diff(raw.centre_h)
    assert gap.argmax() == 19 and gap.max() == pytest.approx(11 * np.median(gap), rel=1e-6)
    assert raw.flags == ("FGS1: 10 exposures dropped (no light)",)


def test_stuck_first_reads_leave_the_last_ones(data, kit):
    """Guards against first reads of another exposure taken for each one's own."""

    def hang(frames):
        frames[0::2] = frames[0]
        return frames

    raw = read(data, hang, kit)
    assert raw.flags == ("FGS1: first reads are stuck, last reads used alone",)
    assert len(np.unique(raw.adu[0::2])) == 1


def test_too_few_exposures_are_an_error(data, kit):
    """Guards against a light curve of what little is left."""
    with pytest.raises(DataError, match="no usable exposures.*no light"):
        read(data, np.zeros_like, kit)


def test_a_converter_of_the_other_direction_is_told(data, kit, edit):
    """Guards the automatic direction on whole visits: the same electrons, and a remark."""
    true = read(data, lambda frames: frames, kit).sample().mean
    flip = {f"{sensor}_adc_gain": 1 / kit.GAIN for sensor in ("FGS1", "AIRS-CH0")}
    edit(data / "adc_info.csv", lambda table: table.assign(**flip))
    raw = read(data, lambda frames: frames, kit)
    assert raw.flags == ("FGS1: ADC read as e = ADU · gain + offset",)
    np.testing.assert_allclose(raw.sample().mean, true, rtol=1e-5, atol=1e-2)
