"""Which rows a network reads."""

from __future__ import annotations

import pandas as pd
import pytest

from spectramind_kit.configs import load_config
from spectramind_kit.configs.target import to_plain
from spectramind_kit.training.network_rows import network_rows
from tests.stale_run import TEST


@pytest.mark.parametrize(
    "form, planets", [("both", sorted(TEST)), ("direct", sorted(TEST)), ("anchored", [])]
)
def test_only_a_direct_network_reads_planets_without_an_anchor(small_run, form, planets):
    """Guards against a planet whose fit failed and that no network is asked about."""
    model = to_plain(load_config(overrides=[f"model/decoder={form}"]).model)
    given = {"measurements": {}, "anchors": {}, "stars": pd.DataFrame()}
    rows = network_rows(model, small_run.light_curves["test"], **given)
    assert sorted({row["planet_id"] for row in rows}) == planets
