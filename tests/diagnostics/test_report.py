"""The report: one file, offline, complete, safe."""

from __future__ import annotations

import re
import shutil
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from spectramind_kit.diagnostics import open_run, write_report
from spectramind_kit.diagnostics.figures import numbered
from spectramind_kit.diagnostics.figures.spectra import plot_spectra
from spectramind_kit.diagnostics.report import catalogue
from spectramind_kit.diagnostics.saved_figures import known_figures
from spectramind_kit.optional_packages import PROBES, why_not


@pytest.fixture
def without_umap(monkeypatch):
    """UMAP costs 14 CPU s of compilation: the report does not need it here."""
    monkeypatch.setitem(sys.modules, "umap", None)


class Outside(HTMLParser):
    """Collects what a browser would fetch, and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.fetched, self.stack, self.images = [], [], 0

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.images += tag == "img"
        self.fetched += [
            values[name]
            for name in ("src", "href")
            if values.get(name) and not values[name].startswith(("data:", "#"))
        ]
        if tag not in ("meta", "img", "br", "link"):
            self.stack.append(tag)
        assert tag not in ("script", "link", "iframe", "template")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


@pytest.fixture(scope="module")
def page(work_dir, tmp_path_factory) -> str:
    """The report of the example run, made once."""
    folder = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(work_dir, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "umap", None)
        return write_report(folder, truth=folder / "truth.csv").read_text(encoding="utf-8")


def test_one_file_that_needs_no_network(page):
    """Guards against a report that is blank on a plane: no script, no link, every picture inside."""
    parser = Outside()
    parser.feed(page)
    assert parser.fetched == [] and parser.stack == [] and parser.images >= 8
    assert not re.search(r"url\(|@import|https?://", page)
    for verb in catalogue():
        assert verb.entry.title.replace("'", "&#x27;") in page
    assert 'name="viewport"' in page and "prefers-color-scheme: dark" in page


def test_what_a_file_says_is_escaped(page):
    """Guards against an error text that breaks (or scripts) the page."""
    assert "dead file &lt;b&gt;" in page and "dead file <b>" not in page
    assert "mamba-ssm" in page and "not installed" in page and "chunked scan in PyTorch" in page


def test_an_empty_run_gives_a_report_that_says_so(tmp_path):
    """Guards against no report at all where the run has failed: it is then needed most."""
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert page.count("Nothing to show") == len(catalogue()) and "no predictions in this folder" in page
    assert (tmp_path / "planets.csv").read_text(encoding="utf-8").startswith("planet_id,set,source,")


def test_it_begins_with_the_answer(page):
    """Guards against a first screen of figures that only their author can read."""
    answer, ladder, figures = page.index("Official score 0."), page.index("a guess"), page.index("<img")
    assert answer < ladder < page.index("Planets to look at first") < page.index("Warnings") < figures
    assert "The words used here" in page and page.count('<details class="planet">') == 72


def test_pictures_are_taken_once_and_drawn_again_for_new_results(run, without_umap):
    """Guards against pictures of an older run in a fresh report, and against paying twice for those of this
    run."""
    figure = plot_spectra(run)
    before = figure.path.stat().st_mtime_ns
    write_report(run)
    assert figure.path.stat().st_mtime_ns == before
    path = run.root / "predictions/test.npz"
    with np.load(path) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    np.savez(path, **content | {"depth_mean": content["depth_mean"] + 1e-4})
    fresh = open_run(run.root, truth=run.root / "truth.csv")
    assert fresh.fingerprint != run.fingerprint
    write_report(fresh)
    assert figure.path.stat().st_mtime_ns != before
    assert known_figures(run.diagnostics_dir)[figure.path.name].fingerprint == fresh.fingerprint


def test_a_matplotlib_that_does_not_work_costs_the_figures_only(run, monkeypatch, capsys):
    """Guards against a finished run (light curves, training, the submission) that fails at its last cell for
    a picture."""

    def fail():
        raise AttributeError("module 'numpy' has no attribute 'bool8'")

    monkeypatch.setitem(PROBES, "matplotlib", fail)
    why_not.cache_clear()
    numbered.say_once.cache_clear()
    try:
        assert plot_spectra(run) is None and plot_spectra(run) is None
        page = write_report(run).read_text(encoding="utf-8")
    finally:
        why_not.cache_clear()
    assert capsys.readouterr().out.count("no figures: matplotlib does not work here (AttributeError") == 1
    assert page.count("matplotlib does not work here") == len(catalogue()) and "<img" not in page
