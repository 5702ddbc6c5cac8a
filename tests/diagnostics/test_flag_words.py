"""Every flag has words."""

from __future__ import annotations

import pytest

from spectramind_kit.diagnostics.flag_words import IN_WORDS, in_words
from spectramind_kit.transit import flags


def test_no_flag_of_the_fit_is_without_words():
    """Guards against a flag that is new in the fit and that nobody can read in the report."""
    named = {value for name, value in vars(flags).items() if name.isupper() and isinstance(value, str)}
    assert named == set(IN_WORDS)


@pytest.mark.parametrize(
    ("flag", "begins"),
    [
        (flags.POOR_FIT, "poor fit: the fit leaves"),
        (flags.of_visit(flags.OUTLIERS, 1, n_visits=2), "outliers in visit 1: some points"),
        ("FGS1: 3 saturated pixels, 12% of the light", "FGS1: 3 saturated pixels, 12% of the light"),
    ],
)
def test_a_flag_keeps_its_name_and_its_visit(flag, begins):
    """Guards against words that cannot be found again in planets.csv."""
    assert in_words(flag).startswith(begins)
