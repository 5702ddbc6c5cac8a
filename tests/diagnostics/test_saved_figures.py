"""The list of saved figures: one entry a picture, whatever is left of the file."""

from __future__ import annotations

import json

import pytest

from spectramind_kit.diagnostics.saved_figures import SavedFigure, known_figures, remember_figure


def test_an_entry_is_added_or_replaced(tmp_path):
    """Guards against a list that forgets the other figures, or keeps the caption of an older one."""
    remember_figure(tmp_path, "02_b.png", SavedFigure("B", "σ of planet <7>", "", "one"))
    remember_figure(tmp_path, "01_a.png", SavedFigure("A", empty_because="no network"))
    remember_figure(tmp_path, "02_b.png", SavedFigure("B", "newer", "", "two"))
    found = known_figures(tmp_path)
    assert list(found) == ["01_a.png", "02_b.png"] and found["01_a.png"].empty_because == "no network"
    assert found["02_b.png"] == SavedFigure("B", "newer", "", "two")


@pytest.mark.parametrize(
    "text", ["", "{cut", "[1]", json.dumps({"a.png": 3}), json.dumps({"a.png": {"no": ""}})]
)
def test_a_damaged_list_is_begun_again(tmp_path, text):
    """Guards against a report that fails at its list of captions after a run that was killed."""
    (tmp_path / "figures.json").write_text(text, encoding="utf-8")
    assert known_figures(tmp_path) == {}
    remember_figure(tmp_path, "01_a.png", SavedFigure("A"))
    assert list(known_figures(tmp_path)) == ["01_a.png"]
