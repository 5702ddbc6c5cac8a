"""The summary as HTML."""

from __future__ import annotations

import re

from spectramind_kit.diagnostics.first_screen import first_screen_html
from spectramind_kit.diagnostics.summary import Rung, Summary


def test_bars_are_as_long_as_the_scores_and_text_is_escaped():
    """Guards against a bar of another row, one beyond its box, and a file's text that breaks the page."""
    rungs = (Rung("anchor", "a <b>", "what", (0.25, float("nan"))), Rung("final", "b", "what", (-0.5, 1.0)))
    summary = Summary("answer & more", "scale", ("1 test", "2 train"), rungs, ("why",), ((7, "off <x>"),), ())
    page = first_screen_html(summary)
    assert re.findall(r"width:([\d.]+)%", page) == ["25.0", "0.0", "100.0"] and "<span>−0.500</span>" in page
    assert "answer &amp; more" in page and "a &lt;b&gt;" in page and "off &lt;x&gt;" in page
    assert '<a href="#p7">7</a>' in page and "<p>None.</p>" in page and "<span>–</span>" in page


def test_a_run_without_scores_has_no_ladder():
    """Guards against an empty table on the first screen."""
    assert "<table" not in first_screen_html(Summary("nothing", "", (), (), (), (), ("one <w>",)))
