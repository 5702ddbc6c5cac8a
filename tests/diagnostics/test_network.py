"""The trained network read back from a run; without one the figures fall back and say so."""

from __future__ import annotations

import pytest

from spectramind_kit.diagnostics.network import explain_network, load_network
from spectramind_kit.errors import DataError


def test_a_run_without_a_bundle_says_so(run):
    """Guards against a traceback where only the anchor was used."""
    with pytest.raises(DataError, match="no network was trained"):
        load_network(run)
    with pytest.raises(DataError, match="no network was trained"):
        explain_network(run)
