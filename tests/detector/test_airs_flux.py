"""AIRS-CH0 from its files to a flux per bin and wavelength, with and without FGS1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from spectramind_kit.detector.airs_flux import read_airs
from spectramind_kit.detector.fgs1_flux import read_fgs1
from spectramind_kit.detector.instrument import AIRS
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.detector.raw_visit import VisitSource
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import read_shared_tables
from spectramind_kit.errors import DataError


def source(data, **settings) -> VisitSource:
    files, tables = find_visits(data, "train")[0], read_shared_tables(data)
    return VisitSource(files, DetectorSettings(**settings), tables.axis, tables.adc)


def test_one_grid_for_both_or_its_own(make_competition):
    """Guards against a sensor of another time that costs AIRS-CH0, or that is used for its pointing."""
    given = source(make_competition())
    fgs1 = read_fgs1(given)
    both, alone = read_airs(given, fgs1, instrument=AIRS), read_airs(given, None, instrument=AIRS)
    assert both.bins.fgs1 is not None and both.fgs1_error is None
    assert alone.bins.fgs1 is None and alone.fgs1_error is None
    late = replace(fgs1, exposures=replace(fgs1.exposures, start_h=fgs1.exposures.start_h + 100.0))
    found = read_airs(given, late, instrument=AIRS)
    assert isinstance(found.fgs1_error, DataError) and found.bins.fgs1 is None
    np.testing.assert_array_equal(found.trace.flux, alone.trace.flux)


def test_columns_that_lost_their_light_are_missing(make_competition, kit):
    """Guards against a wavelength whose light fell into saturated pixels and that still has a depth."""
    data = make_competition(fresh=True)
    path = find_visits(data, "train")[0].signal(AIRS)
    counts = pq.read_table(path).to_pandas().to_numpy().copy()
    images = counts.reshape(len(counts), 32, 356)
    images[1::2, 12:20, 200:206] = 65535
    kit.parquet(counts, path)
    airs = read_airs(source(data), None, instrument=AIRS)
    lost = np.isnan(airs.trace.flux).all(axis=0)
    assert np.flatnonzero(lost).tolist() == list(range(161, 167))
    assert airs.flags[-1] == "AIRS-CH0: 6 wavelengths lost to saturation"
    assert airs.info["airs_saturated_share"] > 6 / 282


def test_too_few_bins_are_an_error(make_competition, kit):
    """Guards against a light curve of a few points, from AIRS-CH0 alone."""
    given = source(make_competition(), exposures_per_bin=10)
    with pytest.raises(DataError, match="too few time bins"):
        read_airs(given, None, instrument=AIRS)


def test_the_trace_does_not_seem_to_widen_in_a_transit(tmp_path, monkeypatch):
    """Guards against a width of the trace that holds the foreground: it does not dip, so the width would
    follow the transit, and jitter, which is fitted on it, would take a part of each column's depth that is
    its noise's."""
    from spectramind_kit.detector import airs_flux
    from spectramind_kit.simulator import Settings, noise_free, simulate_competition

    settings = noise_free(Settings(two_visit_fraction=0.0, bright_fraction=0.0))
    settings = replace(settings, effects=settings.effects.without("jitter", "gain_drift"))
    made = simulate_competition(tmp_path, n_train=1, n_test=0, seed=3, settings=settings)
    seen = []
    fit = airs_flux.fit_jitter

    def remembering(series, features, **options):
        seen.append(features)
        return fit(series, features, **options)

    monkeypatch.setattr(airs_flux, "fit_jitter", remembering)
    airs = read_airs(source(made.data_dir), None, instrument=AIRS)
    white, (_, width) = airs.trace.flux.sum(axis=1), seen[0].T
    dip = np.ptp(white) / white.mean()
    assert dip > 3e-3
    assert abs(np.polyfit(white / white.mean(), width, 1)[0]) < 0.03 * width.mean()
