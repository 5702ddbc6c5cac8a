"""Sums over the trace of single exposures against sums written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.detector.dispersion_fill import DispersionFill
from spectramind_kit.detector.instrument import AIRS
from spectramind_kit.detector.raw_visit import Sample
from spectramind_kit.detector.trace_sums import TraceSums


@pytest.mark.parametrize("extraction", ("sum", "optimal"))
def test_columns_are_the_filled_trace(open_visit, extraction):
    """Guards against sums in which a bad pixel is missing, as it was, or filled with another column."""
    raw = open_visit(AIRS, airs_extraction=extraction)
    sample, shape = raw.sample(), raw.selection.grid
    sums = TraceSums.plan(raw, sample)
    exposures = raw.grid_block()(0, 20)
    images = exposures.reshape(-1, *shape).copy()
    bad = raw.pixels.bad[: raw.selection.n_grid].reshape(shape)
    assert bad.any()
    DispersionFill.plan(sample.mean[: raw.selection.n_grid].reshape(shape), bad).apply(images)
    weight = 1.0 if sums.row_weights is None else sums.row_weights
    np.testing.assert_allclose(sums.columns(exposures), (images * weight).sum(axis=1), rtol=1e-4)
    assert (sums.row_weights is None) == (extraction == "sum")


def test_wide_stretches_of_saturated_pixels_are_left_out(open_visit):
    """Guards against a long stretch filled from two pixels, whose noise would be in every wavelength."""
    raw = open_visit(AIRS)
    sample, n, (_, columns) = raw.sample(), raw.selection.n_grid, raw.selection.grid
    saturated = np.zeros(len(raw.selection), bool)
    saturated[7 * columns + 100 : 7 * columns + 110] = True
    sums = TraceSums.plan(raw, Sample(sample.mean, saturated))
    plain = TraceSums.plan(raw, sample)
    exposures = raw.grid_block()(0, 5)
    lost = plain.columns(exposures) - sums.columns(exposures)
    row = exposures.reshape(5, -1, columns)[:, 7, 100:110]
    kept = ~raw.pixels.bad[:n].reshape(-1, columns)[7, 100:110]
    np.testing.assert_allclose(lost[:, 100:110][:, kept], row[:, kept], rtol=1e-3, atol=1.0)
    assert np.abs(lost[:, :100]).max() < 1.0


def test_moments_give_the_row_of_the_trace(open_visit):
    """Guards the gauge of the pointing: a trace that moves by a tenth of a row is seen to."""
    raw = open_visit(AIRS)
    raw = replace(raw, pixels=replace(raw.pixels, bad=np.zeros_like(raw.pixels.bad)))
    sums = TraceSums.plan(raw, raw.sample())
    rows = np.arange(*raw.settings.airs_rows)
    images = [np.tile(np.exp(-0.5 * ((rows - r) / 1.4) ** 2)[:, None], 282) for r in (15.0, 15.1)]
    moments = sums.moments(np.stack(images).reshape(2, -1).astype(np.float32))
    centroid = moments[:, 1] / moments[:, 0]
    assert centroid[1] - centroid[0] == pytest.approx(0.1, abs=1e-3)
    np.testing.assert_allclose(sums.per_pixel[:, 0], 16.0)
