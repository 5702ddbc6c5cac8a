"""Tables and pictures of the report."""

from __future__ import annotations

from spectramind_kit.diagnostics.html_parts import figure_html, table_html
from spectramind_kit.diagnostics.saved_figures import SavedFigure
from spectramind_kit.diagnostics.tables import Table


def test_numbers_stand_right_with_true_minus_signs_and_text_left():
    """Guards against a column of numbers that cannot be compared, and a changed name."""
    rows = [("a-b", "-0.5", "-1.0 … 2.0"), ("c", "–", "0.1 … 0.3")]
    page = table_html(Table("T", ("name", "score", "range"), rows, ""))
    assert "<td>a-b</td>" in page and '<td class="number">−0.5</td>' in page
    assert '<td class="number">−1.0 … 2.0</td>' in page and '<th class="number">score</th>' in page


def test_wide_things_scroll_from_the_keyboard():
    """Guards against a table whose right end a phone, or a keyboard, never reaches."""
    assert 'tabindex="0"' in table_html(Table("T", ("a", "b", "c"), [("1", "2", "3")], ""))
    assert 'tabindex="0"' in figure_html(SavedFigure("t", "c"), b"png")
    assert "tabindex" not in table_html(Table("T", ("a", "b"), [("1", "2")], ""))


def test_nothing_to_show_is_said():
    """Guards against an empty heading."""
    assert "why &lt;not&gt;" in table_html(Table("T", ("a",), [], "why <not>"))
    assert "Nothing to show: why" in figure_html(SavedFigure("t", empty_because="why"), b"")
