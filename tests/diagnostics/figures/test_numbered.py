"""Plotting verbs draw what the run holds, say why where it holds nothing, and cost no finished run."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.figures.contributions import plot_contributions
from spectramind_kit.diagnostics.figures.learning import plot_learning_curve
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, judged_or_nothing, numbered
from spectramind_kit.diagnostics.figures.spectra import plot_spectra
from spectramind_kit.diagnostics.report import catalogue
from spectramind_kit.diagnostics.saved_figures import known_figures
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder import open_run

# The figures 2 to 6 judge spectra, whatever their number; 7 and 8 read the log.
OF_SPECTRA = [verb for verb in catalogue() if 2 <= verb.entry.number <= 6]


def name_of(verb) -> str:
    return verb.entry.name


@pytest.mark.parametrize("verb", catalogue(), ids=name_of)
def test_nothing_in_the_run_nothing_in_the_figure(verb, tmp_path):
    """Guards against a traceback at the end of a run that lacks a network, labels or light curves."""
    figure = verb(tmp_path)
    assert figure.empty_because and figure.path.read_bytes().startswith(b"\x89PNG")
    assert figure.path.name == verb.entry.file_name and re.match(r"\d\d_", figure.path.name)


@pytest.mark.parametrize("verb", [*OF_SPECTRA, plot_learning_curve, plot_contributions], ids=name_of)
def test_a_full_run_is_drawn_with_labels(verb, run):
    """Guards against an empty panel, an axis without a name, and a caption that is missing."""
    figure = verb(run)
    assert not figure.empty_because and len(figure.caption) > 80 and figure._repr_png_()
    named = figure.get_supxlabel() if hasattr(figure, "get_supxlabel") else ""
    for axis in figure.axes:
        assert axis.has_data() or not axis.get_visible()
        assert axis.get_xlabel() or named, verb.entry.name
    saved = known_figures(run.diagnostics_dir)[verb.entry.file_name]
    assert (
        (saved.title, saved.caption) == (figure.title, figure.caption) == (verb.entry.title, figure.caption)
    )
    assert saved.fingerprint == run.fingerprint and not re.search(r"[{}]|  |\n", saved.caption)


def test_one_planet_is_enough(run):
    """Guards against statistics that need many planets: Kaggle shows one test planet while editing."""
    only = replace(run, oof=None, test=run.test.only(np.arange(1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for verb in OF_SPECTRA:
            assert not verb(only).empty_because, verb.entry.name


def test_a_figure_that_breaks_is_told_and_costs_nothing(run):
    """Guards against a picture that costs a finished run, and against one that fails in silence."""
    broken = replace(run, oof=None, test=replace(run.test, depth_mean=run.test.depth_mean[:, :5]))
    with pytest.warns(RuntimeWarning, match="02_spectra.png could not be drawn"):
        figure = plot_spectra(broken)
    assert "could not be drawn" in figure.empty_because and figure.path.is_file()


def test_a_folder_that_does_not_exist_is_an_error_of_its_own(tmp_path):
    """Guards against a misspelt folder that is taken for a run without anything, or made."""
    with pytest.raises(DataError, match="does not exist"):
        plot_spectra(tmp_path / "misspelt")
    assert not (tmp_path / "misspelt").exists()


def test_the_verb_hands_its_options_to_the_drawing(run):
    """Guards against an option that is lost on the way, and a verb that has lost its name in the notebook."""

    @numbered(42, "made_up", title="Made up")
    def plot_made_up(run, *, why: str = "nobody asked"):
        """Never drawn."""
        raise NothingToPlot(why)

    assert plot_made_up(run).empty_because == "nobody asked"
    assert plot_made_up(run.root, why="asked").empty_because == "asked"
    assert plot_made_up.__name__ == "plot_made_up" and plot_made_up.entry.file_name == "42_made_up.png"


def test_sets_have_colours_of_their_own_or_there_is_nothing(run, tmp_path):
    """Guards against test and train planets in one colour."""
    sets, colours = judged_or_nothing(run)
    assert [one.name for one in sets] == [*colours] and len(set(colours.values())) == 2
    with pytest.raises(NothingToPlot, match="known depth"):
        judged_or_nothing(open_run(tmp_path))
