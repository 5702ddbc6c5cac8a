"""The table and the submission of spectra in memory."""

from __future__ import annotations

import numpy as np

from spectramind_kit.inference.ladder import naive_rung
from spectramind_kit.inference.planet_spectra import PlanetSpectra
from spectramind_kit.metric import Metric
from spectramind_kit.submission import validate_submission


def test_every_planet_and_bin_has_a_row():
    """Guards against depths beside another planet's or bin's name."""
    wavelength = np.linspace(0.7, 3.9, 283)
    stages = naive_rung([30, 10], wavelength, Metric())
    stages = stages.with_rows([10], (np.arange(283) * 1e-4, np.full(283, 5e-5)), source="anchor")
    spectra = PlanetSpectra(stages, ((), ("grazing", "poor fit")))
    table = spectra.table
    assert table.shape == (566, 7)
    row = table[(table["planet_id"] == 10) & (table["bin"] == "wl_8")].iloc[0]
    assert (row["depth"], row["sigma"], row["source"]) == (7e-4, 5e-5, "anchor")
    assert row["wavelength_um"] == wavelength[7] and row["flags"] == "grazing; poor fit"
    assert set(table.loc[table["planet_id"] == 30, "flags"]) == {""}
    validate_submission(spectra.submission, [30, 10])
    assert spectra.submission.loc[1, "wl_8"] == 7e-4
