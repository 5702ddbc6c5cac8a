"""One HTML file that opens offline: every figure with its caption, and the tables."""

from __future__ import annotations

import base64
import html
import re
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from spectramind_kit import diagnostics
from spectramind_kit.diagnostics.judged import judged_sets
from spectramind_kit.diagnostics.saved_figures import SavedFigure, known_figures
from spectramind_kit.diagnostics.tables import Table, all_tables
from spectramind_kit.optional_packages import how_to_install, why_not
from spectramind_kit.run_folder.files import REPORT, SUBMISSION
from spectramind_kit.run_folder.provenance import submission_fingerprint
from spectramind_kit.run_folder.results import RunResults, open_run
from spectramind_kit.whole_file import whole_file

_NUMERIC = re.compile(r"^[+\-]?\d[\d.]*( \([+\-]?[\d.]+σ\))?$|^–$|^-?[\d.]+ … -?[\d.]+$")


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
    """Write ``report.html`` into the run's folder and return its path.

    Figures that the verbs have drawn from these results are taken as they are; missing ones, and those of
    older results, are drawn now. A figure that has nothing to show says why.

    Parameters
    ----------
    run : a run, or the path of its folder
    truth : CSV of the test planets' depths, when ``run`` is a path
    baselines : scores by name that join the ladder (for example ``{"flat depth": 0.31}``)
    """
    run = run if isinstance(run, RunResults) else open_run(run, truth=truth)
    sections = []
    for verb in catalogue():
        options = {"baselines": baselines} if verb is diagnostics.plot_score_ladder and baselines else {}
        saved, png = _picture(run, verb, options)
        sections.append((verb.entry.name.replace("_", " "), saved.title, _figure_html(saved, png)))
    for table in all_tables(run):
        sections.append((table.title.lower(), table.title, _table_html(table)))
    target = Path(path) if path else run.root / REPORT
    with whole_file(target) as part:
        part.write_text(_page(title, run, sections), encoding="utf-8")
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


def _page(title: str, run: RunResults, sections: list[tuple[str, str, str]]) -> str:
    """``sections``: name in the list of links, heading and HTML of each."""
    links = [f'<a href="#s{k}">{_text(link)}</a>' for k, (link, _, _) in enumerate(sections)]
    headed = [f"<h2>{_text(heading)}</h2>{content}</section>" for _, heading, content in sections]
    parts = [f'<section id="s{k}">{section}' for k, section in enumerate(headed)]
    numbers = [f"<div><b>{_text(number)}</b><span>{_text(of)}</span></div>" for number, of in _headline(run)]
    profile, now = run.info.get("profile"), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    facts = [f"profile {profile}" if profile else "", str(run.info.get("data_dir") or ""), now]
    submission = run.find(SUBMISSION)
    return Template(_resource("report.html")).substitute(
        title=_text(title),
        submission=submission_fingerprint(submission.parent) if submission else "",
        style=_resource("report.css"),
        facts=_text(" · ".join(filter(None, facts))),
        stale="".join(f'<p class="note"><b>{_text(text)}</b></p>' for text in run.stale),
        numbers="".join(numbers),
        links="".join(links),
        sections="\n".join(parts),
    )


def _resource(name: str) -> str:
    return files("spectramind_kit.diagnostics").joinpath(name).read_text(encoding="utf-8")


def _headline(run: RunResults) -> list[tuple[str, str]]:
    """The few numbers that a reader wants first."""
    found = []
    for judged in judged_sets(run):
        mean = {stage: scores.mean() for stage, scores in judged.stage_scores.items()}
        found.append((f"{np.clip(mean['final'], 0, 1):.3f}", f"official score, {judged.name}"))
        if "anchor" in mean:
            gain = f"{mean['final'] - mean['anchor']:+.3f}".replace("-", "−")
            found.append((gain, f"gained over the anchor, {judged.name.split(',')[0]}"))
    for label, predictions in (("train planets", run.oof), ("test planets", run.test)):
        if predictions is not None:
            found.append((str(len(predictions)), label))
    return found or [("–", "no predictions in this folder")]


def _figure_html(saved: SavedFigure, png: bytes) -> str:
    if saved.empty_because:
        return f'<p class="note empty">Nothing to show: {_text(saved.empty_because)}</p>'
    data = base64.b64encode(png).decode("ascii")
    image = f'<img alt="{_text(saved.title)}" src="data:image/png;base64,{data}">'
    caption = f"<figcaption>{_text(saved.caption)}</figcaption>"
    return f'<figure><div class="wide">{image}</div>{caption}</figure>'


def _table_html(table: Table) -> str:
    if not table.rows:
        return f'<p class="note">{_text(table.empty_because)}</p>'
    numeric = [all(_NUMERIC.match(cell) for cell in column) for column in zip(*table.rows)]

    def line(tag: str, cells: tuple[str, ...]) -> str:
        kinds = [' class="number"' if number else "" for number in numeric]
        return "<tr>" + "".join(f"<{tag}{k}>{_text(cell)}</{tag}>" for k, cell in zip(kinds, cells)) + "</tr>"

    head, body = line("th", table.header), "".join(line("td", row) for row in table.rows)
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _text(value: str) -> str:
    return html.escape(str(value), quote=True)
