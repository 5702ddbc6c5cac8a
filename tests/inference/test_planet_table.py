"""What each planet's prediction rests on, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectramind_kit.inference.planet_table import planet_table
from spectramind_kit.run_folder.predictions import Predictions


def made_up() -> Predictions:
    """Four planets, one of each source."""
    mean = np.arange(1, 5)[:, None] * np.full((4, 283), 1e-3)
    sigma = np.array([1e-3, 2e-4, 3e-5, 4e-5])[:, None] * np.ones(283)
    sigma[:, 0] *= 2.0
    return Predictions(
        planet_id=np.array([11, 12, 13, 14]),
        wavelength_um=np.linspace(0.7, 3.9, 283),
        depth_mean=mean,
        depth_sigma=sigma,
        source=np.array(["flat depth", "anchor", "both", "network"]),
        flags=np.array(["", "near grazing; slow noise", "", ""]),
    )


def test_a_row_for_each_planet_with_its_own_numbers():
    """Guards against numbers of another planet after sorting."""
    table = planet_table(made_up())
    assert table.index.tolist() == [11, 12, 14, 13], "the least certain first"
    assert table.comes_from.to_dict() == {
        11: "one flat depth for all wavelengths",
        12: "the physics fit (anchor)",
        13: "physics fit and neural network together",
        14: "the neural network",
    }
    assert table.loc[13, ["depth_ppm", "sigma_fgs1_ppm", "sigma_airs_ppm"]].tolist() == [3000, 60, 30]
    assert table.loc[12, "remarks"] == "near grazing; slow noise"


def test_predictions_without_flags_still_have_a_table():
    """Guards against an exception in 03_submit, which fails the submission."""
    table = planet_table(replace(made_up(), flags=None))
    assert len(table) == 4 and set(table.remarks) == {""}
