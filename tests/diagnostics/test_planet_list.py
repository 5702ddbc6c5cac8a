"""The list of planets: all of them, pictures for the first."""

from __future__ import annotations

from spectramind_kit.diagnostics.planet_list import planets_html
from spectramind_kit.diagnostics.planet_numbers import planet_numbers


def test_every_planet_has_a_line_and_the_first_have_pictures(run):
    """Guards against a planet that is lost, and a file that grows with every planet."""
    numbers = planet_numbers(run)
    page = planets_html(run, numbers, most=3)
    assert page.count('<details class="planet">') == len(numbers) == 72
    assert all(f'id="p{one.planet_id}"' in page for one in numbers)
    assert page.count("<svg") == 6 and "66 planets further down" in page
    assert page.count("draws it.") == 66
    whole = planets_html(run, numbers)
    assert whole.count("<svg") == 72 and "further down" not in whole
