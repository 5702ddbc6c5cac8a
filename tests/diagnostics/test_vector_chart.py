"""Charts without matplotlib: values where they belong, ticks that can be read."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from spectramind_kit.diagnostics.vector_chart import Axis, Panel, chart


@pytest.fixture
def panel() -> Panel:
    return Panel(Axis(0.0, 10.0, 0, 1000), Axis(0.0, 1.0, 1000, 0))


def points(svg: str) -> np.ndarray:
    """Corners of the first path: an absolute start, then relative steps."""
    path = re.search(r' d="([^"]*)"', svg)[1]
    pairs = [(int(x), int(y)) for x, y in re.findall(r"[Mlm](-?\d+) (-?\d+)", path)]
    return np.cumsum(pairs, axis=0)


@pytest.mark.parametrize("kind", ["line", "dots"])
def test_values_lie_where_they_belong(panel, kind):
    """Inverse: rounding of steps must not add up along a curve; what is missing is left out."""
    x = np.linspace(0, 10, 400)
    y = 0.5 + 0.4 * np.sin(x)
    y[100] = np.nan
    found, known = points(getattr(panel, kind)(x, y, "data")), np.isfinite(y)
    np.testing.assert_allclose(found[:, 0], 100 * x[known], atol=0.51)
    np.testing.assert_allclose(found[:, 1], 1000 * (1 - y[known]), atol=0.51)


def test_a_band_goes_there_and_back(panel):
    """Guards against a band that is closed across the curve."""
    x = np.array([0.0, 5.0, 10.0])
    found = points(panel.band(x, np.full(3, 0.2), np.full(3, 0.6), "final"))
    assert found[:, 0].tolist() == [0, 500, 1000, 1000, 500, 0] and set(found[:, 1]) == {400, 800}


@pytest.mark.parametrize(
    ("low", "high", "some"),
    [
        (0.9957, 1.0004, "0.996"),
        (-520, 480, "−400"),
        (0, 7.5, "4"),
        (31000, 46000, "35000"),
        (-1e-5, 1e-5, "0.000010"),
    ],
)
def test_ticks_are_round_and_few(low, high, some):
    """Guards against unreadable numbers, hyphens for minus signs, and a minus before zero."""
    ticks = Axis(low, high, 0, 1).ticks()
    assert 2 <= len(ticks) <= 7 and some in ticks.values() and "−0" not in ticks.values()
    assert all(low <= value <= high for value in ticks) and not any("-" in text for text in ticks.values())
    for value, text in ticks.items():
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=1e-9 + 1e-6 * (high - low))


@pytest.mark.parametrize("values", [[], [np.nan], [3.0, 3.0], [0.0]])
def test_an_axis_of_one_value_or_none_has_a_length(values):
    """Guards against a division by zero where a planet has one point, or none."""
    axis = Axis.holding([np.array(values)], 0, 100)
    assert axis.high > axis.low and np.isfinite(axis.place(axis.low))


def test_the_picture_is_well_formed_and_says_what_it_is(panel):
    """Guards against a picture that breaks the page, and one that a screen reader cannot tell."""
    parts = [
        panel.frame("<flux>", xlabel="time (h)"),
        panel.line(np.arange(3.0), np.ones(3), "anchor", dashed=True),
    ]
    root = ElementTree.fromstring(chart(parts, height=900, label='"A" & <B>'))
    assert root.get("aria-label") == '"A" & <B>' and root.get("role") == "img"
    assert {"<flux>", "time (h)"} <= {text.text for text in root.iter("text")}
