"""The planets of the report: one line each, behind which its page opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from spectramind_kit.diagnostics.figures.style import counted, number
from spectramind_kit.diagnostics.html_parts import text
from spectramind_kit.diagnostics.planet_numbers import PlanetNumbers
from spectramind_kit.diagnostics.planet_pages import page_html
from spectramind_kit.run_folder.files import PLANETS
from spectramind_kit.run_folder.results import RunResults

MOST_PICTURES = 150  # of each set: at 25 kB a planet, a report of 1,100 planets stays below 10 MB


def planets_html(run: RunResults, numbers: Sequence[PlanetNumbers], *, most: int = MOST_PICTURES) -> str:
    """A line per planet in the order of ``numbers``; the first ``most`` of each set have pictures.

    A closed page is neither laid out nor painted: its pictures cost nothing until it is opened.
    """
    seen: Counter[str] = Counter()
    lines = []
    for one in numbers:
        seen[one.set] += 1
        pictures = seen[one.set] <= most
        page = page_html(run, one, pictures=pictures)
        if not pictures:
            page += (
                f'<p class="note">Not drawn here: diagnostics.planet_page(run, {one.planet_id}) draws it.</p>'
            )
        opened = f'<div class="page" id="p{one.planet_id}">{page}</div>'
        lines.append(f'<details class="planet"><summary>{_line(one)}</summary>{opened}</details>')
    left = sum(max(count - most, 0) for count in seen.values())
    told = (
        "Test planets first; in each set the lowest score first, then the flagged ones. Open a line for "
        f"the planet's light curves, spectrum, orbit and flags. {PLANETS}, beside this file, has the numbers."
    )
    if left:
        told += (
            f" {counted(left, 'planet')} further down have numbers and words only, to keep this file small."
        )
    return f'<p class="note">{text(told)}</p><div class="planets">{"".join(lines)}</div>'


def _line(one: PlanetNumbers) -> str:
    score = f"score {number(one.score, '.3f')}" if np.isfinite(one.score) else ""
    depth = f"{one.airs_depth_ppm:.0f} ± {one.airs_sigma_ppm:.0f} ppm"
    flags = counted(len(one.flags), "flag") if one.flags else ""
    cells = (one.set, score, depth, one.source, flags)
    return f"<b>{one.planet_id}</b>" + "".join(f" <span>{text(cell)}</span>" for cell in cells if cell)
