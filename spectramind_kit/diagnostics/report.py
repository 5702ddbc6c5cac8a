"""One HTML file that opens offline: in short, every figure with its caption, every planet, and the tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from spectramind_kit import diagnostics
from spectramind_kit.diagnostics.first_screen import first_screen_html
from spectramind_kit.diagnostics.html_parts import figure_html, table_html, text
from spectramind_kit.diagnostics.planet_list import planets_html
from spectramind_kit.diagnostics.planet_numbers import planet_numbers, write_planets
from spectramind_kit.diagnostics.saved_figures import SavedFigure, known_figures
from spectramind_kit.diagnostics.summary import summarised
from spectramind_kit.diagnostics.tables import all_tables
from spectramind_kit.optional_packages import how_to_install, why_not
from spectramind_kit.run_folder.files import PLANETS, REPORT, SUBMISSION
from spectramind_kit.run_folder.provenance import submission_fingerprint
from spectramind_kit.run_folder.results import RunResults, open_run
from spectramind_kit.whole_file import whole_file

_NO_PLANETS = '<p class="note">There are no predictions in this folder.</p>'


def catalogue() -> list[Callable]:
    """The plotting verbs in the order of their numbers; 0 is stage 1's, of light curves that it holds."""
    verbs = [getattr(diagnostics, name) for name in diagnostics.__all__ if name.startswith("plot_")]
    return sorted((verb for verb in verbs if verb.entry.number > 0), key=lambda verb: verb.entry.number)


def write_report(
    run: RunResults | str | Path,
    *,
    path: str | Path | None = None,
    truth: str | Path | None = None,
    baselines: Mapping[str, float] | None = None,
    title: str = "SpectraMind run",
) -> Path:
    """Write ``report.html`` into the run's folder and return its path; ``planets.csv`` comes beside it.

    Figures that the verbs have drawn from these results are taken as they are; missing ones, and those of
    older results, are drawn now. A figure that has nothing to show says why.

    Parameters
    ----------
    run : a run, or the path of its folder
    truth : CSV of the test planets' depths, when ``run`` is a path
    baselines : scores by name that join the ladder (for example ``{"flat depth": 0.31}``)
    """
    run = run if isinstance(run, RunResults) else open_run(run, truth=truth)
    numbers, sections = planet_numbers(run), []
    for verb in catalogue():
        options = {"baselines": baselines} if verb is diagnostics.plot_score_ladder and baselines else {}
        saved, png = _picture(run, verb, options)
        sections.append((verb.entry.name.replace("_", " "), saved.title, figure_html(saved, png)))
    sections.append(("planets", "Every planet", planets_html(run, numbers) if numbers else _NO_PLANETS))
    for table in all_tables(run):
        sections.append((table.title.lower(), table.title, table_html(table)))
    target = Path(path) if path else run.root / REPORT
    short = first_screen_html(summarised(run, numbers))
    with whole_file(target) as part:
        part.write_text(_page(title, run, short, sections), encoding="utf-8")
    write_planets(numbers, target.with_name(PLANETS))
    return target


def _picture(run: RunResults, verb: Callable, options: Mapping) -> tuple[SavedFigure, bytes]:
    """The saved picture of a verb if it shows these results, else a new one."""
    if why := why_not("matplotlib"):
        empty_because = f"matplotlib does not work here ({why}): {how_to_install('matplotlib')}"
        return SavedFigure(verb.entry.title, empty_because=empty_because), b""
    name = verb.entry.file_name
    saved, file = known_figures(run.diagnostics_dir).get(name), run.figures / name
    if saved is None or saved.fingerprint != run.fingerprint or not file.is_file() or options:
        verb(run, **options)
        saved = known_figures(run.diagnostics_dir)[name]
    return saved, file.read_bytes()


def _page(title: str, run: RunResults, short: str, sections: list[tuple[str, str, str]]) -> str:
    """``sections``: name in the list of links, heading and HTML of each."""
    links = [f'<a href="#s{k}">{text(link)}</a>' for k, (link, _, _) in enumerate(sections)]
    headed = [f"<h2>{text(heading)}</h2>{content}</section>" for _, heading, content in sections]
    parts = [f'<section id="s{k}">{section}' for k, section in enumerate(headed)]
    profile, now = run.info.get("profile"), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    facts = [f"profile {profile}" if profile else "", str(run.info.get("data_dir") or ""), now]
    submission = run.find(SUBMISSION)
    return Template(_resource("report.html")).substitute(
        title=text(title),
        submission=submission_fingerprint(submission.parent) if submission else "",
        style=_resource("report.css"),
        facts=text(" · ".join(filter(None, facts))),
        short=short,
        links="".join(links),
        sections="\n".join(parts),
    )


def _resource(name: str) -> str:
    return files("spectramind_kit.diagnostics").joinpath(name).read_text(encoding="utf-8")
