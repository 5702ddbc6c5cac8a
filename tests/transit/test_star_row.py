"""A star in the forms in which a notebook has it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import fit_anchor
from spectramind_kit.transit.star_row import star_row


@pytest.mark.parametrize("form", [dict, pd.Series, lambda star: pd.DataFrame([star], index=[7])])
def test_every_form_is_the_same_star(planet, form):
    """Guards against a row that pandas gives and that the fit takes for a star without numbers."""
    assert star_row(form(planet.star), planet_id=7) == planet.star


@pytest.mark.parametrize(
    "star, words",
    [
        (None, "no star was given.*found: NoneType"),
        (1.2, "no star was given.*found: float"),
        ({}, "no P, sma, i .*found: nothing"),
        ({"P": 4.0, "Sma": 10.0, "i": 89.0}, "no sma .*found: P, Sma, i"),
        (pd.DataFrame({"P": [4.0, 5.0]}), r"a table was given.*2 rows.*loc\[7\]"),
        (pd.DataFrame({"P": []}), "a table was given.*0 rows"),
        (pd.Series([4.0, 10.0, 89.0]), "no P, sma, i .*found: 0, 1, 2"),
    ],
)
def test_what_is_no_star_is_refused_in_words(star, words):
    """Guards against an anchor of typical values for a mistyped column, which only a flag would tell."""
    with pytest.raises(DataError, match=words) as caught:
        star_row(star, planet_id=7)
    assert caught.value.where == "the star of planet 7"


def test_the_anchor_takes_them(planet, curve):
    """Guards against a check that `fit_anchor` does not make, and an unknown number that it refuses."""
    wanted = fit_anchor(curve, planet.star)
    assert np.array_equal(fit_anchor(curve, pd.Series(planet.star)).depth, wanted.depth)
    with pytest.raises(DataError, match="no P, sma, i"):
        fit_anchor(curve, {"Rs": 1.0})
    assert "star table incomplete" in fit_anchor(curve, {**planet.star, "sma": np.nan}).flags
