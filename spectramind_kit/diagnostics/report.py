"""One HTML file that opens offline: every figure with its caption, and the tables."""

from __future__ import annotations

import base64
import html
import re
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np

from spectramind_kit.diagnostics.figures.attribution import plot_attributions
from spectramind_kit.diagnostics.figures.calibration import plot_pulls, plot_reliability
from spectramind_kit.diagnostics.figures.embedding import plot_embedding
from spectramind_kit.diagnostics.figures.frequency import plot_residual_fft
from spectramind_kit.diagnostics.figures.learning import plot_contributions, plot_learning_curve
from spectramind_kit.diagnostics.figures.light_curves import plot_white_light_curves
from spectramind_kit.diagnostics.figures.scores import plot_score_breakdown, plot_score_ladder, stage_scores
from spectramind_kit.diagnostics.figures.spectra import plot_spectra
from spectramind_kit.diagnostics.saved_figures import SavedFigure, known_figures
from spectramind_kit.diagnostics.tables import Table, all_tables
from spectramind_kit.optional_packages import why_not
from spectramind_kit.run_folder.provenance import submission_fingerprint
from spectramind_kit.run_folder.results import RunResults, open_run
from spectramind_kit.whole_file import whole_file

_NUMERIC = re.compile(r"^[+\-]?\d[\d.]*( \([+\-]?[\d.]+σ\))?$|^–$|^-?[\d.]+ … -?[\d.]+$")


def catalogue() -> tuple[Callable, ...]:
    """The plotting verbs in the order of their numbers."""
    return (
        plot_white_light_curves,
        plot_spectra,
        plot_pulls,
        plot_reliability,
        plot_score_ladder,
        plot_score_breakdown,
        plot_learning_curve,
        plot_contributions,
        plot_residual_fft,
        plot_embedding,
        plot_attributions,
    )


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
    pictures = [
        _picture(run, verb, {"baselines": baselines} if verb is plot_score_ladder and baselines else {})
        for verb in catalogue()
    ]
    sections = [
        (verb.entry.name.replace("_", " "), saved.title, _figure_html(saved, png))
        for verb, (saved, png) in zip(catalogue(), pictures)
    ]
    sections += [(table.title.lower(), table.title, _table_html(table)) for table in all_tables(run)]
    target = Path(path) if path else run.work_dir / "report.html"
    with whole_file(target) as part:
        part.write_text(_page(title, run, sections), encoding="utf-8")
    return target


def _picture(run: RunResults, verb: Callable, options: Mapping) -> tuple[SavedFigure, bytes]:
    """The saved picture of a verb if it shows these results, else a new one."""
    name = verb.entry.file_name
    if why := why_not("matplotlib"):
        return SavedFigure(
            title=verb.entry.title,
            caption="",
            empty_because=f"matplotlib does not work here ({why})",
            fingerprint="",
        ), b""
    saved, file = known_figures(run.diagnostics_dir).get(name), run.figures_dir / name
    if saved is None or saved.fingerprint != run.fingerprint or not file.is_file() or options:
        verb(run, **options)
        saved = known_figures(run.diagnostics_dir)[name]
    return saved, file.read_bytes()


def _page(title: str, run: RunResults, sections: list[tuple[str, str, str]]) -> str:
    names = [f"s{number}" for number in range(len(sections))]
    links = "".join(f'<a href="#{name}">{_text(short)}</a>' for name, (short, _, _) in zip(names, sections))
    body = "".join(
        f'<section id="{name}"><h2>{_text(heading)}</h2>{content}</section>'
        for name, (_, heading, content) in zip(names, sections)
    )
    numbers = "".join(
        f"<div><b>{_text(value)}</b><span>{_text(what)}</span></div>" for value, what in _headline(run)
    )
    facts = [
        f"profile {run.info['profile']}" if run.info.get("profile") else "",
        str(run.info.get("data_dir") or ""),
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    ]
    submission = run.find("submission.csv")
    of = submission_fingerprint(submission.parent) if submission else ""
    style = files("spectramind_kit.diagnostics").joinpath("report.css").read_text(encoding="utf-8")
    stale = "".join(f'<p class="note"><b>{_text(text)}</b></p>' for text in run.stale)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="submission" content="{of}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>"
        f"<header><h1>{_text(title)}</h1><p>{_text(' · '.join(fact for fact in facts if fact))}</p>"
        f"{stale}</header>"
        f'<div class="numbers">{numbers}</div><nav>{links}</nav>{body}'
        "<footer>Transit depths are (Rp/Rs)², printed in parts per million (ppm). The file needs no "
        "network.</footer>"
        f"</main></body></html>\n"
    )


def _headline(run: RunResults) -> list[tuple[str, str]]:
    """The few numbers that a reader wants first."""
    found: list[tuple[str, str]] = []
    for name, predictions in run.judged.items():
        scores = stage_scores(run, predictions)
        found.append((f"{np.clip(scores['final'].mean(), 0, 1):.3f}", f"official score, {name}"))
        if "anchor" in scores:
            gain = scores["final"].mean() - scores["anchor"].mean()
            found.append((f"{gain:+.3f}".replace("-", "−"), f"gained over the anchor, {name.split(',')[0]}"))
    for label, predictions in (("train planets", run.oof), ("test planets", run.test)):
        if predictions is not None:
            found.append((str(len(predictions)), label))
    return found or [("–", "no predictions in this folder")]


def _figure_html(saved: SavedFigure, png: bytes) -> str:
    if saved.empty_because:
        return f'<p class="note empty">Nothing to show: {_text(saved.empty_because)}</p>'
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><div class="wide"><img alt="{_text(saved.title)}" src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{_text(saved.caption)}</figcaption></figure>"
    )


def _table_html(table: Table) -> str:
    if not table.rows:
        return f'<p class="note">{_text(table.empty_because)}</p>'
    numeric = [all(_NUMERIC.match(row[i]) for row in table.rows) for i in range(len(table.header))]
    kind = [' class="number"' if n else "" for n in numeric]
    head = "".join(f"<th{k}>{_text(name)}</th>" for k, name in zip(kind, table.header))
    rows = "".join(
        "<tr>" + "".join(f"<td{k}>{_text(cell)}</td>" for k, cell in zip(kind, row)) + "</tr>"
        for row in table.rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _text(value: str) -> str:
    return html.escape(str(value), quote=True)
