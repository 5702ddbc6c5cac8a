"""A run of 03_submit whose test folder names three planets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.inference import rerun_planets
from spectramind_kit.run_folder.folder import RunFolder
from tests.inference.rerun_case import PLANETS, transit


@pytest.fixture
def run(tmp_path):
    data = tmp_path / "data"
    for planet in PLANETS:
        (data / "test" / str(planet)).mkdir(parents=True)
        for sensor in ("FGS1", "AIRS-CH0"):
            (data / "test" / str(planet) / f"{sensor}_signal_0.parquet").touch()
    wavelengths = np.r_[0.7, np.linspace(1.95, 3.9, 282)]
    pd.DataFrame([wavelengths], columns=[f"wl_{k}" for k in range(1, 284)]).to_csv(
        data / "wavelengths.csv", index=False
    )
    return RunFolder.open(tmp_path / "run", stage="submit", data_dir=data, earlier=())


@pytest.fixture
def light_curves(monkeypatch):
    """Stage 1 finds a transit of 1 % in every planet; the dict may be changed: planet → depth."""
    depths = dict.fromkeys(PLANETS, 0.01)
    monkeypatch.setattr(
        rerun_planets,
        "extract_light_curves",
        lambda run, split, planet_ids, **_: {p: [transit(depths[p])] for p in planet_ids if p in depths},
    )
    return depths
